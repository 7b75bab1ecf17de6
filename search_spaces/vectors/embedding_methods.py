"""Ways to place architectures such that their distances are those asked for, by name.

Source: Torgerson, "Multidimensional scaling", 1952 (classical); Tuli et al., "FlexiBERT", JAIR 2023
(gradient descent on a free table of points).
Differs on purpose: gradient descent sees every pair, measured and not interpolated, and goes on
until the learning rate has come down to zero; the published code measured one pair in a hundred.
"""

from collections.abc import Callable, Sequence

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidSpace
from search_spaces.registry import Registry
from search_spaces.vectors.embedding import DISTANCES, FULL, Embedding

# (architectures, dimensions, distance, landmarks, seed) -> points, (architectures, dimensions)
Method = Callable[[Sequence[Architecture], int, str, int | None, int], np.ndarray]

EMBEDDING_METHODS: Registry[Method] = Registry("embedding method", "nas.embeddings")
STEPS = 1_000
ROWS = 512  # points whose distances to all others one step looks at
RATE = 0.05  # of Adam at the start, where the mean distance counts as 1


@EMBEDDING_METHODS.register("classical")
def classical(
    architectures: Sequence[Architecture],
    dimensions: int,
    distance: str,
    landmarks: int | None,
    seed: int,
) -> np.ndarray:
    """Return the points of `search_spaces.vectors.embedding.Embedding`."""
    placed = Embedding(architectures, dimensions, distance=distance, landmarks=landmarks, seed=seed)
    return placed.vectors


@EMBEDDING_METHODS.register("gradient-descent")
def gradient_descent(
    architectures: Sequence[Architecture],
    dimensions: int,
    distance: str,
    landmarks: int | None,
    seed: int,
) -> np.ndarray:
    """Return points that Adam moves until their distances are those asked for.

    It minimises what `search_spaces.vectors.embedding.stress` measures, and gives no map for
    architectures it has not seen. The points are turned such that columns have descending spread.

    Raises:
        InvalidSpace: If there is nothing to place, too much, or landmarks were asked for.
    """
    count = len(architectures)
    if landmarks is not None or not 1 <= count <= FULL or dimensions < 1:
        raise InvalidSpace(
            f"Gradient descent cannot place {count:,} architectures in {dimensions} dimensions "
            f"with landmarks={landmarks}: it needs all pairs of 1 to {FULL:,} architectures. Use "
            "method='classical' for more."
        )
    asked = np.asarray(DISTANCES[distance](architectures)(architectures), np.float32)
    scale = float(asked.mean()) or 1.0
    points = _descended(asked / scale, dimensions, seed) * scale
    points -= points.mean(axis=0)
    _, turn = np.linalg.eigh(points.T @ points)
    return points @ turn[:, ::-1]


def _descended(asked: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    """Return points for distances of mean 1, in double precision."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    targets = torch.from_numpy(asked)
    count = len(targets)
    start = torch.randn(count, dimensions, generator=generator)
    # points of mean distance about 1
    table = (start / (2 * dimensions) ** 0.5).requires_grad_()
    optimizer = torch.optim.Adam([table], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        rows = torch.arange(count)
        if count > ROWS:
            rows = torch.randperm(count, generator=generator)[:ROWS]
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(torch.cdist(table[rows], table), targets[rows]).backward()
        optimizer.step()
        schedule.step()
    return table.detach().numpy().astype(float)


def embed(
    architectures: Sequence[Architecture],
    dimensions: int = 16,
    *,
    method: str = "classical",
    distance: str = "blocks",
    landmarks: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Return points whose Euclidean distances follow a distance between architectures.

    `Embedding` does the same and keeps the map, for new architectures and for decoding;
    `search_spaces.embed_stream` places millions in a few hundred bytes each.

    Args:
        architectures: What to place.
        dimensions: Coordinates of a point.
        method: "classical" (scaling in closed form), or "gradient-descent" (as published, but on
            all pairs: lower stress, slower, at most 10,000 architectures).
        distance: "blocks", "published" (both: edit distances that keep the order of layers) or
            "weisfeiler-lehman".
        landmarks: Of how many all pairs of distances are computed; by default all up to 10,000,
            else 1,000.
        seed: Chooses the landmarks, or where gradient descent starts.

    Returns:
        `(architectures, dimensions)`, columns by descending spread.

    Raises:
        UnknownName: If there is no such method or distance.
        InvalidSpace: If there is nothing to place.
    """
    return EMBEDDING_METHODS[method](architectures, dimensions, distance, landmarks, seed)
