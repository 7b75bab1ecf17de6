"""What the parts of a checkpoint's layers are worth and take, measured one by one before a search.

Of each layer, how far the last hidden states move when it alone keeps so many heads or neurons, or
has another mixer, or goes; and how long heads and feed-forwards of each size run. Sums over the
layers of a cut are a prior of its score and its latency, and `nas.teachers.first_cuts` begins with
what they favour. They are scores before anything has learned: rankings turn over with
distillation, so that they are a prior and never a result.

Source: Bercovich et al., "Puzzle: Distillation-Based NAS for Inference-Optimized LLMs", ICML 2025
(block by block scores, a search by their sums); Cai, Zhu and Han, "ProxylessNAS", ICLR 2019 (a
table of latencies).
Differs on purpose: of other mixers, the map after them is fitted by regression alone; layers go in
the order of `nas.teachers.layer_choice`; the policy learns what sums do not say.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.data.batches import Batch
from nas.models.blocks import Inside, make_block
from nas.models.encoder import Encoder
from nas.models.positions import make_positions
from nas.teachers.calibration import LayerWorth
from nas.teachers.extraction import extract
from nas.teachers.mimicry import regress
from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Layer, shared_head
from search_spaces.flexibert.space import FlexiBertSpace
from search_spaces.parts import Part
from surrogates.models.prior_mean import AdditivePrior, heads_text, inner_text

_SAMPLED = 200
_SECONDS = 0.05  # that one part is timed for


@dataclass(frozen=True)
class Measured:
    """What parts are worth and take.

    Attributes:
        score: As `surrogates.models.prior_mean.AdditivePrior` takes it: minus the squared error of
            the last states over their variance, larger is better.
        latency: The same in milliseconds.
    """

    score: dict[str, Any]
    latency: dict[str, Any]


@torch.inference_mode()
def measure_parts(
    encoder: Encoder,
    worth: Sequence[LayerWorth],
    chosen: Sequence[Sequence[int]],
    space: FlexiBertSpace,
    text: Sequence[Batch],
    *,
    length: int,
) -> Measured:
    """Measure everything that a space offers of each layer.

    Args:
        encoder: The whole one.
        worth: Of each of its layers.
        chosen: For each number of layers from one to all, which stay.
        space: Its cuts.
        text: A few batches.
        length: Tokens of the sequence that is timed.
    """
    encoder.eval()
    whole = encoder.architecture
    offered = _offered(space, whole)
    read = [encoder.states(b.tokens, b.keep, b.token_types) for b in text]
    lost: dict[str, list[dict[str, float]]] = {"heads": [], "feedforward": []}
    skipped = []
    for number, own in enumerate(whole.layers):
        skipped.append(_lost(encoder, number, None, read, text))
        heads, inner = {}, {}
        for layer in offered:
            child = Layer(own.width, own.heads, layer.feedforward, own.parts)
            if inner_text(child) not in inner:
                built = _built(encoder, worth, number, child, read, text)
                inner[inner_text(child)] = _lost(encoder, number, built, read, text)
            child = Layer(own.width, layer.heads, own.feedforward, own.parts)
            if heads_text(child) not in heads:
                built = _built(encoder, worth, number, child, read, text)
                heads[heads_text(child)] = _lost(encoder, number, built, read, text)
        lost["heads"].append({text: -value for text, value in heads.items()})
        lost["feedforward"].append({text: -value for text, value in inner.items()})
    layers = {str(len(kept)): list(kept) for kept in chosen}
    without = {
        str(len(kept)): -sum(skipped[n] for n in range(len(skipped)) if n not in kept)
        for kept in chosen
    }
    times = _times(encoder, offered, length)
    taken = {key: [dict(times[key]) for _ in whole.layers] for key in ("heads", "feedforward")}
    common = {"layers": layers, "mean": 0.0, "deviation": 1.0}
    score = {**common, "base": 0.0, "without": without, **lost}
    latency = {**common, "base": times["rest"], "without": {}, **taken}
    sample = space.sample(min(_SAMPLED, space.size), seed=0)
    return Measured(_scaled(score, sample), _scaled(latency, sample))


def _scaled(table: dict[str, Any], sample: Sequence[Architecture]) -> dict[str, Any]:
    prior = AdditivePrior(table)
    values = [prior.raw(one) for one in sample]
    return {**table, "mean": float(np.mean(values)), "deviation": float(np.std(values)) or 1.0}


def _offered(space: FlexiBertSpace, whole: Architecture) -> list[Layer]:
    """Return layers that together have all heads and all inner widths that a space offers."""
    definition, own = space.definition, whole.layers[-1]
    width = own.heads[0].width
    heads = [
        (shared_head(*kind, width),) * count
        for kind in definition.kinds
        for count in definition.heads
    ]
    inner = [(width,) for width in definition.feedforward_widths]
    return [
        Layer(own.width, heads[i % len(heads)], inner[i % len(inner)], own.parts)
        for i in range(max(len(heads), len(inner)))
    ]


def _built(
    encoder: Encoder,
    worth: Sequence[LayerWorth],
    number: int,
    layer: Layer,
    read: Sequence[Sequence[Tensor]],
    text: Sequence[Batch],
) -> torch.nn.Module:
    """Return one layer of a cut, its map fitted where its mixer is none of the teacher's."""
    own = encoder.layers[number]
    child = Architecture([layer], parts=encoder.architecture.parts)
    weights = {
        f"layers.{number}.{name}": value.detach() for name, value in own.state_dict().items()
    }
    found = extract(child, weights, worth, [number])
    places = make_positions(child.part("positions") or Part("absolute"), encoder.max_length)
    inside = Inside(places, child.part("norm"), child.part("projection"), 0.0)
    with torch.random.fork_rng(devices=[]):
        block = make_block(layer, layer.width, inside).eval()
    block.load_state_dict({n.removeprefix("layers.0."): v for n, v in found.items()})
    known = {head.kind for of in encoder.architecture.layers for head in of.heads}
    if layer.heads[0].kind not in known:
        regress(block, own, [(of[number], b.keep) for of, b in zip(read, text, strict=True)])
    return block


def _lost(
    encoder: Encoder,
    number: int,
    layer: torch.nn.Module | None,
    read: Sequence[Sequence[Tensor]],
    text: Sequence[Batch],
) -> float:
    """Return how far the last states move, as a share of their variance; None is no layer."""
    end = encoder.output_norm or torch.nn.Identity()
    error = spread = 0.0
    for states, batch in zip(read, text, strict=True):
        x = states[number] if layer is None else layer(states[number], batch.keep)
        for following in encoder.layers[number + 1 :]:
            x = following(x, batch.keep)
        mine, its = end(x)[batch.keep], states[-1][batch.keep]
        error += float((mine - its).square().sum())
        spread += float((its - its.mean(0)).square().sum())
    return error / max(spread, 1e-9)


def _times(encoder: Encoder, offered: Sequence[Layer], length: int) -> dict[str, Any]:
    """Return milliseconds of heads and of feed-forwards by their texts, and of the rest."""
    own = encoder.architecture.layers[-1]
    x = torch.randn(1, length, own.width, generator=torch.Generator().manual_seed(0))
    places = make_positions(encoder.architecture.part("positions") or Part("absolute"), length)
    inside = Inside(
        places, encoder.architecture.part("norm"), encoder.architecture.part("projection"), 0.0
    )

    def seconds(layer: Layer) -> float:
        with torch.random.fork_rng(devices=[]):
            block = make_block(layer, layer.width, inside).eval()
        return _median(lambda: block(x, None))

    least = min((layer.feedforward for layer in offered), key=sum)
    fewest = min((layer.heads for layer in offered), key=len)
    base = seconds(Layer(own.width, fewest, least, own.parts))
    heads, inner = {}, {}
    for layer in offered:
        if heads_text(layer) not in heads:
            # half of what the smallest layer takes counts for its heads, half for the rest
            whole = seconds(Layer(own.width, layer.heads, least, own.parts))
            heads[heads_text(layer)] = max(0.0, whole - base / 2) * 1e3
        if inner_text(layer) not in inner:
            whole = seconds(Layer(own.width, fewest, layer.feedforward, own.parts))
            inner[inner_text(layer)] = max(0.0, whole - base / 2) * 1e3
    tokens = torch.ones(1, length, dtype=torch.long)
    rest = _median(lambda: encoder.embeddings(tokens, None)) * 1e3
    return {"heads": heads, "feedforward": inner, "rest": rest}


def _median(run) -> float:
    times, end = [], time.perf_counter() + _SECONDS
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
