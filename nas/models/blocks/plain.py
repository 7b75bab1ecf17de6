"""Mixed heads, then feed-forward: the layer of BERT, with heads of any kinds side by side.

Source: Devlin et al., "BERT", NAACL 2019; Tuli et al., "FlexiBERT: Are Current Transformer
Architectures too Homogeneous and Rigid?", JAIR 2023 (heads of several kinds in one layer).
Differs on purpose: heads of one kind run together as one mixer; padding influences nothing.
"""

from collections import Counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nas.models.blocks.base import BLOCKS, Inside
from nas.models.dropout import Dropout
from nas.models.feedforwards import feed, make_feedforward
from nas.models.mixers import make_mixer
from nas.models.norms import make_norm
from nas.models.projections import make_projection
from nas.models.residuals import make_residual

if TYPE_CHECKING:
    from search_spaces.architectures.layers import Layer


@BLOCKS.register("plain")
class EncoderLayer(nn.Module):
    """Mixed heads, then feed-forward, each with residual and norm; then a projection if asked.

    Args:
        layer: Width, heads, feed-forward widths and `part(slot)`.
        next_width: Width of the next layer; a projection follows where it differs.
        inside: What all layers have in common.
        bias: "none" for a map after the heads that has no bias.
    """

    def __init__(self, layer: "Layer", next_width: int, inside: Inside, bias: str = "learned"):
        super().__init__()
        distances = inside.positions.distances(layer.heads[0].width)
        relative = distances is not None
        groups = Counter((h.kind, h.operation, h.parameter, h.width) for h in layer.heads)
        self.mixers = nn.ModuleDict(
            {
                module_name(kind): make_mixer(
                    operation, parameter, layer.width, n, width, relative=relative
                )
                for (kind, operation, parameter, width), n in sorted(groups.items(), key=_kind)
            }
        )
        for mixer in self.mixers.values():
            mixer.read_positions(inside.positions)
        self.distances = distances
        attended = sum(h.width for h in layer.heads)
        self.mixed = nn.Linear(attended, layer.width, bias=bias == "learned")
        self.mixed_residual = make_residual(layer.part("residual"), layer.width)
        normed = self.mixed_residual.mixers_normed
        self.mixed_norm = make_norm(inside.norm, layer.width) if normed else nn.Identity()
        self.feedforward = make_feedforward(
            layer.part("feedforward"), layer.width, layer.feedforward
        )
        self.feedforward_norm = make_norm(inside.norm, layer.width)
        self.feedforward_residual = make_residual(layer.part("residual"), layer.width)
        self.dropout = Dropout(inside.dropout)
        self.projection = make_projection(inside.projection, layer.width, next_width)

    @property
    def normed(self) -> bool:
        """Whether what leaves it comes straight from a norm, unless it is projected."""
        return self.feedforward_residual.normed

    def forward(
        self,
        x: Tensor,
        keep: Tensor | None,
        at: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Map hidden states `(batch, length, width)` to `(batch, length, next_width)`.

        Args:
            x: Hidden states.
            keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
            at: Flattened places that are wanted, `(n,)`, for a result of `(n, next_width)`.
            rows: The encoder's table of distances, `(rows, width)`; None where it has none.
        """
        joined = self._joined(x, keep, rows)
        # unless the feed-forward reads sequences, all from here on is a function of each token
        whole = self.feedforward.reads == "sequence"
        if at is not None and not whole:
            x, joined = (part.flatten(0, 1).index_select(0, at) for part in (x, joined))
            keep = None  # nobody wants padding
        x = self.mixed_residual.after(x, self.dropout(self.mixed(joined)), self.mixed_norm)
        x = self.after_feedforward(x, keep)
        if at is not None and whole:
            x = x.flatten(0, 1).index_select(0, at)
        return x if self.projection is None else self.projection(x)

    def after_heads(self, x: Tensor, keep: Tensor | None, rows: Tensor | None = None) -> Tensor:
        """Return the hidden states `(batch, length, width)` between heads and feed-forward."""
        mixed = self.dropout(self.mixed(self._joined(x, keep, rows)))
        return self.mixed_residual.after(x, mixed, self.mixed_norm)

    def after_feedforward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """Return the hidden states after the feed-forward, of those before it, same shape."""
        read = self.feedforward_residual.before(x, self.feedforward_norm)
        fed = self.dropout(feed(self.feedforward, read, keep))
        return self.feedforward_residual.after(x, fed, self.feedforward_norm)

    def _joined(self, x: Tensor, keep: Tensor | None, rows: Tensor | None) -> Tensor:
        """Return the results of all heads side by side, `(batch, length, attended)`."""
        distances = None if self.distances is None else self.distances(x.shape[1])
        read = self.mixed_residual.before(x, self.mixed_norm)
        parts = [
            mixer(read, keep, distances)
            if rows is None or getattr(mixer, "buckets", None) is None
            else mixer(read, keep, distances, rows)
            for mixer in self.mixers.values()
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


def _kind(item: tuple[tuple[str, str, str | int, int], int]) -> str:
    return item[0][0]


def module_name(kind: str) -> str:
    """Return the name of the mixer of a kind of head among the modules of its layer.

    Letters, digits, "_" and "-" alone: "longconv(filter=32)" is "longconv--filter-32". torch
    separates modules by points, and other libraries read their names as patterns.
    """
    return kind.translate(
        {ord("("): "--", ord(","): "--", ord("="): "-", ord("."): "_", ord(")"): ""}
    )
