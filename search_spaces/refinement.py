"""From coarse to fine: spaces of ever finer choices, and where to look first in the finer one.

Source: Tuli et al., "FlexiBERT", JAIR 2023 (hierarchical search: stacks of layers, then single
layers, then heterogeneous feed-forward, each around the best of the step before).
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, combinations

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidSpace
from search_spaces.flexibert.interpolation import Interpolation, interpolate
from search_spaces.flexibert.space import FlexiBertSpace
from search_spaces.library import list_spaces, load_space


def refine(space: FlexiBertSpace) -> FlexiBertSpace:
    """Return the next finer space, which holds every architecture of this one and more.

    First runs of half as many equal layers (of one, where that does not go), down to one; then a
    width of its own for every feed-forward map. A space that ships with the project keeps its name.

    Raises:
        InvalidSpace: If there is no finer one.
    """
    definition, finer = space.definition, []
    run = definition.layers_per_stack
    while run > 1:
        run = run // 2 if run % 2 == 0 else 1
        finer.append(({"layers_per_stack": run}, f"layers_per_stack={run}"))
    finer.append(({"feedforward": "heterogeneous"}, "feedforward=heterogeneous"))
    for changes, step in finer:
        changed = replace(definition, **changes, first=(), description="")
        refined = FlexiBertSpace(changed, f"{space.name}+{step}")
        if refined.size > space.size:
            known = [name for name in list_spaces() if load_space(name).definition == changed]
            refined.name = known[0] if known else refined.name
            return refined
    raise InvalidSpace(
        f"The space {space.name!r} cannot be refined: its layers and feed-forward maps are already "
        "chosen one by one. Add choices to its YAML file instead."
    )


def refined_candidates(
    best: Sequence[Architecture],
    neighbours: Sequence[Sequence[Architecture]],
    space: FlexiBertSpace,
    finer: FlexiBertSpace,
    n: int,
    seed: int = 0,
) -> list[Architecture]:
    """Return distinct architectures of the finer space around the best of the coarser one.

    They lie between the two of a pair: all pairs of the best, and each of the best with each of its
    neighbours. Every pair gives about as many; the best themselves, which are known, are left out.

    Args:
        best: The best architectures of the coarse space.
        neighbours: For each of the best its nearest ones, such as those of `Embedding.nearest`.
        space: The coarse space.
        finer: The fine one, such as `refine(space)`.
        n: How many; fewer are returned where fewer exist.
        seed: The same seed gives the same list.

    Raises:
        InvalidSpace: If an architecture is not in the coarse space, or there is not one list of
            neighbours for each of the best.
    """
    if len(best) != len(neighbours) or not best:
        raise InvalidSpace(
            f"Given {len(best)} best architectures and {len(neighbours)} lists of neighbours. Give "
            "at least one architecture and as many lists."
        )
    for architecture in chain(best, *neighbours):
        if architecture not in space:
            raise InvalidSpace(
                f"The architecture {architecture.describe()!r} is not in the coarse space "
                f"{space.name!r}. Give the best of a search of that space, and their neighbours."
            )
    near = ((a, b) for a, around in zip(best, neighbours, strict=True) for b in around)
    pairs = dict.fromkeys(tuple(sorted(p, key=_hash)) for p in chain(combinations(best, 2), near))
    between = [interpolate(a, b, finer) for a, b in pairs if a != b]
    if not between:
        between = [interpolate(a, a, finer) for a in best]
    return _in_turn(between, set(best), n, seed)


def _in_turn(
    between: list[Interpolation], known: set[Architecture], n: int, seed: int
) -> list[Architecture]:
    found: dict[Architecture, None] = {}
    seeds = np.random.default_rng(seed).integers(2**31, size=len(between)).tolist()
    share = -(-n // len(between))
    while True:
        drawn = [iter(x.sample(min(x.size, share), s)) for x, s in zip(between, seeds, strict=True)]
        while drawn and len(found) < n:
            for draws in list(drawn):
                # the next of this pair that no other pair gave
                new = next((a for a in draws if a not in found and a not in known), None)
                if new is None:
                    drawn.remove(draws)
                elif len(found) < n:
                    found[new] = None
        if len(found) >= n or share >= max(x.size for x in between):
            return list(found)
        share *= 2


def _hash(architecture: Architecture) -> str:
    return architecture.hash
