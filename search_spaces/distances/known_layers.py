"""One distance at a time: costs between the layers met last are kept, so that most are there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Layer
from search_spaces.distances.alignment import StepCosts

LAYERS = 128  # kept; pricing a new one takes the longer, the more there are
ARCHITECTURES = 1 << 16

NONE = np.zeros((2, 1, 1))

Steps = Callable[[Sequence[Layer], Sequence[Layer]], StepCosts]


@dataclass(frozen=True)
class Known:
    """Priced layers, and architectures as numbers of these; replaced, not changed, by new layers.

    Attributes:
        layers: The layers by their canonical text.
        codes: Hash to numbers of layers; more architectures are entered as they come.
        costs: What `align_pair` takes.
    """

    layers: dict[str, Layer]
    codes: dict[str, np.ndarray]
    costs: np.ndarray


class KnownLayers:
    """Edit distances of single pairs that keep layers in order.

    A distance takes microseconds where the layers are known, else milliseconds.

    Args:
        steps: Gives the costs of aligning layers; symmetric.
    """

    def __init__(self, steps: Steps):
        from search_spaces.distances.alignment_kernels import align_pair

        self._steps = steps
        self._align = align_pair
        self._lock = Lock()
        self._known = Known({}, {}, NONE)

    def distance(self, a: Architecture, b: Architecture, x: str, y: str) -> float:
        """Return the least cost of aligning the layers of two architectures.

        Args:
            a: One architecture.
            b: The other.
            x: The hash of `a`, which the caller has: looking it up twice takes a tenth of the time.
            y: The hash of `b`.
        """
        known = self._known
        first, second = known.codes.get(x), known.codes.get(y)
        if first is None or second is None:
            with self._lock:
                known = self._known = _with((a, b), self._known, self._steps)
            first, second = known.codes[x], known.codes[y]
        return self._align(first, second, known.costs)


def _with(architectures: Sequence[Architecture], known: Known, steps: Steps) -> Known:
    layers = {x.canonical: x for a in architectures for x in a.layers}
    together = known.layers | layers
    if len(together) > LAYERS or len(known.codes) > ARCHITECTURES:
        together, known = layers, Known({}, {}, NONE)
    if len(together) > len(known.layers):
        every = list(together.values())
        costs = _packed(steps(every, every))
        # old layers keep their numbers
        known = Known(together, dict(known.codes), costs)
    number = {canonical: i for i, canonical in enumerate(together)}
    for a in architectures:
        known.codes[a.hash] = np.array([number[x.canonical] for x in a.layers], np.uint32)
    return known


def _packed(steps: StepCosts) -> np.ndarray:
    costs = np.zeros((2, len(steps.match) + 1, len(steps.match) + 1))
    costs[0, :-1, :-1], costs[0, :-1, -1], costs[0, -1, :-1] = (
        steps.match,
        steps.remove,
        steps.insert,
    )
    if steps.reopen is not None:
        costs[1, :-1, :-1], costs[1, -1, -1] = steps.reopen, steps.end
    return costs
