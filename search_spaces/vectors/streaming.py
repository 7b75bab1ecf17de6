"""Millions of architectures as points, in a few hundred bytes each.

They are drawn, hashed and told apart as whole numbers (`search_spaces.flexibert.numbers`),
measured from landmarks by tables (`landmark_costs`) and placed as `embedding` does.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidSpace
from search_spaces.flexibert.numbers import DIGEST, CompactCodes
from search_spaces.flexibert.space import FlexiBertSpace
from search_spaces.vectors.embedding import Embedding
from search_spaces.vectors.landmark_costs import LandmarkCosts

CHUNK = 64  # architectures placed at a time: their tables of costs fit the cache


@dataclass(frozen=True)
class StreamedEmbedding:
    """Placed architectures of one space; index `i` means the same in all attributes.

    Attributes:
        space: Where they are from.
        stacks: Numbers of their stacks, -1 beyond the last, int32, `(architectures, stacks)`.
        digests: The first 16 bytes of their hashes, uint8, `(architectures, 16)`.
        vectors: Their points, float32, `(architectures, dimensions)`.
        frames: Number of their model parts and recipe, int64, `(architectures,)`.
    """

    space: FlexiBertSpace
    stacks: np.ndarray
    digests: np.ndarray
    vectors: np.ndarray
    frames: np.ndarray
    _costs: LandmarkCosts
    _landmarks: Embedding

    def __len__(self) -> int:
        return len(self.vectors)

    def architecture(self, index: int) -> Architecture:
        """Return one of the architectures."""
        row = self.stacks[index]
        return self.space.architecture_of(row[row >= 0].tolist(), int(self.frames[index]))

    def transform(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the points of any architectures of the space, `(architectures, dimensions)`.

        Raises:
            InvalidSpace: If one is not in the space.
        """
        return _placed(
            self._landmarks,
            self._costs,
            list(map(self.space.choices_of, architectures)),
            list(map(self.space.frame_of, architectures)),
        )

    def nearest(self, vectors: np.ndarray, k: int = 1) -> np.ndarray:
        """Return for each point the indices of the `k` placed nearest to it, nearest first.

        Args:
            vectors: Points, `(points, dimensions)`.
            k: How many.

        Returns:
            `(points, k)`.
        """
        return self._tree.query(np.atleast_2d(vectors), k=np.arange(1, min(k, len(self)) + 1))[1]

    @cached_property
    def _tree(self) -> KDTree:
        return KDTree(self.vectors)


def embed_stream(
    space: FlexiBertSpace,
    n: int,
    dimensions: int = 16,
    *,
    distance: str = "blocks",
    landmarks: int = 256,
    seed: int = 0,
    threads: int = 1,
) -> StreamedEmbedding:
    """Sample distinct architectures, and return points whose distances follow theirs.

    The architectures are those of `space.sample(n, seed)`, and the points those that an `Embedding`
    of the first of them gives the others; but neither they nor their graphs are ever built.

    Args:
        space: Where to sample.
        n: How many.
        dimensions: Coordinates of a point.
        distance: "blocks" or "published": edit distances that keep the order of layers.
        landmarks: Of how many all pairs of distances are computed.
        seed: Chooses the sample; the landmarks are the first of it.
        threads: How many place architectures; the result does not depend on it.

    Raises:
        UnknownName: If there is no such distance.
        InvalidSpace: If the space has fewer architectures, or is no FlexiBERT space.
    """
    if not isinstance(space, FlexiBertSpace):
        raise InvalidSpace(
            f"The space {space!r} is no FlexiBERT space, so its architectures have no short codes. "
            "Use search_spaces.embed(space.sample(n))."
        )
    codes = CompactCodes(space)
    small = space.stacks.count() < 2**31
    stacks = np.full((n, codes.length), -1, np.int32 if small else object)
    digests = np.zeros((n, DIGEST), np.uint8)
    vectors = np.zeros((n, dimensions), np.float32)
    frames = np.zeros(n, np.int64)
    drawn = codes.draw(n, seed)

    def take(start: int, stop: int) -> list[list[int]]:
        rows = []
        for i in range(start, stop):
            row, frames[i], digest = next(drawn)
            stacks[i, : len(row)] = row
            digests[i] = np.frombuffer(digest, np.uint8)
            rows.append(row)
        return rows

    first = take(0, min(landmarks, n))
    chosen = [space.architecture_of(row, int(f)) for row, f in zip(first, frames, strict=False)]
    fitted = Embedding(chosen, dimensions, distance=distance, seed=seed)
    costs = LandmarkCosts(codes, chosen, distance)

    def place(start: int, rows: list[list[int]]) -> None:
        of_rows = frames[start : start + len(rows)]
        vectors[start : start + len(rows)] = _placed(fitted, costs, rows, of_rows)

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(place, 0, first)]
        for start in range(len(first), n, CHUNK):
            running.append(pool.submit(place, start, take(start, min(start + CHUNK, n))))
        for done in running:
            done.result()
    return StreamedEmbedding(space, stacks, digests, vectors, frames, costs, fitted)


def _placed(
    fitted: Embedding,
    costs: LandmarkCosts,
    rows: Sequence[Sequence[int]],
    frames: Sequence[int],
) -> np.ndarray:
    points = [
        fitted.place(costs.distances(rows[i : i + CHUNK], frames[i : i + CHUNK]))
        for i in range(0, len(rows), CHUNK)
    ]
    return np.concatenate(points) if points else np.zeros((0, fitted.vectors.shape[1]))
