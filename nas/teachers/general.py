"""The text of all tasks of a run, and what its teachers have in mind while they read it."""

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import islice

import torch
from torch import Tensor

from nas.data.batches import Batch, batches
from nas.data.prepared import EncodedSplit
from nas.teachers.attention import attention_of
from nas.teachers.lessons import WHOLE, Answers, Lessons, Origin


class GeneralText:
    """Batches of the tasks' training texts in turn, and two teachers: as it came, and fine-tuned.

    Args:
        lessons: The teacher's.
        task: On which one of the two is fine-tuned.
        origin: What of it the student was cut from.
        splits: Training examples of every task, in an order of theirs.
        size: Examples in a batch.
        seed: Decides the order within a task.
    """

    def __init__(
        self,
        lessons: Lessons,
        task: str,
        origin: Origin,
        splits: Sequence[EncodedSplit],
        *,
        size: int,
        seed: int,
    ):
        self._lessons, self._task, self._origin = lessons, task, origin
        self._splits, self._size, self._seed = splits, size, seed
        self._whole = lru_cache(maxsize=2)(lessons.encoder)
        self._open: dict[int, tuple[int, Iterator[Batch]]] = {}
        self._last: tuple[int, Batch] | None = None

    def batch(self, step: int) -> Batch:
        """Return what is read at a step: of the tasks in turn, each batch after batch."""
        if self._last is None or self._last[0] != step:
            self._last = step, self._batch(*reversed(divmod(step, len(self._splits))))
        return self._last[1]

    def _batch(self, turn: int, number: int) -> Batch:
        coming, found = self._open.get(turn, (-1, iter(())))
        epoch, place = divmod(number, self._counts[turn])
        if coming != number or not place:  # the first, another pass, or after an interruption
            split = self._splits[turn]
            every = batches(split, batch_size=self._size, seed=self._seed, epoch=epoch)
            found = islice(every, place, None)
        self._open[turn] = number + 1, found
        return next(found)

    @cached_property
    def _counts(self) -> list[int]:
        return [-(-len(split) // self._size) for split in self._splits]

    @torch.no_grad()
    def answers(self, batch: Batch, *, tuned: bool) -> Answers:
        """Return the states and the attention that are a student's aims, on the batch's device."""
        encoder = self._whole(self._task if tuned else WHOLE).to(batch.tokens.device)
        states = encoder.states(batch.tokens, batch.keep, batch.token_types)
        kept, heads = self._origin.layers, self._origin.heads
        attention = [
            attention_of(encoder.layers[number], states[number], chosen.to(batch.tokens.device))
            for number, chosen in zip(kept, heads, strict=True)
        ]
        aims: list[Tensor] = [states[number] for number in (*kept[1:], -1)]
        return Answers(states[-1].new_zeros(()), aims, batch.keep, attention)
