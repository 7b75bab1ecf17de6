"""The one number of several tasks: the GLUE score where they are GLUE's, else plainly `score`."""

from collections.abc import Iterable, Mapping

import numpy as np

from nas.evaluation.metrics import glue_score
from nas.evaluation.suites.glue import GLUE

GLUE_MEAN, MEAN = "glue", "score"
MEANS = (GLUE_MEAN, MEAN)


def mean_name(tasks: Iterable[str]) -> str:
    """Return what the mean over `tasks` is called: "glue", or "score" with a task of one's own."""
    return GLUE_MEAN if all(name in GLUE for name in tasks) else MEAN


def mean_score(scores: Mapping[str, float], *, include_wnli: bool = False) -> dict[str, float]:
    """Return the mean of scores by its name, as `{"glue": .7}` or `{"score": .7}`.

    Args:
        scores: Task name -> score.
        include_wnli: Count WNLI, which GLUE's mean leaves out.
    """
    if mean_name(scores) == GLUE_MEAN:
        return {GLUE_MEAN: glue_score(scores, include_wnli=include_wnli)}
    return {MEAN: float(np.mean(list(scores.values())))}
