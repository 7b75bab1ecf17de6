"""Choosing among the passes of a fine-tuning without looking at what is reported."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor, nn

from nas.data.prepared import EncodedSplit
from nas.evaluation.suites.task import Task
from nas.training.prediction import Scale, evaluate


def hold_out(split: EncodedSplit, share: float, seed: int) -> tuple[EncodedSplit, EncodedSplit]:
    """Return a split without a random share of its examples, and these; each has at least one.

    All windows of a question stay together.
    """
    examples = split.examples
    count = min(max(1, round(share * examples)), examples - 1)
    order = np.random.default_rng(seed).permutation(examples)
    parts = [np.sort(order[count:]), np.sort(order[:count])]
    if split.passages is not None:
        parts = [np.flatnonzero(np.isin(split.passages.questions, part)) for part in parts]
    return take_rows(split, parts[0]), take_rows(split, parts[1])


def take_rows(split: EncodedSplit, rows: np.ndarray) -> EncodedSplit:
    """Return the examples of `split` at `rows`, `(n,)`, in that order.

    Of questions about texts these are windows, ascending and all of a question's.
    """
    examples, rows = rows, split.sequences_of(rows)
    lengths = np.diff(split.offsets)[rows]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(split.offsets.dtype)
    # the place of each token in the old array: its example's old beginning, and how far it is in
    places = np.repeat(split.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
    labels = split.labels[places if split.per_token else examples]
    passages = None if split.passages is None else split.passages.take(rows, places)
    return EncodedSplit(split.tokens[places], offsets, split.second_start[rows], labels, passages)


def join_rows(splits: Sequence[EncodedSplit]) -> EncodedSplit:
    """Return the examples of several splits of one task, whose labels are one for an example."""
    tokens, starts, labels = (
        np.concatenate([getattr(split, name) for split in splits])
        for name in ("tokens", "second_start", "labels")
    )
    lengths = np.concatenate([np.diff(split.offsets) for split in splits])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(splits[0].offsets.dtype)
    return EncodedSplit(tokens, offsets, starts, labels)


class BestPass:
    """The weights after the pass that scored best; the first of equally good ones.

    Args:
        modules: "encoder" and "head".
        task: Says which metrics count.
        splits: What is scored; none keeps no weights, and `take` changes nothing.
        scale: The scale of a regression's labels.
        precision: "fp32" or "bf16" (autocast).
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        task: Task,
        splits: Sequence[EncodedSplit],
        *,
        scale: Scale,
        precision: str,
    ):
        self._modules, self._task, self._splits = modules, task, splits
        self._scale, self._precision = scale, precision
        self.score, self.passes = -np.inf, 0
        self.weights: dict[str, Tensor] = {}

    def look(self, passes: int) -> None:
        """Score the weights after so many passes, and keep them if they are the best so far."""
        if not self._splits:
            return
        encoder, head = self._modules["encoder"], self._modules["head"]
        found = score_splits(
            encoder, head, self._task, self._splits, scale=self._scale, precision=self._precision
        )
        encoder.train()
        head.train()
        if found > self.score:
            self.score, self.passes = found, passes
            self.weights = {
                f"{name}.{key}": value.clone()
                for name, module in self._modules.items()
                for key, value in module.state_dict().items()
            }

    def take(self) -> None:
        """Put the best weights into the modules."""
        for name, module in self._modules.items():
            if self.weights:
                prefix = f"{name}."
                module.load_state_dict(
                    {
                        key.removeprefix(prefix): value
                        for key, value in self.weights.items()
                        if key.startswith(prefix)
                    }
                )

    def restore(self, weights: Mapping[str, Tensor], values: Sequence[float]) -> None:
        """Continue from what a checkpoint kept of another instance."""
        if weights:
            self.weights = dict(weights)
            self.score, self.passes = float(values[0]), int(values[1])


def score_splits(
    encoder: nn.Module,
    head: nn.Module,
    task: Task,
    splits: Sequence[EncodedSplit],
    *,
    scale: Scale,
    precision: str,
) -> float:
    """Return the mean of the task's metrics over `splits`, larger is better."""
    values = [
        evaluate(encoder, head, task, split, scale=scale, precision=precision) for split in splits
    ]
    return float(np.mean([list(metrics.values()) for metrics in values]))
