"""The cuts that a search begins with: those that measured parts favour at shares of the latency.

Source: Bercovich et al., "Puzzle: Distillation-Based NAS for Inference-Optimized LLMs", ICML 2025
(a knapsack over blocks).
Differs on purpose: by a price on time (Everett, "Generalized Lagrange Multiplier Method", Oper.
Res. 1963), which is exact up to what one layer can still be changed by.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nas.teachers.prior import Measured
from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Layer, shared_head
from search_spaces.flexibert.space import FlexiBertSpace
from surrogates.models.prior_mean import AdditivePrior, heads_text, inner_text

SHARES = (1 / 2, 1 / 4, 1 / 10)  # of the whole's latency
_BISECTIONS = 50


def first_cuts(
    measured: Measured, space: FlexiBertSpace, whole: Architecture
) -> list[Architecture]:
    """Return for each of some shares of the whole's latency the best cut by the sums.

    Args:
        measured: What the parts are worth and take.
        space: Where the cuts are from.
        whole: What they are cut out of.
    """
    score, latency = AdditivePrior(measured.score), AdditivePrior(measured.latency)
    depths = [n for n in space.definition.layers if str(n) in measured.score["layers"]]
    found: dict[Architecture, None] = {}
    for share in SHARES:
        most = share * latency.raw(whole)
        cuts = [best_of_depth(measured, space, whole, depth, most) for depth in depths]
        cuts = [cut for cut in cuts if cut is not None and cut in space]
        if cuts:
            found[max(cuts, key=score.raw)] = None
    return list(found)


def best_of_depth(
    measured: Measured, space: FlexiBertSpace, whole: Architecture, depth: int, most: float
) -> Architecture | None:
    """Return the cut of a depth that is worth most in at most so many milliseconds.

    Each layer takes what is worth most less a price on its time; the price is the lowest at which
    all together take no longer than allowed.

    Returns:
        The cut; None where even the fastest takes longer.
    """
    offered, places = _layers(space, whole), measured.score["layers"][str(depth)]
    worth, takes = (
        np.array([[_of(table, place, layer) for layer in offered] for place in places])
        for table in (measured.score, measured.latency)
    )
    allowed = most - measured.latency["base"]
    rows = np.arange(depth)
    picks = takes.argmin(1)
    if takes[rows, picks].sum() > allowed:
        return None
    low, high = 0.0, 1.0
    while _taken(worth, takes, high) > allowed and high < 1e12:
        high *= 4
    for _ in range(_BISECTIONS):
        price = (low + high) / 2
        low, high = (low, price) if _taken(worth, takes, price) <= allowed else (price, high)
    if _taken(worth, takes, 0.0) <= allowed:
        high = 0.0
    picks = (worth - high * takes).argmax(1)
    layers = [
        Layer(of.width, of.heads, of.feedforward, whole.layers[place].parts)
        for place, of in zip(places, (offered[i] for i in picks), strict=True)
    ]
    return Architecture(layers, parts=whole.parts)


def _taken(worth: np.ndarray, takes: np.ndarray, price: float) -> float:
    picks = (worth - price * takes).argmax(1)
    return float(takes[np.arange(len(picks)), picks].sum())


def _layers(space: FlexiBertSpace, whole: Architecture) -> list[Layer]:
    """Return every layer that a space offers."""
    definition, own = space.definition, whole.layers[-1]
    return [
        Layer(own.width, (shared_head(*kind, own.heads[0].width),) * count, (inner,), own.parts)
        for kind in definition.kinds
        for count in definition.heads
        for inner in definition.feedforward_widths
    ]


def _of(table: Mapping[str, Any], place: int, layer: Layer) -> float:
    return table["heads"][place][heads_text(layer)] + table["feedforward"][place][inner_text(layer)]
