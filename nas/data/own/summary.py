"""What was understood of a user's own task, in lines for people, before anything is trained."""

from collections.abc import Mapping

import numpy as np

from nas.data.encoding import token_lengths
from nas.data.own.reading import OwnTask
from nas.data.prepared import PreparedData
from nas.data.tables import Split
from nas.data.tokenizer import Tokenizer
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.majority import majority_metrics
from nas.evaluation.metrics import task_score

_MOST_CLASSES = 12
# So many examples may be cut, if they are the longest; lengths are multiples of this.
_MAY_BE_CUT, _MULTIPLE, _LEAST = 0.02, 8, 16
_LONGEST = 512  # is offered; attention takes the square of it


class FittingLength:
    """Finds how many tokens an example may have: nearly all of them whole, within a bound.

    Args:
        most: The bound.

    Attributes:
        found: What was found.
    """

    def __init__(self, most: int):
        self.found = self._most = most

    def __call__(self, tokenizer: Tokenizer, train: Mapping[str, Split]) -> int:
        """Return it for the training examples of some tasks, the same for all of them."""
        wanted = _LEAST
        for split in train.values():
            longest = np.quantile(token_lengths(tokenizer, split), 1 - _MAY_BE_CUT)
            wanted = max(wanted, -(-int(np.ceil(longest)) // _MULTIPLE) * _MULTIPLE)
        self.found = min(wanted, self._most)
        return self.found


def summary(
    own: OwnTask,
    data: PreparedData,
    max_length: int,
    train: Split,
    readable: int | None = None,
) -> list[str]:
    """Return lines that begin with two spaces, but for the first.

    Args:
        own: The task, as it was read.
        data: As it was encoded.
        max_length: Tokens after which an example is cut.
        train: The training examples that were kept, whose lengths are looked at.
        readable: Tokens that a checkpoint has positions for; None where there is none.
    """
    task, columns = own.data.row, own.columns
    kind = TASK_KINDS[task.kind]
    unread = f"; not read: {', '.join(columns.others)}" if columns.others else ""
    answers = f", among {' and '.join(map(repr, columns.choices))}" if columns.choices else ""
    lines = [
        f"Task {task.name}: {kind.title} in {columns.label!r} of the text in "
        f"{' and '.join(map(repr, columns.text))}{answers}{unread}"
    ]
    splits = {"train": own.data.train, **own.data.dev, **own.data.test}
    for name, split in splits.items():
        there = data.tasks[task.name].get(name)
        kept = len(split) if there is None else there.examples
        some = f", {kept:,} of them used" if kept < len(split) else ""
        lines.append(f"  {name + ':':<11}{len(split):,} examples{some} ({own.places[name]})")
    if own.data.train.answers is not None:
        lines.append(f"  {'answers:':<11}{_answers(own.data.train)}")
    elif task.labels:
        what = "right:" if columns.choices else "classes:"
        lines.append(f"  {what:<11}{_counts(task.labels, own.data.train.labels)}")
    else:
        values = own.data.train.labels
        lines.append(
            f"  {'numbers:':<11}{values.min():g} to {values.max():g}, mean {values.mean():.3g}"
        )
    lengths = token_lengths(data.tokenizer, train)
    windows = own.data.train.answers is not None
    cut = float(np.mean(lengths > max_length))
    lines.append(
        f"  {'lengths:':<11}median {np.median(lengths):.0f} tokens, 95 % up to "
        f"{np.quantile(lengths, 0.95):.0f}, longest {lengths.max()}; "
        f"{'in windows of' if windows else 'cut after'} {max_length}: "
        f"{cut:.1%}{_longer(lengths, max_length, readable) if cut > _MAY_BE_CUT else ''}"
    )
    metrics = majority_metrics(task, data.tasks[task.name])
    listed = ", ".join(f"{k} {v:.3f}" for found in metrics.values() for k, v in found.items())
    what = "unread:" if windows else "majority:" if task.labels else "mean:"
    lines.append(f"  {what:<11}{listed}; score {task_score(task, metrics):.3f}")
    floor = data.floors.get(task.name)
    if floor:
        listed = ", ".join(f"{k} {v:.3f}" for k, v in floor.items() if k in task.metrics)
        lines.append(
            f"  {'TF-IDF:':<11}{listed}; score {floor['score']:.3f}, in {floor['seconds']:.1f} s"
        )
    return lines + [f"  {warning}" for warning in own.warnings]


def _answers(train: Split) -> str:
    """Say how long the answers are, and how many questions have none."""
    words = [len(found[0].split()) for found in train.answers if found]
    none = len(train.answers) - len(words)
    several = sum(len(found) > 1 for found in train.answers)
    more = f", several right {several:,}" if several else ""
    more += f", no answer {none:,}" if none else ""
    texts = len(set(train.second))
    return (
        f"{len(words):,} in {texts:,} texts, median {np.median(words):.0f} words, 95 % up to "
        f"{np.quantile(words, 0.95):.0f}{more}"
    )


def _longer(lengths: np.ndarray, max_length: int, readable: int | None) -> str:
    """Say how to have fewer examples cut, and up to which length that is worth it."""
    wanted = -(-int(np.quantile(lengths, 1 - _MAY_BE_CUT)) // _MULTIPLE) * _MULTIPLE
    wanted = min(max(wanted, 2 * max_length), _LONGEST if readable is None else readable)
    if wanted <= max_length:
        return "" if readable is None else " (the checkpoint has no positions for more)"
    return f" (fewer with --set recipe.max_length={wanted}, which takes longer)"


def _counts(names: tuple[str, ...], labels: np.ndarray) -> str:
    counts = labels.sum(0).astype(int) if labels.ndim > 1 else np.bincount(labels.astype(int))
    counts = np.pad(counts, (0, len(names) - len(counts)))
    order = np.argsort(-counts, kind="stable")
    listed = [f"{names[i]} {counts[i]:,}" for i in order[:_MOST_CLASSES]]
    more = f" and {len(names) - _MOST_CLASSES} more" if len(names) > _MOST_CLASSES else ""
    return f"{', '.join(listed)}{more}"
