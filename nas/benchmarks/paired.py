"""Whether two policies differ: their runs from the same seeds, compared in pairs."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Paired:
    """The differences `second - first` of runs that share a seed.

    Attributes:
        pairs: How many.
        mean: Of the differences.
        error: Standard error of the mean; NaN for one pair.
        t_p: Two-sided p-value of the paired t-test; NaN where it is not defined.
        wilcoxon_p: Two-sided p-value of Wilcoxon's signed-rank test, which one outlier cannot sway.
    """

    pairs: int
    mean: float
    error: float
    t_p: float
    wilcoxon_p: float


def paired(first: np.ndarray, second: np.ndarray) -> Paired:
    """Compare two arrays of figures, `(n,)`, run by run.

    Pairs with a missing figure are left out. Without any difference, p is 1.
    """
    from scipy.stats import ttest_rel, wilcoxon

    kept = np.isfinite(first) & np.isfinite(second)
    first, second = np.asarray(first)[kept], np.asarray(second)[kept]
    difference = second - first
    n = len(difference)
    if n < 2:
        return Paired(n, float(difference.mean()) if n else np.nan, np.nan, np.nan, np.nan)
    error = float(difference.std(ddof=1) / np.sqrt(n))
    if not difference.any():
        return Paired(n, 0.0, error, 1.0, 1.0)
    # A constant difference has no spread to test against.
    t_p = float(ttest_rel(second, first).pvalue) if np.ptp(difference) > 0 else np.nan
    return Paired(n, float(difference.mean()), error, t_p, float(wilcoxon(difference).pvalue))
