"""A space that is a given list, such as the architectures of a table of results."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.features import encode_features
from search_spaces.errors import InvalidSpace
from search_spaces.space import Space, draw_distinct


class FiniteSpace(Space):
    """The given architectures, each once, in the order given.

    Neighbours are the ten nearest members in the standardised features of the space; a child of two
    parents is a random one of the ten members nearest to the middle between them.

    Args:
        architectures: At least one; repeated ones count once.
        name: What messages and records call the space.

    Raises:
        InvalidSpace: If there are none, or something is not an `Architecture`.
    """

    near = 10

    def __init__(self, architectures: Iterable[Architecture], name: str = "finite"):
        self.name = name
        self.architectures = tuple(dict.fromkeys(map(_checked, architectures)))
        if not self.architectures:
            raise InvalidSpace("A finite space needs at least one architecture; none were given.")
        self.max_layers = max(len(architecture) for architecture in self.architectures)
        self._index = {a: i for i, a in enumerate(self.architectures)}

    @property
    def size(self) -> int:
        return len(self.architectures)

    def sample(
        self,
        n: int,
        seed: int = 0,
        *,
        accept: Callable[[Architecture], bool] | None = None,
    ) -> list[Architecture]:
        rng = np.random.default_rng(seed)
        build = self.architectures.__getitem__
        return draw_distinct(n, self.size, rng, build, accept, self.name)

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        self._require(architecture)
        index = self._index[architecture]
        return self._nearest(self._standardised[index], {index})

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        for parent in (a, b):
            self._require(parent)
        first, second = self._index[a], self._index[b]
        middle = (self._standardised[first] + self._standardised[second]) / 2
        near = self._nearest(middle, {first, second}) or [a, b]
        return near[rng.integers(len(near))]

    def __contains__(self, architecture: object) -> bool:
        return architecture in self._index

    def __iter__(self) -> Iterator[Architecture]:
        return iter(self.architectures)

    @cached_property
    def _standardised(self) -> np.ndarray:
        features = encode_features(self.architectures, self.max_layers, self._columns)
        spread = features.std(axis=0)
        return (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)

    def _nearest(self, point: np.ndarray, without: set[int]) -> list[Architecture]:
        distances = np.square(self._standardised - point).sum(axis=1)
        order = [i for i in np.argsort(distances, kind="stable").tolist() if i not in without]
        return [self.architectures[i] for i in order[: self.near]]


def _checked(architecture: object) -> Architecture:
    if isinstance(architecture, Architecture):
        return architecture
    raise InvalidSpace(
        f"A finite space holds Architecture objects, not {type(architecture).__name__}. "
        "Build one from a dictionary with Architecture.from_dict."
    )
