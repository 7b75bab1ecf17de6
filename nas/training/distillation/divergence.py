"""How far rows of weights over tokens are from a teacher's."""

import torch
from torch import Tensor


def row_divergence(
    student: Tensor, teacher: Tensor, keep: Tensor, seen: Tensor | None = None
) -> Tensor:
    """Return the divergence of the student's rows from the teacher's, a scalar.

    The mean over heads and real tokens of the Kullback-Leibler divergence of the student's weights
    from the teacher's, each a softmax over the real tokens that both see.

    Args:
        student: Scores, `(batch, heads, length, length)`.
        teacher: The same of the teacher.
        keep: True for real tokens, `(batch, length)`.
        seen: False for keys that a query does not see, `(length, length)`; None for all seen.
    """
    hidden = ~keep[:, None, None, :] if seen is None else ~(keep[:, None, None, :] & seen)
    mine, its = (
        scores.float().masked_fill(hidden, torch.finfo(torch.float32).min).log_softmax(-1)
        for scores in (student, teacher)
    )
    rows = (its.exp() * (its - mine)).masked_fill(hidden, 0.0).sum(-1)
    return rows.transpose(1, 2)[keep].mean()
