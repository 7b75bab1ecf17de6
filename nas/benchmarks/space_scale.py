"""How far embeddings of architectures scale: seconds and memory of one job in a process."""

from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time

import numpy as np

from search_spaces import Embedding, Space, embed_stream, load_space
from search_spaces.vectors.embedding import stress
from search_spaces.vectors.streaming import StreamedEmbedding

NEW = 1_000  # architectures placed afterwards
CALLS = 100


@dataclass(frozen=True)
class Placing:
    """Milliseconds for one architecture that was not there at first.

    Attributes:
        batch: Placing it, among a thousand.
        single: Placing it alone, the median.
        nearest: Finding the nearest to a point, the median.
    """

    batch: float
    single: float
    nearest: float


@dataclass(frozen=True)
class Scale:
    """What one job took.

    Attributes:
        size: Architectures.
        seconds: From the first to the last, preparations included.
        cpu: CPU seconds of all threads.
        peak: Most memory of the process, in GB.
        stress: Of pairs of up to a thousand of the points.
        placing: Of architectures afterwards.
    """

    size: int
    seconds: float
    cpu: float
    peak: float
    stress: float
    placing: Placing


def embed_library(threads: int, seed: int) -> Scale:
    """Measure all distances and a 16-d embedding of the paper's whole space."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        begin, cpu = perf_counter(), process_time()
        fitted = Embedding(list(load_space("flexibert-test")), 16, seed=seed)
        took = perf_counter() - begin, process_time() - cpu
    peak = _peak()
    placing = _placing(fitted, load_space("flexibert-test-fine"), seed)
    chosen = np.random.default_rng(seed).permutation(len(fitted.vectors))[:NEW]
    off = _stress([fitted.architectures[i] for i in chosen], fitted.vectors[chosen])
    return Scale(len(fitted.vectors), *took, peak, off, placing)


def embed_sample(n: int, landmarks: int, threads: int, seed: int) -> Scale:
    """Measure sampling, hashing, de-duplicating and embedding FlexiBERT 2.0 by landmarks."""
    from threadpoolctl import threadpool_limits

    space = load_space("flexibert-2")
    with threadpool_limits(1):
        begin, cpu = perf_counter(), process_time()
        found = embed_stream(space, n, 16, landmarks=landmarks, seed=seed, threads=threads)
        took = perf_counter() - begin, process_time() - cpu
        peak = _peak()
        placing = _placing(found, space, seed)
        last = range(max(n - NEW, 0), n)
        off = _stress([found.architecture(i) for i in last], found.vectors[-len(last) :])
    return Scale(n, *took, peak, off, placing)


def _placing(fitted: Embedding | StreamedEmbedding, space: Space, seed: int) -> Placing:
    new = space.sample(NEW, seed + 1)
    fitted.transform(new[:1])
    fitted.nearest(fitted.vectors[:1])
    begin = perf_counter()
    points = fitted.transform(new)
    batch = (perf_counter() - begin) / len(new)
    single, nearest = [], []
    for architecture, point in zip(new[:CALLS], points, strict=False):
        begin = perf_counter()
        fitted.transform([architecture])
        single.append(perf_counter() - begin)
        begin = perf_counter()
        fitted.nearest(point)
        nearest.append(perf_counter() - begin)
    return Placing(*(1e3 * seconds for seconds in (batch, median(single), median(nearest))))


def _stress(architectures: list, vectors: np.ndarray) -> float:
    from search_spaces import pairwise_distances

    return stress(vectors.astype(float), pairwise_distances(architectures))


def _peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
