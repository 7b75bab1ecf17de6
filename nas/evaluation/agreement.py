"""How far two raters agree beyond chance: Cohen's kappa.

Source: Cohen, "A Coefficient of Agreement for Nominal Scales", Educational and Psychological
Measurement 1960; with squared weights: Cohen, "Weighted Kappa", Psychological Bulletin 1968.
"""

import numpy as np

BINS = 5  # of numbers, which kappa does not know


def kappa(first: np.ndarray, second: np.ndarray, *, squared: bool = False) -> float:
    """Return (agreement - chance) / (1 - chance), at most 1; 0 where one class is all there is.

    Args:
        first: Class numbers, `(n,)`, n at least 1.
        second: The same of the other rater.
        squared: Count how far apart classes are, squared, instead of whether they differ.
    """
    classes, both = np.unique(np.concatenate([first, second]), return_inverse=True)
    size = len(classes)
    if size == 1:
        return 0.0
    counts = np.zeros((size, size))
    np.add.at(counts, (both[: len(first)], both[len(first) :]), 1.0)
    chance = np.outer(counts.sum(1), counts.sum(0)) / counts.sum()
    apart = np.subtract.outer(classes, classes) ** 2 if squared else 1.0 - np.eye(size)
    return float(1.0 - (apart * counts).sum() / (apart * chance).sum())


def binned(numbers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return numbers as the places of `BINS` bins of equal width over the range of the labels.

    Our definition: kappa is of classes. What lies outside is in the nearest bin.
    """
    edges = np.linspace(labels.min(), labels.max(), BINS + 1)[1:-1]
    return np.searchsorted(edges, numbers, side="right")
