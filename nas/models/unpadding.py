"""Batches without their padding: layers run on the real tokens alone, one after the other.

What reads single tokens reads them where they lie. What mixes tokens sees sequences of similar
length together, padded to the longest of these few.

Source: Portes et al., "MosaicBERT: A Bidirectional Encoder Optimized for Fast Pretraining", NeurIPS
2023 (padding is taken out before the layers and put back after).
Differs on purpose: instead of a kernel for sequences of any lengths, which CPUs have not, sequences
are sorted by length and mixed in runs; the code decides, by the share of padding.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from nas.models.mixers.base import Mixer

LEAST = 0.4  # share of padding from which on it is taken out; sorted batches, of trials, have less
ALIKE = 0.75  # the shortest sequence of a run, as a share of its longest
SLACK = 8  # tokens that it may be shorter, besides


class Run(NamedTuple):
    """Sequences of similar length, mixed together.

    Attributes:
        tokens: The first of its tokens and the one after its last.
        rows: How many sequences.
        length: Of the longest.
        keep: Boolean, `(rows, length)`; None where all are as long.
        places: Of its tokens in the flattened `(rows * length)`; None where all are as long.
    """

    tokens: tuple[int, int]
    rows: int
    length: int
    keep: Tensor | None
    places: Tensor | None

    def padded(self, x: Tensor) -> Tensor:
        """Return the run's tokens of `(tokens, features)` as `(rows, length, features)`."""
        own = x[slice(*self.tokens)]
        if self.places is not None:
            room = own.new_zeros(self.rows * self.length, own.shape[-1])
            own = room.index_copy(0, self.places, own)
        return own.unflatten(0, (self.rows, self.length))

    def unpadded(self, x: Tensor) -> Tensor:
        """Return the real tokens of `(rows, length, features)`, as `(tokens, features)`."""
        flat = x.flatten(0, 1)
        return flat if self.places is None else flat.index_select(0, self.places)


class RealTokens:
    """Where the real tokens of a padded batch stand: sequence by sequence, the longest first.

    Args:
        keep: Boolean, `(batch, length)`, False marks padding, which comes last; no sequence is
            empty.
    """

    def __init__(self, keep: Tensor):
        self.batch, self.length = keep.shape
        sizes, order = keep.sum(1).sort(descending=True, stable=True)
        column = torch.arange(self.length, device=keep.device)
        inside = column < sizes[:, None]
        self.places = (order[:, None] * self.length + column)[inside]
        self.runs = list(_runs(sizes.tolist(), inside))

    def taken(self, x: Tensor) -> Tensor:
        """Return the real tokens of `(batch, length, ...)`, as `(tokens, ...)`."""
        return x.flatten(0, 1).index_select(0, self.places)

    def put_back(self, x: Tensor) -> Tensor:
        """Return `(tokens, width)` as `(batch, length, width)`, zero at padding."""
        room = x.new_zeros(self.batch * self.length, x.shape[-1])
        return room.index_copy(0, self.places, x).unflatten(0, (self.batch, self.length))

    def numbers(self, at: Tensor) -> Tensor:
        """Return which real tokens stand at places of the flattened batch; any, at padding."""
        number = torch.zeros(self.batch * self.length, dtype=torch.int64, device=at.device)
        number[self.places] = torch.arange(len(self.places), device=at.device)
        return number[at]

    def mixed(
        self,
        mixer: "Mixer",
        maps: tuple[Tensor, ...],
        distances: Callable[[int], Tensor] | None,
        rows: Tensor | None,
        **more: bool,
    ) -> Tensor:
        """Return what a mixer makes of the real tokens, `(tokens, heads * head_width)`.

        Args:
            mixer: One that `unpads`.
            maps: What its `maps` gave, `(tokens, features)` each.
            distances: Gives vectors of distances for a length; None where there are none.
            rows: The encoder's table of distances for mixers that read it; None for the others.
            more: What `mix` is told besides.
        """
        found = []
        for run in self.runs:
            padded = tuple(run.padded(part) for part in maps)
            given = None if distances is None else distances(run.length)
            found.append(run.unpadded(mixer.mix(padded, run.keep, given, rows, **more)))
        return torch.cat(found)


def _runs(sizes: list[int], inside: Tensor):
    first, token = 0, 0
    while first < len(sizes):
        longest, end = sizes[first], first
        while end < len(sizes) and sizes[end] >= ALIKE * longest - SLACK:
            end += 1
        count = sum(sizes[first:end])
        keep = inside[first:end, :longest]
        padded = count < (end - first) * longest
        yield Run(
            (token, token + count),
            end - first,
            longest,
            keep if padded else None,
            keep.flatten().nonzero().flatten() if padded else None,
        )
        first, token = end, token + count


def real_tokens(keep: Tensor | None) -> RealTokens | None:
    """Return the real tokens of a batch where it pays to run layers on them alone, else None.

    It does on a CPU, where knowing how many there are waits for nothing, from some padding on.
    Graphs that are exported or compiled keep their padding: their shapes must not depend on it.

    Args:
        keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
    """
    if keep is None or keep.device.type != "cpu" or torch.compiler.is_compiling():
        return None
    if torch.jit.is_tracing() or int(keep.sum()) > (1 - LEAST) * keep.numel():
        return None
    return RealTokens(keep) if bool(keep.any(1).all()) else None
