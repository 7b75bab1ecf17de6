"""Layers that are narrower inside than the hidden states they read and write, or wider.

A map and a norm bring hidden states of the layer's width to the inner one; heads and one or more
feed-forwards work there, and a last map brings the result back, where it joins what the layer was
given. Layers of one width can so be of very different sizes, and hidden states of a narrow and of
a wide encoder be compared layer by layer.

Source: Sun et al., "MobileBERT: a Compact Task-Agnostic BERT for Resource-Limited Devices", ACL
2020 (the bottleneck and, of its teacher IB-BERT, the inverted bottleneck).
Differs on purpose: heads of any kind may stand in it; where they read a bottleneck of their own,
only attention has values of the whole width, others read that bottleneck alone (our definition). A
table of distances passes the same bottleneck. The residual kind of the layer says how the whole
block joins the hidden states; inside, norms follow the sums, as published.
"""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from nas.models.blocks.base import BLOCKS, Inside
from nas.models.blocks.heads import all_can, join_mixers, make_mixers, only, reads_sequences
from nas.models.dropout import Dropout
from nas.models.feedforwards import FeedForward, feed, make_feedforward
from nas.models.norms import make_norm
from nas.models.projections import make_projection
from nas.models.residuals import make_residual
from nas.models.unpadding import RealTokens
from search_spaces.kinds import SLOTS, Block, Kind, LayerShape, LayerWidths
from search_spaces.parts import Part, Setting

if TYPE_CHECKING:
    from search_spaces.architectures.layers import Layer

INNER, INVERTED = 128, 1024
SETTINGS = {
    "inner": Setting(INNER, least=1, most=1_000_000, weight=0.02),
    "maps": Setting(4, least=1, most=64, weight=0.02),
    "reads": Setting("split", "name", ("split", "inner", "whole"), weight=0.01),
}


def _settings(part: Part) -> tuple[int, int, str]:
    """Return inner width, number of feed-forwards, and what heads read."""
    given = dict(part.settings)
    if part.kind == "inverted-bottleneck":
        return given.get("inner", INVERTED), 1, "whole"
    return tuple(given.get(name, setting.default) for name, setting in SETTINGS.items())


def _widths(width: int, part: Part) -> LayerWidths:
    inner, maps, reads = _settings(part)
    read = width if reads == "whole" else inner
    return LayerWidths(inner, read, width if reads == "split" else read, maps, sums=1)


def _parameters(shape: LayerShape, part: Part) -> int:
    inner, maps, reads = _settings(part)
    entries = 2 if reads == "split" else 1
    entry = (shape.width + 1) * inner + shape.inner_norm
    # norms after the heads and after each feed-forward; that of the last sum is the residual's
    return entries * entry + (1 + maps) * shape.inner_norm + (inner + 1) * shape.width


def _flops(shape: LayerShape, part: Part, length: int) -> int:
    inner, _, reads = _settings(part)
    passing = length * (3 if reads == "split" else 2) + shape.rows * (reads != "whole")
    return 2 * passing * shape.width * inner


def _shared(a: Part, b: Part) -> Part | None:
    """Layers whose heads read something else have other features inside, nothing in common."""
    if a.kind != b.kind:
        return None
    (inner, maps, reads), (other, fewer, others) = _settings(a), _settings(b)
    if reads != others:
        return None
    settings = {"inner": min(inner, other), "maps": min(maps, fewer), "reads": reads}
    kind = SLOTS["block"].kinds[a.kind]
    return kind.part({name: value for name, value in settings.items() if name in kind.settings})


def _kept(shape: LayerShape, part: Part) -> float:
    inner, maps, _ = _settings(part)
    return (2 + 2 * maps) * inner


REFUSES = {
    "finetuning": {
        "meft": "its adapters stand beside the one feed-forward of a layer, as wide as the layer"
    }
}


def _blocks(layer: "Layer", part: Part) -> list[Block]:
    return [Block(str(part), part.kind)]


SLOTS["block"].kinds.register("bottleneck")(
    Kind(
        "bottleneck",
        "narrow inside",
        SETTINGS,
        parameters=_parameters,
        flops=_flops,
        kept=_kept,
        shared=_shared,
        widths=_widths,
        blocks=_blocks,
        refuses=REFUSES,
    )
)
SLOTS["block"].kinds.register("inverted-bottleneck")(
    Kind(
        "inverted-bottleneck",
        "wide inside",
        {"inner": Setting(INVERTED, least=1, most=1_000_000, weight=0.02)},
        parameters=_parameters,
        flops=_flops,
        kept=_kept,
        shared=_shared,
        widths=_widths,
        blocks=_blocks,
        refuses=REFUSES,
    )
)


class Entry(nn.Module):
    """A map to the inner width, and a norm."""

    def __init__(self, width: int, inner: int, norm: Part):
        super().__init__()
        self.map = nn.Linear(width, inner)
        self.norm = make_norm(norm, inner)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.map(x))


class Stacked(nn.Module):
    """A feed-forward inside the block, its residual sum and the norm after it."""

    def __init__(self, layer: "Layer", inner: int, norm: Part):
        super().__init__()
        self.feedforward = make_feedforward(layer.part("feedforward"), inner, layer.feedforward)
        self.norm = make_norm(norm, inner)

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        return self.norm(x + feed(self.feedforward, x, keep))


@BLOCKS.register("bottleneck")
class Bottleneck(nn.Module):
    """Heads and feed-forwards in another width than the layer's; then a projection if asked.

    Args:
        layer: Width, heads, feed-forward widths and `part(slot)`.
        next_width: Width of the next layer; a projection follows where it differs.
        inside: What all layers have in common.
        inner: Width inside.
        maps: Feed-forwards, one after the other.
        reads: What heads read: "split" for a bottleneck that is theirs alone, and the whole width
            for the values of attention; "inner" for what the first residual sum inside adds to;
            "whole" for the hidden states as they are.
    """

    def __init__(
        self,
        layer: "Layer",
        next_width: int,
        inside: Inside,
        inner: int = INNER,
        maps: int = SETTINGS["maps"].default,
        reads: str = SETTINGS["reads"].default,
    ):
        super().__init__()
        width = layer.width
        self.reads = reads
        self.residual = make_residual(layer.part("residual"), width)
        normed = self.residual.mixers_normed
        self.output_norm = make_norm(inside.norm, width) if normed else nn.Identity()
        self.entry = Entry(width, inner, inside.norm)
        self.heads_entry = Entry(width, inner, inside.norm) if reads == "split" else None
        self.distances = inside.positions.distances(layer.heads[0].width)
        read, relative = width if reads == "whole" else inner, self.distances is not None
        self.mixers = make_mixers(layer, read, inside.positions, relative=relative)
        if reads == "split":
            for mixer in self.mixers.values():
                mixer.split_values(width)
        self.mixed = nn.Linear(sum(h.width for h in layer.heads), inner)
        self.mixed_norm = make_norm(inside.norm, inner)
        self.stacked = nn.ModuleList(Stacked(layer, inner, inside.norm) for _ in range(maps))
        self.output = nn.Linear(inner, width)
        self.dropout = Dropout(inside.dropout)
        self.projection = make_projection(inside.projection, width, next_width)

    @property
    def unpads(self) -> bool:
        """Whether it may be given the real tokens of a batch alone."""
        return all_can(self, "unpads")

    @property
    def causal(self) -> bool:
        """Whether tokens can be kept from seeing later ones."""
        return all_can(self, "causal")

    @property
    def normed(self) -> bool:
        """Whether what leaves it comes straight from a norm, unless it is projected."""
        return self.residual.normed

    @property
    def last_norm(self) -> nn.Module:
        """The norm of the last residual sum."""
        return self.output_norm

    @property
    def ends(self) -> list[nn.Module]:
        """The map whose result is added to what the layer is given."""
        return [self.output]

    @property
    def feedforwards(self) -> dict[str, FeedForward]:
        """Its feed-forward blocks, by their names among its modules."""
        return {f"stacked.{k}.feedforward": one.feedforward for k, one in enumerate(self.stacked)}

    @property
    def norms(self) -> dict[str, str]:
        """Its norms, by their names among its modules, and the axis each is over."""
        stacked = {f"stacked.{k}.norm": "narrow" for k in range(len(self.stacked))}
        entries = {f"{name}.norm": "narrow" for name in ("entry", "heads_entry")}
        return {"output_norm": "width", "mixed_norm": "narrow", **entries, **stacked}

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """What each axis of its own tensors is, heads, feed-forwards and norms left out."""
        entries = {
            f"{name}.map.{tensor}": words
            for name in ("entry", "heads_entry")
            for tensor, words in (("weight", ("narrow", "<width")), ("bias", ("narrow",)))
        }
        return entries | {
            "mixed.weight": ("narrow", "<joined"),
            "mixed.bias": ("narrow",),
            "output.weight": ("width", "<narrow"),
            "output.bias": ("width",),
        }

    def read(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what heads read of hidden states, and what values do where that is another."""
        whole = self.residual.before(x, self.output_norm)
        if self.heads_entry is not None:
            return self.heads_entry(whole), whole
        return (whole if self.reads == "whole" else self.entry(whole)), None

    def forward(
        self,
        x: Tensor,
        keep: Tensor | None,
        at: Tensor | None = None,
        rows: Tensor | None = None,
        real: RealTokens | None = None,
        **more: bool,
    ) -> Tensor:
        """Map hidden states `(batch, length, width)` to `(batch, length, next_width)`.

        All else is as `EncoderLayer.forward` takes and gives it.
        """
        whole = self.residual.before(x, self.output_norm)
        inner, read, values = self.entry(whole), whole, None
        if self.reads != "whole":
            read = inner
            entry = self.entry
            if self.heads_entry is not None:
                entry, read, values = self.heads_entry, self.heads_entry(whole), whole
            attending = any(getattr(m, "buckets", None) is not None for m in self.mixers.values())
            rows = entry(rows) if rows is not None and attending else None
        mixers, sequences = self.mixers.values(), reads_sequences(self)
        joined = join_mixers(mixers, read, keep, self.distances, rows, values, real=real, **more)
        if at is not None and not sequences:
            x, inner, joined = only(at, x, inner, joined)
            keep = real = None  # nobody wants padding
        inner = self.mixed_norm(inner + self.mixed(joined))
        for one in self.stacked:
            inner = one(inner, keep)
        x = self.residual.after(x, self.dropout(self.output(inner), real), self.output_norm)
        if at is not None and sequences:
            (x,) = only(at, x)
        return x if self.projection is None else self.projection(x)


@BLOCKS.register("inverted-bottleneck")
class InvertedBottleneck(Bottleneck):
    """One feed-forward in a larger width than the layer's; heads read the hidden states.

    Args:
        layer: Width, heads, feed-forward widths and `part(slot)`.
        next_width: Width of the next layer; a projection follows where it differs.
        inside: What all layers have in common.
        inner: Width inside.
    """

    def __init__(self, layer: "Layer", next_width: int, inside: Inside, inner: int = INVERTED):
        super().__init__(layer, next_width, inside, inner, 1, "whole")
