"""The encoder an architecture describes: embeddings, layers of mixed heads, projections, pooler.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023, sections on the design space.
Differs on purpose: heads of one kind run together as one mixer; padding influences nothing; no
parameter exists that cannot influence the output (the published models have some); the
masked-language head is tied to the token embedding.
"""

from collections import Counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nas.models.dropout import Dropout
from nas.models.feedforwards import FEEDFORWARDS
from nas.models.initialisation import initialise
from nas.models.mixers import make_mixer
from search_spaces.errors import InvalidData, UnknownName

if TYPE_CHECKING:
    from search_spaces.architectures.architecture import Architecture
    from search_spaces.architectures.layers import Layer

NORM_EPSILON = 1e-12
POSITIONS = ("absolute", "relative")


class Embeddings(nn.Module):
    """Sum of token, token type and, if absolute, position vectors; then norm and dropout."""

    def __init__(
        self,
        width: int,
        vocabulary_size: int,
        *,
        token_types: int,
        positions: int,
        dropout: float,
        pad_id: int,
    ):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary_size, width, padding_idx=pad_id)
        self.types = nn.Embedding(token_types, width)
        self.positions = nn.Embedding(positions, width) if positions else None
        self.norm = nn.LayerNorm(width, eps=NORM_EPSILON)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, token_types: Tensor | None) -> Tensor:
        """`(batch, length)` token ids, and token types or None for type 0, to hidden states."""
        shared = 0 if self.positions is None else self.positions.weight[: tokens.shape[1]]
        if token_types is None:
            shared = shared + self.types.weight[0]
        else:
            shared = shared + self.types(token_types)
        return self.dropout(self.norm(self.tokens(tokens) + shared))


class EncoderLayer(nn.Module):
    """Mixed heads, then feed-forward, each with residual and norm; then a projection if asked.

    Args:
        layer: Width, heads and feed-forward widths.
        next_width: Width of the next layer; a projection follows where it differs.
        distances: Longest sequence of relative positions; 0 for none.
        dropout: Probability that a feature of a block's output is zeroed in training.
    """

    def __init__(self, layer: "Layer", next_width: int, *, distances: int, dropout: float):
        super().__init__()
        groups = Counter((h.operation, h.parameter, h.width) for h in layer.heads)
        self.mixers = nn.ModuleDict(
            {
                f"{operation}_{parameter}": make_mixer(
                    operation, parameter, layer.width, n, width, relative=bool(distances)
                )
                for (operation, parameter, width), n in sorted(groups.items(), key=_kind)
            }
        )
        attended = sum(h.width for h in layer.heads)
        self.max_length = distances
        self.distances = None
        if distances:
            self.distances = nn.Embedding(2 * distances - 1, layer.heads[0].width)
        self.mixed = nn.Linear(attended, layer.width)
        self.mixed_norm = nn.LayerNorm(layer.width, eps=NORM_EPSILON)
        self.feedforward = FEEDFORWARDS["mlp"](layer.width, layer.feedforward)
        self.feedforward_norm = nn.LayerNorm(layer.width, eps=NORM_EPSILON)
        self.dropout = Dropout(dropout)
        self.projection = None
        if next_width != layer.width:
            self.projection = nn.Linear(layer.width, next_width)

    def forward(self, x: Tensor, keep: Tensor | None, at: Tensor | None = None) -> Tensor:
        """Map hidden states `(batch, length, width)` to `(batch, length, next_width)`.

        Args:
            x: Hidden states.
            keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
            at: Flattened places that are wanted, `(n,)`, for a result of `(n, next_width)`.
        """
        distances = None
        if self.distances is not None:
            first = self.max_length - x.shape[1]
            distances = self.distances.weight[first : first + 2 * x.shape[1] - 1]
        parts = [mixer(x, keep, distances) for mixer in self.mixers.values()]
        joined = parts[0] if len(parts) == 1 else torch.cat(parts, -1)
        if at is not None:  # everything from here on is the same function of each token
            x, joined = (part.flatten(0, 1).index_select(0, at) for part in (x, joined))
        x = self.mixed_norm(x + self.dropout(self.mixed(joined)))
        x = self.feedforward_norm(x + self.dropout(self.feedforward(x)))
        return x if self.projection is None else self.projection(x)


def _kind(item: tuple[tuple[str, str | int, int], int]) -> str:
    (operation, parameter, _), _ = item
    return f"{operation}_{parameter}"


class Encoder(nn.Module):
    """Any architecture of the space as a module, with exactly the parameters that are counted.

    Args:
        architecture: What to build; anything with `layers` like those of an `Architecture`.
        vocabulary_size: Number of token ids.
        max_length: Longest sequence, in tokens.
        token_types: Number of token types (segments).
        positions: "absolute": one learned vector per position; "relative": in every layer one
            learned vector per distance, shared by its heads.
        dropout: Probability that a feature is zeroed in training.
        pad_id: Token id of padding; what it is embedded as is not trained.
        checkpointing: Whether training keeps only what goes into each layer and computes the rest
            again for the gradients: about a third more time for a fraction of the memory.

    Raises:
        UnknownName: If `positions` or the kind of a head is unknown.
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
        checkpointing: bool = False,
    ):
        super().__init__()
        if positions not in POSITIONS:
            raise UnknownName("kind of positions", positions, POSITIONS)
        self.architecture, self.pad_id = architecture, pad_id
        self.vocabulary_size, self.max_length = vocabulary_size, max_length
        self.checkpointing = checkpointing
        widths = [layer.width for layer in architecture.layers]
        self.width = widths[-1]
        self.embeddings = Embeddings(
            widths[0],
            vocabulary_size,
            token_types=token_types,
            positions=max_length if positions == "absolute" else 0,
            dropout=dropout,
            pad_id=pad_id,
        )
        distances = max_length if positions == "relative" else 0
        self.layers = nn.ModuleList(
            EncoderLayer(layer, following, distances=distances, dropout=dropout)
            for layer, following in zip(architecture.layers, [*widths[1:], widths[-1]], strict=True)
        )
        self.pooler = nn.Linear(self.width, self.width)
        self.apply(initialise)

    def forward(
        self,
        tokens: Tensor,
        keep: Tensor | None = None,
        token_types: Tensor | None = None,
        at: Tensor | None = None,
    ) -> Tensor:
        """Encode sequences of token ids.

        Args:
            tokens: int64, `(batch, length)`.
            keep: Boolean, `(batch, length)`, True for real tokens, which come first; None where
                nothing is padded.
            token_types: int64, `(batch, length)`; None for type 0 everywhere.
            at: Places in the flattened `(batch * length)` whose hidden states are wanted, int64,
                `(n,)`. The last layer's feed-forward runs there alone, for the same result: of a
                small encoder that saves a fifth of a step.

        Returns:
            Hidden states, `(batch, length, width of the last layer)`, meaningless at padding; with
            `at`, `(n, width of the last layer)`.

        Raises:
            InvalidData: If a sequence is longer than `max_length`.
        """
        if tokens.shape[1] > self.max_length:
            raise InvalidData(
                f"A batch is {tokens.shape[1]} tokens long, and this encoder reads at most "
                f"{self.max_length}. Truncate the sequences, or build it with a larger max_length."
            )
        x = self.embeddings(tokens, token_types)
        kept_small = self.checkpointing and self.training and torch.is_grad_enabled()
        for layer in self.layers:
            wanted = at if layer is self.layers[-1] else None
            if kept_small:
                x = checkpoint(layer, x, keep, wanted, use_reentrant=False)
            else:
                x = layer(x, keep, wanted)
        return x

    def pooled(
        self, tokens: Tensor, keep: Tensor | None = None, token_types: Tensor | None = None
    ) -> Tensor:
        """`pool(forward(...))`, without the last layer's feed-forward where nobody looks."""
        batch, length = tokens.shape
        first = torch.arange(0, batch * length, length, device=tokens.device)
        return torch.tanh(self.pooler(self(tokens, keep, token_types, first)))

    def pool(self, hidden: Tensor) -> Tensor:
        """One vector per sequence: tanh of a linear map of the first token, `(batch, width)`."""
        return torch.tanh(self.pooler(hidden[:, 0]))
