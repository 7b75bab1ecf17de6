"""Edit distances of compact architectures to a few landmarks, by tables of what layers cost."""

from collections.abc import Sequence

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.distances.alignment import StepCosts, align_all
from search_spaces.distances.distance import EditDistances
from search_spaces.distances.model_costs import model_distances
from search_spaces.errors import InvalidSpace
from search_spaces.flexibert.numbers import CompactCodes

ROWS = 2_048  # layers priced at a time while the tables are made
TESTED = 200


class LandmarkCosts:
    """Edit distances from any architecture of a space to landmarks; edits keep layers in order.

    What a layer costs beside another is a sum over its heads with the width and its feed-forward
    stack. A space has few of each even where it has millions of layers, so both are tabulated.

    Args:
        codes: The space's numbers.
        landmarks: Architectures to measure from.
        costs: A cost model or its name.

    Raises:
        UnknownName: If there is no such cost model.
        InvalidSpace: If the cost model is no such sum.
    """

    def __init__(
        self, codes: CompactCodes, landmarks: Sequence[Architecture], costs: str = "blocks"
    ):
        self._codes = codes
        self._repeat = codes.space.definition.layers_per_stack
        self._measure = EditDistances(landmarks, costs, dtype=np.float32)
        base = self._steps([0])
        self._insert, self._end = base.insert, base.end
        feedforwards = self._table(np.arange(codes.feedforwards))
        _, firsts = np.unique(codes.classes, return_index=True)
        self._feedforwards = [x - x[firsts[codes.classes]] for x in feedforwards]
        # one table for each width that heads share, which some blocks set
        heads = np.arange(codes.heads) * codes.feedforwards
        self._heads = self._table((firsts[:, None] + heads).ravel())
        self._of_frames = self._frame_table(landmarks)
        self._check()

    def distances(
        self, stacks: Sequence[Sequence[int]], frames: Sequence[int] | None = None
    ) -> np.ndarray:
        """Return the distances of architectures, by the numbers of their stacks and frames.

        Returns:
            float32, `(architectures, landmarks)`.
        """
        every = np.concatenate([np.asarray(row) for row in stacks])
        ends = np.cumsum([len(row) for row in stacks])
        # without repeats in the table: a stack stands for several layers
        places = np.split(np.arange(len(every)).repeat(self._repeat), ends[:-1] * self._repeat)
        found = align_all(places, self._measure.groups, self._costs(every))
        if frames is not None and self._of_frames is not None:
            found += self._of_frames[np.asarray(frames)]
        return found

    def _frame_table(self, landmarks: Sequence[Architecture]) -> np.ndarray | None:
        """What model parts and recipe add, by frame, float32, `(frames, landmarks)`."""
        space = self._codes.space
        if space.frames.count == 1:
            return None
        made = [space.architecture_of([0], frame) for frame in range(space.frames.count)]
        return model_distances(made, landmarks).astype(np.float32)

    def _costs(self, stacks: np.ndarray) -> StepCosts:
        heads, feedforwards = np.divmod(stacks, self._codes.feedforwards)
        heads = heads + self._codes.classes[feedforwards] * self._codes.heads
        parts = []
        for table, more in zip(self._heads, self._feedforwards, strict=True):
            part = table[heads]
            part += more[feedforwards]
            parts.append(part)
        return StepCosts(*parts[:2], self._insert, *(parts[2:] or [None]), self._end)

    def _table(self, stacks: np.ndarray) -> list[np.ndarray]:
        # match and remove, and reopen where the costs have it
        tables: list[np.ndarray] = []
        for start in range(0, len(stacks), ROWS):
            found = self._steps(stacks[start : start + ROWS])
            parts = [x for x in (found.match, found.remove, found.reopen) if x is not None]
            if not tables:
                tables = [np.empty((len(stacks), *x.shape[1:]), np.float32) for x in parts]
            for table, part in zip(tables, parts, strict=True):
                table[start : start + ROWS] = part
        return tables

    def _steps(self, stacks: Sequence[int]) -> StepCosts:
        return self._measure.steps([self._codes.layer(int(stack)) for stack in stacks])

    def _check(self) -> None:
        rng = np.random.default_rng(0)
        stacks = rng.integers(self._codes.heads * self._codes.feedforwards, size=TESTED)
        found, asked = self._costs(stacks), self._steps(stacks)
        for name in ("match", "remove", "reopen"):
            a, b = getattr(found, name), getattr(asked, name)
            if a is not None and not np.allclose(a, b, rtol=1e-4, atol=1e-4):
                raise InvalidSpace(
                    f"The cost model {type(self._measure.costs).__name__} is no sum over heads and "
                    "feed-forward stacks, so its distances cannot be tabulated. Use "
                    "search_spaces.embed, which asks for none."
                )
