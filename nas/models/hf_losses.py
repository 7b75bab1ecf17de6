"""Losses of the heads, for labels of every type and shape that `transformers` takes."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

REGRESSION, ONE_LABEL, SEVERAL_LABELS = (
    "regression",
    "single_label_classification",
    "multi_label_classification",
)


def problem_type_of(config: Any, labels: Tensor) -> str:
    """Return what a configuration says, or what its number of labels and their type mean.

    Raises:
        ValueError: If the configuration says what there is no loss for.
    """
    if config.problem_type is None:
        if config.num_labels == 1:
            return REGRESSION
        return SEVERAL_LABELS if labels.dtype.is_floating_point else ONE_LABEL
    if config.problem_type not in (REGRESSION, ONE_LABEL, SEVERAL_LABELS):
        raise ValueError(
            f"problem_type is {config.problem_type!r}. Choose {REGRESSION!r}, {ONE_LABEL!r} or "
            f"{SEVERAL_LABELS!r}, or None, which goes by the labels."
        )
    return config.problem_type


def text_loss(logits: Tensor, labels: Tensor, config: Any) -> Tensor:
    """Loss of one answer a text.

    Args:
        logits: `(batch, num_labels)`.
        labels: Numbers of classes, `(batch,)` or `(batch, 1)`, -100 for none; for several labels
            at once 0 or 1, for a regression numbers, both `(batch, num_labels)`, of any type.
        config: With `problem_type` and `num_labels`.

    Raises:
        ValueError: If labels have another shape, or the problem type is unknown.
    """
    labels = labels.to(logits.device)
    kind = problem_type_of(config, labels)
    if kind == ONE_LABEL:
        if labels.numel() != len(logits):
            _refuse(labels, f"({len(logits)},)", kind)
        return class_loss(logits, labels)
    if labels.numel() != logits.numel():
        _refuse(labels, str(tuple(logits.shape)), kind)
    labels = labels.reshape(logits.shape).to(logits.dtype)
    if kind == REGRESSION:
        return F.mse_loss(logits, labels)
    return F.binary_cross_entropy_with_logits(logits, labels)


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy where the label is not -100, over any axes before the classes."""
    flat = logits.reshape(-1, logits.shape[-1])
    return F.cross_entropy(flat, labels.to(logits.device).reshape(-1).to(torch.int64))


def span_loss(start: Tensor, end: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """Mean of the cross entropies of where a span starts and ends; places outside do not count.

    Args:
        start: Logits of the first token, `(batch, length)`.
        end: Logits of the last, `(batch, length)`.
        starts: Places, `(batch,)` or `(batch, 1)`.
        ends: The same of the last token.
    """
    outside = start.shape[1]
    losses = [
        F.cross_entropy(
            logits,
            places.to(logits.device).reshape(-1).to(torch.int64).clamp(0, outside),
            ignore_index=outside,
        )
        for logits, places in ((start, starts), (end, ends))
    ]
    return (losses[0] + losses[1]) / 2


def _refuse(labels: Tensor, wanted: str, kind: str) -> None:
    raise ValueError(
        f"labels have the shape {tuple(labels.shape)}; with problem_type {kind!r} they have "
        f"{wanted}. Change the labels, or config.problem_type and num_labels."
    )
