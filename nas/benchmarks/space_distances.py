"""One edit distance beside the first value networkx finds, on the same graphs and costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from statistics import median
from time import process_time

import numpy as np

from search_spaces import Architecture, graph_edit_distance, load_space, pairwise_distances
from search_spaces.distances.block_costs import BlockCosts
from search_spaces.distances.distance import LayerCosts
from search_spaces.distances.known_layers import KnownLayers
from search_spaces.distances.published_costs import EDGE, PublishedCosts

BATCH = 1_000  # architectures whose halves are measured from each other at once
REPEATS = 200


@dataclass(frozen=True)
class PairTimes:
    """CPU seconds of one distance, medians over pairs.

    Attributes:
        networkx: The first value of `networkx.optimize_graph_edit_distance`; the graphs are given.
        new: A single call that meets all layers for the first time.
        known: A single call with layers met before.
        batch: A pair among all between two halves of a sample.
        below: Share of pairs for which ours is at most what networkx found.
        search: A single call that also lets blocks change their order; 0 where it was not run.
        search_below: As `below`, for this one.
    """

    networkx: float
    new: float
    known: float
    batch: float
    below: float
    search: float = 0.0
    search_below: float = 0.0


def time_small_pairs(pairs: int, seed: int) -> dict[str, PairTimes]:
    """Return the times of pairs of 4 layers of the paper's space, by cost model."""
    space = load_space("flexibert-test")
    sample = space.sample(BATCH, seed, accept=lambda a: len(a) == 4)
    return _times(sample, pairs, PublishedCosts(), search=True)


def time_large_pairs(pairs: int, seed: int) -> dict[str, PairTimes]:
    """Return the times of pairs of 12 layers with 12 heads each of FlexiBERT 2.0."""
    space = load_space("flexibert-2")

    def largest(architecture: Architecture) -> bool:
        return [len(layer.heads) for layer in architecture.layers] == [12] * 12

    sample = space.sample(pairs + 1, seed, accept=largest) + space.sample(BATCH // 4, seed)
    return _times(sample, pairs, PublishedCosts(space.definition))


def _times(
    sample: Sequence[Architecture], pairs: int, published: PublishedCosts, *, search: bool = False
) -> dict[str, PairTimes]:
    chosen = list(pairwise(sample[: pairs + 1]))
    peers = [_networkx_first(a, b, published) for a, b in chosen]
    models: dict[str, LayerCosts] = {"published": published, "blocks": BlockCosts()}
    found = {}
    for name, model in models.items():
        # the paper's costs have a name, those with another space's blocks have none
        given = name if name == "blocks" or search else model
        values, new, known = zip(*(_single(a, b, model, given) for a, b in chosen), strict=True)
        halves = sample[::2], sample[1::2]
        # not counted: loading compiled code
        pairwise_distances(*(half[:1] for half in halves), model, dtype=np.float32)
        begin = process_time()
        pairwise_distances(*halves, model, dtype=np.float32)
        batch = (process_time() - begin) / (len(halves[0]) * len(halves[1]))
        found[name] = PairTimes(
            median(seconds for _, seconds in peers),
            median(new),
            median(known),
            batch,
            _share_below(values, peers),
        )
    if search:
        values, seconds = zip(*(_searched(a, b, published) for a, b in chosen), strict=True)
        found["published"] = replace(
            found["published"], search=median(seconds), search_below=_share_below(values, peers)
        )
    return found


def _share_below(values: Sequence[float], peers: Sequence[tuple[float, float]]) -> float:
    pairs = zip(values, peers, strict=True)
    return float(np.mean([value <= peer + 1e-9 for value, (peer, _) in pairs]))


def _searched(a: Architecture, b: Architecture, costs: PublishedCosts) -> tuple[float, float]:
    begin = process_time()
    return graph_edit_distance(a, b, costs), process_time() - begin


def _single(
    a: Architecture, b: Architecture, model: LayerCosts, name: str | LayerCosts
) -> tuple[float, float, float]:
    costs = KnownLayers(model.steps)
    # not counted: loading compiled code, and hashing, as making graphs is not for networkx
    KnownLayers(model.steps).distance(a, b, a.hash, b.hash)
    new = _seconds(lambda: costs.distance(a, b, a.hash, b.hash), 1)
    value = graph_edit_distance(a, b, name, method="ordered")
    known = _seconds(partial(graph_edit_distance, a, b, name, method="ordered"), REPEATS)
    return value, new, known


def _seconds(call: Callable[[], object], repeats: int) -> float:
    begin = process_time()
    for _ in range(repeats):
        call()
    return (process_time() - begin) / repeats


def _networkx_first(a: Architecture, b: Architecture, costs: PublishedCosts) -> tuple[float, float]:
    import networkx

    graphs = []
    for architecture in (a, b):
        graph = architecture.graph()
        positions = costs.block_positions(architecture.layers)
        networkx.set_node_attributes(graph, dict(enumerate(positions)), "position")
        graphs.append(graph)
    begin = process_time()
    value = next(
        networkx.optimize_graph_edit_distance(
            *graphs,
            node_subst_cost=lambda x, y: abs(x["position"] - y["position"]),
            node_del_cost=lambda x: x["position"],
            node_ins_cost=lambda x: x["position"],
            edge_del_cost=lambda x: EDGE,
            edge_ins_cost=lambda x: EDGE,
        )
    )
    return value, process_time() - begin
