"""How tasks are related, by what an encoder reads of them before it has learnt any.

Source: Wu, Zhang and Ré, "Understanding and Improving Information Transfer in Multi-Task Learning",
ICLR 2020. What the rows are is our definition: the embedded tokens of each text, on the average (of
a task of words, each word's first token); where texts differ from task to task, what the paper says
of common inputs is said of each task's own, divided by their number.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.data.batches import batches
from nas.data.prepared import EncodedSplit
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task

_EXAMPLES = 256
_KEPT = 0.99  # of the spectrum
_SIMILAR = "similarity"


class Rows(NamedTuple):
    """What is known of a task before anything is learnt.

    Attributes:
        inputs: float64, `(n, width)`.
        targets: float64, `(n, k)`: numbers, or a column for each class.
    """

    inputs: Tensor
    targets: Tensor

    def direction(self) -> Tensor:
        """Return where inputs and targets vary together most, `(width,)`, as far as they do."""
        centred = self.targets - self.targets.mean(0)
        left, sizes, _ = torch.linalg.svd(self.inputs.T @ centred / len(centred))
        return left[:, 0] * sizes[0]


@torch.no_grad()
def rows_of(encoder: nn.Module, task: Task, split: EncodedSplit) -> Rows:
    """Return the rows of some of a task's examples, by the encoder's embeddings."""
    kind, device = TASK_KINDS[task.kind], next(encoder.parameters()).device
    before = encoder.training
    encoder.eval()
    batch = next(batches(split, batch_size=_EXAMPLES, seed=0)).to(device)
    flat = batch.sequences
    embedded = encoder.embeddings(flat.tokens, flat.token_types, flat.keep).double()
    encoder.train(before)
    labels = batch.labels
    if kind.reads_tokens:  # each token that has a label, or a mark
        named = labels >= 0
        return Rows(embedded[named], F.one_hot(labels[named].long()).double())
    real = flat.keep[..., None].double()
    inputs = (embedded * real).sum(1) / real.sum(1).clamp(min=1.0)
    if batch.tokens.dim() == 3:  # of each answer whether it is the right one
        right = F.one_hot(labels.long(), batch.tokens.shape[1])
        return Rows(inputs, right.reshape(-1, 1).double())
    if labels.dim() == 2:
        return Rows(inputs, labels.double())
    if task.is_regression:
        return Rows(inputs, labels.double()[:, None])
    return Rows(inputs, F.one_hot(labels.long(), kind.outputs(task)).double())


def covariance_similarity(one: Tensor, other: Tensor) -> float:
    """Return how far two sets of rows `(n, width)` vary alike, 1 for a set with itself.

    Differs on purpose: normalised by what either set gives with itself, which the published measure
    does not bring to 1.
    """
    a, b = _spectrum(one), _spectrum(other)
    cross = (a.T @ b).norm()
    return float(cross / ((a.T @ a).norm() * (b.T @ b).norm()).sqrt())


def _spectrum(rows: Tensor) -> Tensor:
    """Return the eigenvectors of `rows.T @ rows` that have 99 % of it, by the root of their size.

    Wrong signs of eigenvectors, and their turns where sizes are equal, change no norm of a product.
    """
    vectors, sizes, _ = torch.linalg.svd(rows.T @ rows)
    count = int((sizes.cumsum(0) / sizes.sum() < _KEPT).sum()) + 1
    return vectors[:, :count] * sizes[:count].sqrt()


def svd_weights(directions: Sequence[Tensor], rank: int) -> Tensor:
    """Return how long each task's direction is within the `rank` that all have most in common."""
    found = torch.stack(list(directions), dim=1)
    common = torch.linalg.svd(found, full_matrices=False).U[:, :rank]
    return (common.T @ found).norm(dim=0)


def similarities(rows: Mapping[str, Rows]) -> dict[str, float]:
    """Return the similarity of each two tasks, by the name of its column."""
    return {
        f"{_SIMILAR}_{a}_{b}": covariance_similarity(rows[a].inputs, rows[b].inputs)
        for a, b in combinations(rows, 2)
    }


def similarity_lines(columns: Mapping[str, float], tasks: Sequence[str]) -> list[str]:
    """Return the similarities among a trial's columns as a table, a line each; none for none."""
    found = {
        (a, b): columns[f"{_SIMILAR}_{a}_{b}"]
        for a in tasks
        for b in tasks
        if f"{_SIMILAR}_{a}_{b}" in columns
    }
    if not found:
        return []
    width = max(8, *(len(name) + 2 for name in tasks))
    lines = ["Similarity of tasks (covariance of what is read):"]
    lines.append(" " * width + "".join(f"{name:>{width}}" for name in tasks))
    for a in tasks:
        values = (1.0 if a == b else found.get((a, b), found.get((b, a))) for b in tasks)
        cells = "".join(f"{'-' if v is None else f'{v:.3f}':>{width}}" for v in values)
        lines.append(f"{a:<{width}}{cells}")
    return lines
