"""Seconds and memory of an encoder on batches with padding, with and without taking it out."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from nas.benchmarks.mixers import HEAD_WIDTH, Pass, measured
from nas.models.encoder import Encoder
from nas.models.unpadding import real_tokens
from search_spaces import Architecture
from search_spaces.parts import read_kind

VOCABULARY = 1_000
PADDED, UNPADDED = "padded", "unpadded"  # where other passes have their slot


def padding_passes(
    kinds: Sequence[str],
    *,
    length: int,
    batch: int,
    width: int,
    repeats: int,
    device: torch.device,
) -> Iterator[Pass]:
    """Measure an encoder of two layers of each kind of head on sequences half of which is padding.

    Lengths are spread evenly from one token to `length`; both sides take turns. Ratios are those to
    the padded side. Kinds that do not allow it, and devices where nothing is taken out, are left
    out.

    Args:
        kinds: Such as "sa_sdp" and "hedgehog".
        length: Of the longest sequence, in tokens.
        batch: Sequences.
        width: Of the hidden states; heads are 64 wide.
        repeats: How often each side is timed.
        device: Where.
    """
    sizes = torch.from_numpy(np.linspace(1, length, batch).round().astype(np.int64))
    keep = (torch.arange(length) < sizes[:, None]).to(device)
    tokens = torch.randint(5, VOCABULARY, (batch, length)).to(device) * keep
    if real_tokens(keep) is None:
        return
    for kind in kinds:
        encoder = Encoder(_architecture(kind, width), VOCABULARY, max_length=length).to(device)
        if not encoder.unpads:
            continue
        weights = torch.randn(int(keep.sum()), width, device=device)
        calls = {  # states of all layers keep their padding
            PADDED: _step(lambda e=encoder: e.states(tokens, keep)[-1], keep, weights),
            UNPADDED: _step(lambda e=encoder: e(tokens, keep), keep, weights),
        }
        rows = measured("", calls, PADDED, length, repeats, device)
        for row in rows:
            yield Pass(row.kind, kind, length, row.seconds, row.peak_mb, row.ratio)


def _architecture(kind: str, width: int) -> Architecture:
    operation, parameter = read_kind(kind)
    return Architecture.from_dict(
        {
            "l": 2,
            "o": [operation] * 2,
            "h": [width] * 2,
            "n": [max(width // HEAD_WIDTH, 1)] * 2,
            "f": [[4 * width]] * 2,
            "p": [parameter] * 2,
        }
    )


def _step(states: Callable[[], Tensor], keep: Tensor, weights: Tensor) -> Callable[[int], None]:
    def run(_: int) -> None:
        (states()[keep] * weights).sum().backward()

    return run
