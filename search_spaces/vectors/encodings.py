"""Every encoding of architectures by name, for comparing them.

"features": numbers a person can read (`encoding.encode_features`); "one-hot": a column for each
value of each choice (`encoding.encode_one_hot`); "naive": depth, then five numbers for each layer,
21 for the FlexiBERT paper's space (`encoding.encode_naive`); "indices": places in the lists of a
space's choices, 37 for FlexiBERT 2.0 (`FlexiBertSpace.indices_of`). Vectors whose distances follow
a distance of architectures are `embedding.embed`.
"""

from collections.abc import Callable, Sequence

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.facts import Columns
from search_spaces.architectures.features import encode_features, encode_naive, encode_one_hot
from search_spaces.errors import InvalidSpace
from search_spaces.flexibert.space import FlexiBertSpace
from search_spaces.registry import Registry
from search_spaces.space import Space

# (architectures, the space or None) -> numbers, (architectures, columns)
Encoding = Callable[[Sequence[Architecture], Space | None], np.ndarray]

ENCODINGS: Registry[Encoding] = Registry("encoding", "nas.encodings")


def encode(
    architectures: Sequence[Architecture], encoding: str = "features", space: Space | None = None
) -> np.ndarray:
    """Return architectures as vectors, in a named encoding.

    Args:
        architectures: What to encode.
        encoding: "features", "one-hot", "naive" or "indices".
        space: Where they are from. It decides how many layers there is room for, so that encodings
            of different architectures fit together; without it, the deepest given decides.
            "indices" needs a `FlexiBertSpace`.

    Returns:
        float64, `(architectures, columns)`.

    Raises:
        UnknownName: If there is no such encoding.
        InvalidSpace: If the encoding cannot express an architecture, one is deeper than the space
            allows, or "indices" lacks its space.
    """
    return ENCODINGS[encoding](architectures, space)


@ENCODINGS.register("features")
def _features(architectures: Sequence[Architecture], space: Space | None) -> np.ndarray:
    columns = Columns.among(architectures) if space is None else Columns.of(space)
    return encode_features(architectures, _depth(architectures, space), columns)


@ENCODINGS.register("one-hot")
def _one_hot(architectures: Sequence[Architecture], space: Space | None) -> np.ndarray:
    return encode_one_hot(architectures, _depth(architectures, space))


@ENCODINGS.register("naive")
def _naive(architectures: Sequence[Architecture], space: Space | None) -> np.ndarray:
    return encode_naive(architectures, _depth(architectures, space))


@ENCODINGS.register("indices")
def _indices(architectures: Sequence[Architecture], space: Space | None) -> np.ndarray:
    if not isinstance(space, FlexiBertSpace):
        given = "none was given" if space is None else f"{space.name!r} has none"
        raise InvalidSpace(
            "The encoding 'indices' is of places in the lists of choices of a FlexiBERT space, and "
            f"{given}. Give one as space=, such as load_space('flexibert-2')."
        )
    rows = [space.indices_of(architecture) for architecture in architectures]
    return np.array(rows, float).reshape(len(rows), 1 + 3 * space.max_layers)


def _depth(architectures: Sequence[Architecture], space: Space | None) -> int:
    if space is not None:
        return space.max_layers
    return max((len(architecture) for architecture in architectures), default=0)
