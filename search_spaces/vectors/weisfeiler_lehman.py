"""Weisfeiler-Lehman kernel and distance: graphs compared by the neighbourhoods they contain.

Source: Shervashidze et al., "Weisfeiler-Lehman Graph Kernels", JMLR 2011; here on directed graphs,
where what goes into a block and what comes out of it count separately.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.graph import architecture_graph

ROUNDS = 3


def weisfeiler_lehman_kernel(
    first: Sequence[Architecture],
    second: Sequence[Architecture] | None = None,
    rounds: int = ROUNDS,
) -> np.ndarray:
    """Return the normalised kernel, 1 for equal counts of all neighbourhoods and 0 for none shared.

    Args:
        first: Architectures, one for each row.
        second: Architectures, one for each column; by default `first`.
        rounds: Radius of the largest neighbourhoods compared, in edges.

    Returns:
        `(len(first), len(second))`.
    """
    if second is None:
        counts = _normalised(neighbourhood_counts(first, rounds))
        return (counts @ counts.T).toarray()
    counts = _normalised(neighbourhood_counts([*first, *second], rounds))
    return (counts[: len(first)] @ counts[len(first) :].T).toarray()


def weisfeiler_lehman_distances(
    first: Sequence[Architecture],
    second: Sequence[Architecture] | None = None,
    rounds: int = ROUNDS,
) -> np.ndarray:
    """Return the distance the kernel induces, `sqrt(2 - 2 * kernel)`: Euclidean, 0 to sqrt(2).

    Args:
        first: Architectures, one for each row.
        second: Architectures, one for each column; by default `first`.
        rounds: Radius of the largest neighbourhoods compared, in edges.

    Returns:
        `(len(first), len(second))`.
    """
    squared = 2 - 2 * weisfeiler_lehman_kernel(first, second, rounds)
    squared[squared < 1e-12] = 0.0  # rounding of equal graphs
    return np.sqrt(squared)


def neighbourhood_counts(
    architectures: Sequence[Architecture],
    rounds: int = ROUNDS,
    number: dict[object, int] | None = None,
) -> csr_array:
    """Return how often each neighbourhood occurs in each architecture's graph.

    Args:
        architectures: What to count in.
        rounds: Radius of the largest neighbourhoods counted, in edges.
        number: Neighbourhood to column, extended by new ones; give the same again to count more
            architectures in the same columns.

    Returns:
        `(architectures, columns)`; the kernel is the cosine of two rows.
    """
    number = {} if number is None else number
    rows, columns = [], []
    for row, architecture in enumerate(architectures):
        graph = architecture_graph(architecture)
        before = [list(graph.predecessors(node)) for node in graph]
        after = [list(graph.successors(node)) for node in graph]
        codes = [number.setdefault(label, len(number)) for _, label in graph.nodes(data="label")]
        columns += codes
        for step in range(rounds):
            signatures = [
                (step, codes[n], _sorted(codes, before[n]), _sorted(codes, after[n]))
                for n in range(len(codes))
            ]
            codes = [number.setdefault(signature, len(number)) for signature in signatures]
            columns += codes
        rows += [row] * (len(codes) * (rounds + 1))
    shape = (len(architectures), max(len(number), 1))
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def _sorted(codes: list[int], nodes: list[int]) -> tuple[int, ...]:
    return tuple(sorted(codes[node] for node in nodes))


def _normalised(counts: csr_array) -> csr_array:
    norms = np.sqrt(counts.multiply(counts).sum(axis=1))
    return counts.multiply(1 / norms[:, None]).tocsr()
