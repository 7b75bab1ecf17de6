"""Seconds of training, of inference and of mixed heads, always side by side."""

import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
import torch
from torch import nn

from nas.benchmarks.training_examples import LONGEST, VOCABULARY
from nas.benchmarks.training_sides import bert_of, bert_training, our_training
from nas.data.prepared import EncodedSplit
from nas.models.blocks import EncoderLayer, Inside
from nas.models.encoder import Encoder
from nas.models.positions import make_positions
from nas.training.device import autocast
from search_spaces import Architecture
from search_spaces.parts import Part

KINDS = ("sa_sdp", "sa_wma", "l_dct", "c_5")


def seconds_side_by_side(
    sides: Mapping[str, Callable[[int], object]], repeats: int, device: torch.device
) -> dict[str, float]:
    """Call each side in turn, `repeats` times after one warm-up; return each side's median.

    On a CPU these are CPU seconds of the process, on a GPU seconds until it has finished.

    Args:
        sides: Name to what is called with the number of the repeat.
        repeats: How often each is timed.
        device: Where the sides compute.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats + 1):
        for name, call in sides.items():
            begin = _now(device)
            call(repeat)
            if repeat:  # the first one warms up
                found[name].append(_now(device) - begin)
    return {name: median(times) for name, times in found.items()}


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


def training_seconds(
    architecture: Architecture,
    split: EncodedSplit,
    precision: str,
    repeats: int,
    device: torch.device,
) -> dict[str, float]:
    """Time a pass over `split`: "ours", "bert" with its fastest attention, "bert, torch's AdamW".

    Which attention is fastest for `transformers` is tried first, in a pass each.
    """
    attentions = {
        name: bert_training(architecture, precision, device, attention=name)
        for name in ("eager", "sdpa")
    }
    sides = {name: _passes(train, split) for name, train in attentions.items()}
    tried = seconds_side_by_side(sides, 1, device)
    fastest = min(tried, key=tried.__getitem__)
    plain = bert_training(architecture, precision, device, attention=fastest, fused=False)
    sides = {
        "ours": _passes(our_training(architecture, precision, device), split),
        "bert": _passes(attentions[fastest], split),
        "bert, torch's AdamW": _passes(plain, split),
    }
    return seconds_side_by_side(sides, repeats, device)


def _passes(
    train: Callable[[EncodedSplit, int], None], split: EncodedSplit
) -> Callable[[int], None]:
    return lambda repeat: train(split, repeat)


def latency_seconds(
    architecture: Architecture, length: int, calls: int, repeats: int, device: torch.device
) -> dict[str, float]:
    """Time `calls` forward passes of one sequence: "ours" and "bert" (its fused attention)."""
    ours = Encoder(architecture, VOCABULARY, max_length=LONGEST).to(device).eval()
    bert = bert_of(architecture).to(device).eval()
    tokens = torch.full((1, length), 7, device=device)

    def many(call: Callable[[], object]) -> Callable[[int], None]:
        def run(_: int) -> None:
            with torch.inference_mode():
                for _ in range(calls):
                    call()

        return run

    sides = {
        "ours": many(lambda: ours.pooled(tokens)),
        "bert": many(lambda: bert(input_ids=tokens)),
    }
    found = seconds_side_by_side(sides, repeats, device)
    return {name: seconds / calls for name, seconds in found.items()}


def mixed_head_seconds(
    width: int, heads: int, precision: str, repeats: int, device: torch.device
) -> dict[str, float]:
    """Time forward and backward of one layer: "mixed", and one of each kind of `KINDS`.

    Args:
        width: Of the layer; its feed-forward is four times as wide.
        heads: How many, a multiple of four; the mixed layer has as many of each kind.
        precision: "fp32" or "bf16".
        repeats: How often each is timed.
        device: Where.
    """
    each = heads // len(KINDS)
    mixtures = {"mixed": [kind for kind in KINDS for _ in range(each)]}
    mixtures |= {kind: [kind] * heads for kind in KINDS}
    # 24 tokens, as the examples of GLUE have on average
    x = torch.randn(32, 24, width, device=device, requires_grad=True)
    keep = torch.arange(24, device=device) < torch.arange(32, device=device)[:, None] % 12 + 13

    def pass_of(layer: nn.Module) -> Callable[[int], None]:
        def run(_: int) -> None:
            for _ in range(8):
                with autocast(precision, device):
                    out = layer(x, keep)
                out.float().sum().backward()

        return run

    sides = {
        name: pass_of(_layer(width, kinds).to(device).train()) for name, kinds in mixtures.items()
    }
    return seconds_side_by_side(sides, repeats, device)


def _layer(width: int, kinds: list[str]) -> EncoderLayer:
    heads = [f"{kind}_{width // len(kinds)}" for kind in kinds]
    described = {"l": 1, "o": [heads], "h": [width], "f": [[4 * width]]}
    layer = Architecture.from_dict(described).layers[0]
    inside = Inside(make_positions(Part("absolute"), 1), Part("layer"), Part("linear"), dropout=0.1)
    return EncoderLayer(layer, width, inside)


def mixed_ratio(seconds: Mapping[str, float]) -> float:
    """Return the time of the mixed layer over the mean of the pure ones."""
    return seconds["mixed"] / float(np.mean([seconds[kind] for kind in KINDS]))
