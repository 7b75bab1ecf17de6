"""Published edit distance without the order of layers: a search and an exact programme.

Any block may become any other, so this is a quadratic assignment of blocks. Exchanging a removal
and an insertion for a substitution never costs more here, so the smaller graph is padded with
blocks at position 0 without edges, and every block of one graph is matched with one of the other.

Source: Taillard, "Robust taboo search for the quadratic assignment problem", 1991 (the search);
Lerouge et al., "New binary linear programming formulation to compute the graph edit distance",
Pattern Recognition 2017 (the exact programme).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linear_sum_assignment, milp
from scipy.sparse import coo_array

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.graph import architecture_graph
from search_spaces.distances.published_costs import EDGE, PublishedCosts
from search_spaces.errors import UnknownName

DISTANCE_METHODS = ("best", "ordered", "search", "exact")
SMALL = 18  # most blocks of a graph for which "best" is exact: two layers of four heads
STARTS = (0.0, 0.01, 3.0)  # weight of the place in the network in the first matching
STEPS = 600


@dataclass(frozen=True)
class Blocks:
    """One graph as arrays: position and place (0 to 1) of each block, and 0/1 edges."""

    positions: np.ndarray
    places: np.ndarray
    edges: np.ndarray

    def padded(self, size: int) -> "Blocks":
        """Return the graph with blocks at position 0 and without edges up to `size`."""
        more = (0, size - len(self.positions))
        places = np.pad(self.places, more, constant_values=0.5)
        return Blocks(np.pad(self.positions, more), places, np.pad(self.edges, (more, more)))


def improve(
    a: Architecture, b: Architecture, costs: PublishedCosts, ordered: float, method: str
) -> float:
    """Return the published distance of two architectures, never above `ordered`.

    Args:
        a: One architecture.
        b: The other.
        costs: The published cost model.
        ordered: An upper bound.
        method: One of `DISTANCE_METHODS`, as in
            `search_spaces.distances.distance.graph_edit_distance`.

    Raises:
        UnknownName: If there is no such method.
    """
    if method not in DISTANCE_METHODS:
        raise UnknownName("edit distance method", method, DISTANCE_METHODS)
    if method == "ordered":
        return ordered
    first, second = _blocks(a, costs), _blocks(b, costs)
    size = max(len(first.positions), len(second.positions))
    if method == "exact" or (method == "best" and size <= SMALL):
        return min(ordered, exact_distance(first, second))
    return min(ordered, search_distance(first.padded(size), second.padded(size)))


def exact_distance(a: Blocks, b: Blocks) -> float:
    """Return the exact distance of two graphs by an integer programme."""
    edges = [np.argwhere(side.edges) for side in (a, b)]
    n, m, e, f = len(a.positions), len(b.positions), len(edges[0]), len(edges[1])
    # a match saves removal, insertion and their edges; variables: n*m matches, e*f kept edges
    together = a.positions[:, None] + b.positions[None]
    saving = together - np.abs(a.positions[:, None] - b.positions[None])
    gain = np.concatenate([saving.ravel(), np.full(e * f, 2 * EDGE)])
    matches, kept = np.arange(n * m).reshape(n, m), n * m + np.arange(e * f).reshape(e, f)
    once = [list(line) for line in (*matches, *matches.T)]
    rows, columns, values = [], [], []

    def require(line: int, variables: list[int], value: float) -> None:
        rows.extend([line] * len(variables))
        columns.extend(variables)
        values.extend([value] * len(variables))

    for line, variables in enumerate(once):
        require(line, variables, 1.0)
    # an edge is kept only where both of its ends are matched with the ends of one edge
    line = len(once)
    for i, ends in enumerate(edges[0]):
        for end in (0, 1):
            for k in range(m):
                touching = kept[i, edges[1][:, end] == k].tolist()
                if touching:
                    require(line, touching, 1.0)
                    require(line, [matches[ends[end], k]], -1.0)
                    line += 1
    limits = np.zeros(line)
    limits[: len(once)] = 1.0
    matrix = coo_array((values, (rows, columns)), shape=(line, len(gain))).tocsr()
    whole = np.concatenate([np.ones(n * m), np.zeros(e * f)])
    found = milp(-gain, integrality=whole, bounds=Bounds(0, 1),
                 constraints=LinearConstraint(matrix, -np.inf, limits))  # fmt: skip
    assert found.success, found.message
    return _rounded(a.positions.sum() + b.positions.sum() + EDGE * (e + f) + found.fun)


def search_distance(a: Blocks, b: Blocks) -> float:
    """Return an upper bound of the distance of two graphs of one size by taboo search."""
    node_costs = np.abs(a.positions[:, None] - b.positions[None])
    degrees = sum(np.abs(a.edges.sum(axis=i)[:, None] - b.edges.sum(axis=i)[None]) for i in (0, 1))
    apart = np.abs(a.places[:, None] - b.places[None])
    total = a.edges.sum() + b.edges.sum()
    best = np.inf
    for weight in STARTS:
        start = linear_sum_assignment(node_costs + EDGE * degrees + weight * apart)[1]
        best = min(best, _taboo(node_costs, a.edges, b.edges, start) + EDGE * total)
    return _rounded(best)


def _taboo(node_costs: np.ndarray, a: np.ndarray, b: np.ndarray, matching: np.ndarray) -> float:
    """Return the least node cost minus twice the kept edges' cost found by exchanging matches."""
    n = len(matching)
    rng = np.random.default_rng(0)
    allowed_from = np.zeros((n, n))  # (block, partner): first step at which it may come back
    matching = matching.copy()
    rows = np.arange(n)
    cost = node_costs[rows, matching].sum() - 2 * EDGE * (a * b[np.ix_(matching, matching)]).sum()
    best = cost
    for step in range(STEPS):
        change = _exchange_costs(node_costs[:, matching], a, b[np.ix_(matching, matching)])
        banned = allowed_from[:, matching] > step
        banned = banned & banned.T
        change = np.where(banned & (cost + change >= best - 1e-9), np.inf, change)
        r, s = divmod(int(change.argmin()), n)
        if not np.isfinite(change[r, s]):
            continue
        allowed_from[r, matching[r]] = step + rng.integers(n // 2, 2 * n)
        allowed_from[s, matching[s]] = step + rng.integers(n // 2, 2 * n)
        matching[[r, s]] = matching[[s, r]]
        cost += change[r, s]
        best = min(best, cost)
    return best


def _exchange_costs(node_costs: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    # [r, s]: what exchanging the partners of r and s adds; node_costs and b in matched order
    own = np.diag(node_costs)
    nodes = node_costs + node_costs.T - own[:, None] - own[None]
    out, into = a @ b.T, a.T @ b
    both = out + into
    ends = np.diag(both)
    kept = both + both.T - ends[:, None] - ends[None]
    same = a * b
    kept += 2 * (same + same.T) + (a - a.T) * (b.T - b)
    change = nodes - 2 * EDGE * kept
    np.fill_diagonal(change, np.inf)
    return change


def _blocks(architecture: Architecture, costs: PublishedCosts) -> Blocks:
    import networkx

    positions = np.array(costs.block_positions(architecture.layers), float)
    places = np.linspace(0, 1, len(positions))
    return Blocks(positions, places, networkx.to_numpy_array(architecture_graph(architecture)))


def _rounded(value: float) -> float:
    # costs are whole numbers of positions and tenths for edges
    return round(float(value), 6)
