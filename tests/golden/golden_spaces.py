"""What the shipped spaces and the published architectures come to: hashes, counts, digests."""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from golden_files import HERE, digest

from search_spaces import (
    Architecture,
    Embedding,
    FiniteSpace,
    count_flops,
    count_parameters,
    count_parameters_as_published,
    embed_stream,
    encode,
    graph_edit_distance,
    initial_design,
    interpolate,
    list_spaces,
    load_space,
    make_accept,
    named_architecture,
    pairwise_distances,
    refine,
    refined_candidates,
)
from search_spaces.errors import NasError

SPACES = (*list_spaces(), "mixed")
DESIGNS = ("latin-hypercube", "sobol", "maximin", "random")
ENCODINGS = ("features", "one-hot", "naive", "indices")
SIZES = {"vocabulary_size": 8_000, "max_length": 64}


@cache
def space_called(name: str):
    """Return a shipped space, or the one beside this file."""
    return load_space(HERE / "mixed.yaml" if name == "mixed" else name)


@cache
def sampled(name: str) -> list[Architecture]:
    """Return up to twenty architectures of a space."""
    space = space_called(name)
    return space.sample(min(20, space.size), seed=0)


def shorts(architectures) -> list[str]:
    """Return the short hashes of architectures, in order."""
    return [architecture.short for architecture in architectures]


def refusal(make: Callable[[], object]) -> object:
    """Return what is made, or the kind of error where it is refused."""
    try:
        return make()
    except NasError as error:
        return type(error).__name__


def numbers(array: np.ndarray) -> dict:
    """Return an array as its exact digest, and as two sums that rounding hardly moves."""
    array = np.asarray(array)
    flat = array.astype(float).ravel()
    slope = np.linspace(1, 2, len(flat))
    return {
        "shape": list(array.shape), "digest": digest(array),
        "sums": [float(np.abs(flat).sum()), float(flat @ slope)],
    }  # fmt: skip


def drawing(name: str) -> dict:
    """Samples, numbers, designs, and samples under a constraint."""
    space, found = space_called(name), sampled(name)
    middle = sorted(count_parameters(a, **SIZES) for a in found)[len(found) // 2]
    accept = make_accept(f"parameters<={middle}", **SIZES)
    few = min(6, space.size)
    return {
        "size": str(space.size),
        "samples": [shorts(space.sample(len(found), seed=seed)) for seed in (0, 1)],
        "indices": [str(space.index_of(a)) for a in found[:3]],
        "last": space.architecture_at(space.size - 1).hash,
        "accepted": refusal(lambda: shorts(space.sample(few // 2, seed=2, accept=accept))),
        "designs": {
            design: [shorts(initial_design(space, few, seed, design)) for seed in (0, 1)]
            for design in DESIGNS
        },
        "decisions": digest(list(space.decisions)),
    }


def moving(name: str) -> dict:
    """Neighbours, mutants and children, what lies between, what is finer, and a list as a space."""
    space, found = space_called(name), sampled(name)
    around = [shorts(space.neighbours(a)) for a in found[:3]]
    rng = np.random.default_rng(3)
    mutants = [refusal(lambda a=a: space.mutate(a, rng).short) for a in found[:10]]
    pairs = list(zip(found[:10], found[1:11], strict=False))
    children = [space.crossover(a, b, rng).short for a, b in pairs]
    listed = FiniteSpace(found, name="listed")
    return {
        "neighbours": [[len(n), digest(n), digest(sorted(n))] for n in around],
        "mutants": mutants,
        "children": children,
        "between": [refusal(lambda p=p: _between(*p, space)) for p in pairs[:3]],
        "finer": refusal(lambda: _finer(space, found)),
        "listed": {
            "sample": shorts(listed.sample(min(5, listed.size), seed=4)),
            "neighbours": digest([shorts(listed.neighbours(a)) for a in found]),
            "children": shorts(listed.crossover(a, b, rng) for a, b in pairs),
        },
    }


def _between(a: Architecture, b: Architecture, space) -> dict:
    between = interpolate(a, b, space)
    few = between.sample(min(5, between.size), seed=5)
    return {
        "size": str(between.size), "sample": shorts(few),
        "neighbours": digest(shorts(between.neighbours(few[0]))),
    }  # fmt: skip


def _finer(space, found: list[Architecture]) -> dict:
    finer = refine(space)
    best, near = found[:2], [found[2:4], found[4:6]]
    candidates = refined_candidates(best, near, space, finer, 6, seed=6)
    return {"name": finer.name, "size": str(finer.size), "candidates": shorts(candidates)}


def spelling(name: str) -> dict:
    """The canonical hash, the dictionary, the words and the graph of architectures."""
    found = sampled(name)[:10]
    return {
        "hashes": [a.hash for a in found[:3]],
        "dictionary": found[0].to_dict(),
        "dictionaries": digest([a.to_dict() for a in found]),
        "descriptions": [a.describe() for a in found[:3]],
        "described": digest([a.describe() for a in found]),
        "graphs": {s: digest([_graph(a, s) for a in found]) for s in ("heads", "norms-in-stack")},
        "parameters": [count_parameters(a, **SIZES) for a in found],
        "flops": [count_flops(a, length=32, vocabulary_size=8_000) for a in found],
    }


def _graph(architecture: Architecture, style: str) -> list:
    graph = architecture.graph(style)
    nodes = [[node, data["label"], data["published"]] for node, data in graph.nodes(data=True)]
    return [nodes, sorted(map(list, graph.edges))]


def vectors(name: str) -> dict:
    """Features and other encodings."""
    space, found = space_called(name), sampled(name)[:10]
    encoded = {
        encoding: refusal(lambda e=encoding: numbers(encode(found, e, space)))
        for encoding in ENCODINGS
    }
    alone = {e: refusal(lambda e=e: numbers(encode(found[:4], e))) for e in ENCODINGS[:3]}
    return {"of the space": encoded, "alone": alone, "features": numbers(space.features(found[0]))}


def distances(name: str) -> dict:
    """Distances of all pairs and of one, and how far apart embeddings put architectures."""
    found = sampled(name)[:10]
    return {
        "blocks": numbers(pairwise_distances(found)),
        "published": refusal(lambda: numbers(pairwise_distances(found, costs="published"))),
        "one": graph_edit_distance(found[0], found[1]),
        "ordered": refusal(
            lambda: graph_edit_distance(found[0], found[1], "published", method="ordered")
        ),
        "embedded": {
            distance: refusal(lambda d=distance: _lengths(Embedding(found, 4, distance=d).vectors))
            for distance in ("blocks", "published", "weisfeiler-lehman")
        },
    }


def streaming(name: str) -> list[float]:
    """How far apart an embedding puts architectures that are never built."""
    space = space_called(name)
    return _lengths(embed_stream(space, min(12, space.size), 3, landmarks=8).vectors)


def _lengths(points: np.ndarray) -> list[float]:
    # coordinates may change their sign, distances may not
    points = np.asarray(points, float)
    return [float(f"{np.linalg.norm(point - points[0]):.9g}") for point in points[1:]]


TOPICS = {f.__name__: f for f in (drawing, moving, spelling, vectors, distances, streaming)}


def entries() -> Iterator[tuple[str, str]]:
    """List space and topic of every entry."""
    for name in SPACES:
        for topic in TOPICS:
            yield name, topic


def published(name: str) -> dict:
    """Everything that is recorded of a published architecture."""
    architecture = named_architecture(name)
    counted = {}
    for positions in ("absolute", "relative"):
        for masked_lm in (False, True):
            how = {"positions": positions, "masked_lm": masked_lm}
            counted[f"{positions}{' with head' if masked_lm else ''}"] = [
                count_parameters(architecture, vocabulary_size=30_522, max_length=512, **how),
                count_flops(architecture, length=128, vocabulary_size=30_522, **how),
            ]
    return {
        "hash": architecture.hash,
        "description": architecture.describe(),
        "dictionary": digest(architecture.to_dict()),
        "graphs": [digest(_graph(architecture, s)) for s in ("heads", "norms-in-stack")],
        "parameters and FLOPs": counted,
        "as published": count_parameters_as_published(architecture),
        "features": numbers(encode([architecture], "features")),
    }
