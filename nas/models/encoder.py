"""The encoder an architecture describes: embeddings, layers of mixed heads, projections, pooler.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023, sections on the design space.
Differs on purpose: heads of one kind run together as one mixer; padding influences nothing; no
parameter exists that cannot influence the output (the published models have some); the
masked-language head is tied to the token embedding.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nas.models.blocks import Inside, make_block
from nas.models.dropout import Dropout
from nas.models.embeddings import make_embedding
from nas.models.initialisation import initialise
from nas.models.norms import make_norm
from nas.models.positions import make_positions
from nas.models.unpadding import RealTokens, real_tokens
from search_spaces.errors import InvalidArchitecture, InvalidData, UnknownName
from search_spaces.parts import Part

if TYPE_CHECKING:
    from search_spaces.architectures.architecture import Architecture

POOLINGS = ("first", "mean")
EXTENDING = (
    "Truncate the texts (tokenizer(..., truncation=True), pipeline(..., truncation=True)), or "
    "lengthen the model with model.resize_position_embeddings(N) and train it on."
)


class Embeddings(nn.Module):
    """Sum of token, token type and, if there are any, position vectors; then norm and dropout.

    Args:
        tokens: What embeds token ids.
        positions: What gives the vectors of positions that are added; None for nothing.
        norm: The norm of the sum.
        width: Width of all vectors that are summed.
        token_types: Number of token types.
        dropout: Probability that a feature is zeroed in training.
    """

    def __init__(
        self,
        tokens: nn.Module,
        positions: nn.Module | None,
        norm: nn.Module,
        *,
        width: int,
        token_types: int,
        dropout: float,
    ):
        super().__init__()
        self.tokens = tokens
        self.types = nn.Embedding(token_types, width)
        self.positions = positions
        self.norm = norm
        self.dropout = Dropout(dropout)

    def forward(
        self,
        tokens: Tensor | None,
        token_types: Tensor | None,
        keep: Tensor | None = None,
        *,
        vectors: Tensor | None = None,
        places: Tensor | None = None,
    ) -> Tensor:
        """`(batch, length)` token ids, and token types or None for type 0, to hidden states.

        Args:
            tokens: Ids of tokens; None where there are `vectors`.
            token_types: int64, `(batch, length)`.
            keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
            vectors: What the tokens are embedded as, `(batch, length, width of the sum)`.
            places: Where each token stands, int64, `(batch, length)` or `(length,)`; None for one
                after the other.

        Raises:
            InvalidData: If `places` cannot be followed.
        """
        if vectors is None:
            given = (tokens, keep) if getattr(self.tokens, "reads_keep", False) else (tokens,)
            vectors = self.tokens(*given)
        shared = self._positions(vectors.shape[1], places)
        if token_types is None:
            shared = shared + self.types.weight[0]
        else:
            shared = shared + self.types(token_types)
        summed = self.dropout(self.norm(vectors + shared))
        widen = getattr(self.tokens, "widen", None)
        return summed if widen is None else widen(summed)

    def _positions(self, length: int, places: Tensor | None) -> Tensor | int:
        if places is None:
            return 0 if self.positions is None else self.positions(length)
        if self.positions is not None:
            rows = self.positions(getattr(self.positions, "num_embeddings", length))
            if int(places.min()) < 0 or int(places.max()) >= len(rows):
                raise InvalidData(
                    f"position_ids go from {int(places.min())} to {int(places.max())}, and this "
                    f"encoder knows 0 to {len(rows) - 1}. {EXTENDING}"
                )
            return rows[places]
        if not bool((places == torch.arange(length, device=places.device)).all()):
            raise InvalidData(
                "position_ids are not 0, 1, 2, …, and the layers of this encoder know tokens by "
                "their distance alone. Leave position_ids out."
            )
        return 0


class Encoder(nn.Module):
    """Any architecture of the space as a module, with exactly the parameters that are counted.

    Args:
        architecture: What to build; anything with the `layers` and the `part(slot)` of an
            `Architecture`.
        vocabulary_size: Number of token ids.
        max_length: Longest sequence, in tokens.
        token_types: Number of token types (segments).
        positions: A name in `nas.models.positions.POSITIONS`, for where the architecture does not
            say: "absolute" for one learned vector a position; "relative" for one a distance in
            every layer, shared by its heads.
        dropout: Probability that a feature is zeroed in training.
        pad_id: Token id of padding; what it is embedded as is not trained.
        pooling: What stands for a sequence: its "first" token, or the "mean" of its real ones.
        checkpointing: Whether training keeps only what goes into each layer and computes the rest
            again for the gradients: about a third more time for a fraction of the memory.
        texts: How the tokenizer spells each token, for embeddings that are made of that; None where
            nobody knows.

    Raises:
        UnknownName: If `positions`, `pooling`, the kind of a head or of another part is unknown.
    """

    def __init__(
        self,
        architecture: "Architecture",
        vocabulary_size: int,
        *,
        max_length: int = 128,
        token_types: int = 2,
        positions: str = "absolute",
        dropout: float = 0.1,
        pad_id: int = 0,
        pooling: str = "first",
        checkpointing: bool = False,
        texts: Sequence[str] | None = None,
    ):
        super().__init__()
        if pooling not in POOLINGS:
            raise UnknownName("pooling", pooling, POOLINGS)
        self.pooling = pooling
        self.architecture, self.pad_id = architecture, pad_id
        self.vocabulary_size, self.max_length = vocabulary_size, max_length
        self.checkpointing, self.positions = checkpointing, positions
        widths = [layer.width for layer in architecture.layers]
        self.width = widths[-1]
        places = make_positions(architecture.part("positions") or Part(positions), max_length)
        norm = architecture.part("norm")
        tokens = make_embedding(
            architecture.part("embedding"), vocabulary_size, widths[0], pad_id=pad_id, texts=texts
        )
        summed = getattr(tokens, "embedded", widths[0])
        self.embeddings = Embeddings(
            tokens,
            places.added(summed),
            make_norm(norm, summed) if getattr(tokens, "normed", True) else nn.Identity(),
            width=summed,
            token_types=token_types,
            dropout=dropout,
        )
        inside = Inside(places, norm, architecture.part("projection"), dropout)
        self.layers = nn.ModuleList(
            make_block(layer, following, inside, states=states)
            for states, (layer, following) in enumerate(
                zip(architecture.layers, [*widths[1:], widths[-1]], strict=True), 1
            )
        )
        # the last layer that reads more than the one before it wrote; -1 for none
        looking = [i for i, layer in enumerate(self.layers) if _looks_back(layer)]
        self._looking = looking[-1] if looking else -1
        read = any(getattr(module, "buckets", None) is not None for module in self.modules())
        # one table for all layers, where any head reads it
        self.distances = places.table(widths[0], norm) if read else None
        # where residual sums have no norm after them, the last of them gets one
        self.output_norm = None if self.layers[-1].normed else make_norm(norm, self.width)
        self.pooler = nn.Linear(self.width, self.width)
        # what runs the layers in place of one after the other, as `nas.models.reversible` does
        self.coupling: nn.Module | None = None
        self.apply(initialise)

    @property
    def texts(self) -> tuple[str, ...] | None:
        """How each token is spelt, where the embedding is made of that."""
        return getattr(self.embeddings.tokens, "texts", None)

    def forward(
        self,
        tokens: Tensor | None,
        keep: Tensor | None = None,
        token_types: Tensor | None = None,
        at: Tensor | None = None,
        *,
        embedded: Tensor | None = None,
        unpad: bool = True,
        causal: bool = False,
    ) -> Tensor:
        """Encode sequences of token ids.

        Args:
            tokens: int64, `(batch, length)`; not read where there is `embedded`.
            keep: Boolean, `(batch, length)`, True for real tokens, which come first; None where
                nothing is padded.
            token_types: int64, `(batch, length)`; None for type 0 everywhere.
            at: Places in the flattened `(batch * length)` whose hidden states are wanted, int64,
                `(n,)`. The last layer's feed-forward runs there alone, for the same result: of a
                small encoder that saves a fifth of a step.
            embedded: What `embeddings` gave, `(batch, length, width of the first layer)`.
            unpad: False where states at padding are looked at, or what layers do on the way.
            causal: Whether no token sees a later one, for an encoder that `can_be_causal`; heads
                with a causal mask of their own never do.

        Returns:
            Hidden states, `(batch, length, width of the last layer)`, meaningless at padding; with
            `at`, `(n, width of the last layer)`.

        Raises:
            InvalidData: If a sequence is longer than `max_length`.
            InvalidArchitecture: If it is to be causal and cannot.
        """
        if causal and not self.can_be_causal:
            raise InvalidArchitecture(
                "This encoder has parts in which tokens see later ones, and cannot be causal. "
                "Heads that can be are attention, sa and moe-attention."
            )
        real = real_tokens(keep) if unpad and self.unpads else None
        wanted = at if at is None or real is None else real.numbers(at)
        states = self._states(tokens, keep, token_types, wanted, embedded, real, causal=causal)
        for x in states:  # noqa: B007  the last one is wanted
            pass
        x = x if self.output_norm is None else self.output_norm(x)
        return x if at is not None or real is None else real.put_back(x)

    @property
    def can_be_causal(self) -> bool:
        """Whether all kinds in it can be kept from showing tokens later ones."""
        if self.coupling is not None or getattr(self.embeddings.tokens, "reads_keep", False):
            return False  # an embedding that reads other tokens
        return all(getattr(layer, "causal", False) for layer in self.layers)

    @property
    def unpads(self) -> bool:
        """Whether all kinds in it allow that layers run on the real tokens of a batch alone."""
        layers = all(getattr(layer, "unpads", False) for layer in self.layers)
        return layers and self.coupling is None

    def states(
        self,
        tokens: Tensor | None,
        keep: Tensor | None = None,
        token_types: Tensor | None = None,
        *,
        embedded: Tensor | None = None,
    ) -> list[Tensor]:
        """Return what each layer reads, and last what `forward` gives.

        One more than there are layers, `(batch, length, width)` each: the width is that of the
        layer that reads it.
        """
        found = list(self._states(tokens, keep, token_types, None, embedded))
        if self.output_norm is not None:
            found[-1] = self.output_norm(found[-1])
        return found

    def _states(
        self,
        tokens: Tensor | None,
        keep: Tensor | None,
        token_types: Tensor | None,
        at: Tensor | None,
        embedded: Tensor | None,
        real: RealTokens | None = None,
        *,
        causal: bool = False,
    ) -> Iterator[Tensor]:
        length = (tokens if embedded is None else embedded).shape[1]
        if length > self.max_length:
            raise InvalidData(
                f"A batch is {length} tokens long, and this encoder reads at most "
                f"{self.max_length}. {EXTENDING}"
            )
        x = self.embeddings(tokens, token_types, keep) if embedded is None else embedded
        if real is not None:
            x, keep = real.taken(x), None
        seen = [x]
        kept_small = self.checkpointing and self.training and torch.is_grad_enabled()
        rows = None if self.distances is None else self.distances()
        if self.coupling is not None:
            yield x
            yield from self.coupling(self.layers, x, keep, at, rows)
            return
        # blocks are told what is unusual alone
        more = {} if real is None else {"real": real}
        if causal:
            more["causal"] = True
        for i, layer in enumerate(self.layers):
            if i <= self._looking:
                x = layer.residual.mix(seen) if _looks_back(layer) else x
            yield x
            wanted = at if layer is self.layers[-1] else None
            given = (x, keep, wanted) if rows is None else (x, keep, wanted, rows)
            if kept_small:
                x = checkpoint(layer, *given, use_reentrant=False, **more)
            else:
                x = layer(*given, **more)
            if rows is not None and layer.projection is not None:
                rows = layer.projection(rows)
            if i < self._looking:
                if layer.projection is not None:
                    seen = [layer.projection(state) for state in seen]
                seen.append(x)
        yield x

    def pooled(
        self, tokens: Tensor, keep: Tensor | None = None, token_types: Tensor | None = None
    ) -> Tensor:
        """`pool(forward(...), keep)`, without the last feed-forward where nobody looks."""
        if self.pooling == "mean":
            return self.pool(self(tokens, keep, token_types), keep)
        batch, length = tokens.shape
        first = torch.arange(0, batch * length, length, device=tokens.device)
        return torch.tanh(self.pooler(self(tokens, keep, token_types, first)))

    def pool(self, hidden: Tensor, keep: Tensor | None = None) -> Tensor:
        """One vector per sequence: tanh of a linear map of its first token or its mean.

        Args:
            hidden: Hidden states, `(batch, length, width)`.
            keep: Boolean, `(batch, length)`, True for real tokens; None where nothing is padded.

        Returns:
            `(batch, width)`.
        """
        if self.pooling == "first":
            return torch.tanh(self.pooler(hidden[:, 0]))
        if keep is None:
            return torch.tanh(self.pooler(hidden.mean(1)))
        real = keep[:, :, None].to(hidden.dtype)
        # one at least: an empty sequence must not give NaN
        mean = (hidden * real).sum(1) / real.sum(1).clamp(min=1.0)
        return torch.tanh(self.pooler(mean))


def _looks_back(layer: nn.Module) -> bool:
    """Whether a layer reads what all earlier ones wrote."""
    residual = getattr(layer, "residual", None)
    return residual is not None and residual.looks_back
