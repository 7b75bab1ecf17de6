"""Mixed heads, then feed-forward: the layer of BERT, with heads of any kinds side by side.

Source: Devlin et al., "BERT", NAACL 2019; Tuli et al., "FlexiBERT: Are Current Transformer
Architectures too Homogeneous and Rigid?", JAIR 2023 (heads of several kinds in one layer).
Differs on purpose: padding influences nothing.
"""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from nas.models.blocks.base import BLOCKS, Inside
from nas.models.blocks.heads import all_can, join_mixers, make_mixers, only, reads_sequences
from nas.models.dropout import Dropout
from nas.models.feedforwards import FeedForward, feed, make_feedforward
from nas.models.norms import make_norm
from nas.models.projections import make_projection
from nas.models.residuals import Residual, make_residual
from nas.models.unpadding import RealTokens

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
        self.mixers = make_mixers(layer, layer.width, inside.positions, relative=relative)
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
        return self.feedforward_residual.normed

    @property
    def residual(self) -> Residual:
        """The residual connection that reads what comes into the layer."""
        return self.mixed_residual

    @property
    def last_norm(self) -> nn.Module:
        """The norm of the last residual sum."""
        return self.feedforward_norm

    @property
    def ends(self) -> list[nn.Module]:
        """The maps whose results are added to what the layer is given."""
        return [self.mixed, *filter(None, [getattr(self.feedforward, "output", None)])]

    @property
    def feedforwards(self) -> dict[str, FeedForward]:
        """Its feed-forward blocks, by their names among its modules."""
        return {"feedforward": self.feedforward}

    @property
    def norms(self) -> dict[str, str]:
        """Its norms, by their names among its modules, and the axis each is over."""
        return {"mixed_norm": "width", "feedforward_norm": "width"}

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """What each axis of its own tensors is, heads, feed-forwards and norms left out."""
        return {"mixed.weight": ("width", "<joined"), "mixed.bias": ("width",)}

    def read(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what heads read of hidden states, and what values do where that is another."""
        return self.mixed_residual.before(x, self.mixed_norm), None

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

        Args:
            x: Hidden states.
            keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
            at: Flattened places that are wanted, `(n,)`, for a result of `(n, next_width)`.
            rows: The encoder's table of distances, `(rows, width)`; None where it has none.
            real: Where `x` is the real tokens of a batch alone, `(tokens, width)`, as the result
                then is: where they stand. `keep` is None then, and `at` numbers real tokens.
            more: `causal=True` for tokens that see no later ones.
        """
        joined = self._joined(x, keep, rows, real, **more)
        # unless the feed-forward reads sequences, all from here on is a function of each token
        whole = reads_sequences(self)
        if at is not None and not whole:
            x, joined = only(at, x, joined)
            keep = real = None  # nobody wants padding
        mixed = self.dropout(self.mixed(joined), real)
        x = self.mixed_residual.after(x, mixed, self.mixed_norm)
        x = self.after_feedforward(x, keep, real)
        if at is not None and whole:
            (x,) = only(at, x)
        return x if self.projection is None else self.projection(x)

    def after_heads(self, x: Tensor, keep: Tensor | None, rows: Tensor | None = None) -> Tensor:
        """Return the hidden states `(batch, length, width)` between heads and feed-forward."""
        mixed = self.dropout(self.mixed(self._joined(x, keep, rows)))
        return self.mixed_residual.after(x, mixed, self.mixed_norm)

    def after_feedforward(
        self, x: Tensor, keep: Tensor | None, real: RealTokens | None = None
    ) -> Tensor:
        """Return the hidden states after the feed-forward, of those before it, same shape."""
        read = self.feedforward_residual.before(x, self.feedforward_norm)
        fed = self.dropout(feed(self.feedforward, read, keep), real)
        return self.feedforward_residual.after(x, fed, self.feedforward_norm)

    def _joined(
        self,
        x: Tensor,
        keep: Tensor | None,
        rows: Tensor | None,
        real: RealTokens | None = None,
        **more: bool,
    ) -> Tensor:
        """Return the results of all heads side by side, `(batch, length, attended)`."""
        read = self.mixed_residual.before(x, self.mixed_norm)
        mixers = self.mixers.values()
        return join_mixers(mixers, read, keep, self.distances, rows, real=real, **more)
