"""What an encoder is built from, as a configuration of `transformers`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PretrainedConfig

from nas.models.coupling import couple
from nas.models.encoder import Encoder
from search_spaces.kinds import SLOTS
from search_spaces.parts import Part, read_kind


class FlexiBertConfig(PretrainedConfig):
    """Everything that is needed to build an encoder, as JSON types.

    Args:
        layers: One dictionary per layer: `width`, `heads` (texts such as "sa_sdp_64", one for each
            head), `feedforward` (widths of the inner layers) and, where they are not the usual
            ones, `parts`: slot to the text of what stands there, such as "glu(activation=silu)".
        vocab_size: Number of token ids.
        max_position_embeddings: Longest sequence, in tokens.
        type_vocab_size: Number of token types.
        positions: "absolute", "relative" or another kind of positions.
        parts: What stands in the slots of the whole model where it is not the usual, as in a layer.
        pooling: What stands for a sequence: its "first" token or the "mean" of its real ones.
        token_texts: How the tokenizer spells each token, for an embedding made of that.
        hidden_dropout_prob: Probability that a feature is zeroed in training.
        pad_token_id: Token id of padding.
        task_names: Tasks whose fine-tuned models lie in folders of these names beside the weights.
        task_name: Which of them `FlexiBertForSequenceClassification` opens; "" for the pre-trained
            encoder with a new head. None takes the first.
        coupling: What runs the layers otherwise than one after the other, such as
            "reversible(scale=0.1)"; None for nothing.
        kwargs: What every configuration of `transformers` has.
    """

    model_type = "flexibert"

    def __init__(
        self,
        layers: list[dict[str, Any]] | None = None,
        vocab_size: int = 30522,
        max_position_embeddings: int = 128,
        type_vocab_size: int = 2,
        positions: str = "absolute",
        hidden_dropout_prob: float = 0.1,
        pad_token_id: int = 0,
        task_names: list[str] | None = None,
        task_name: str | None = None,
        parts: dict[str, str] | None = None,
        pooling: str = "first",
        token_texts: list[str] | None = None,
        coupling: str | None = None,
        **kwargs: Any,
    ):
        # No layers: `transformers` builds an empty configuration to find out what is not default.
        self.layers = layers or [{"width": 128, "heads": ["sa_sdp_64"] * 2, "feedforward": [512]}]
        self.vocab_size = vocab_size
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.positions = positions
        self.hidden_dropout_prob = hidden_dropout_prob
        self.task_names = task_names or []
        self.task_name = task_name
        if parts:
            self.parts = dict(parts)
        if pooling != "first":
            self.pooling = pooling
        if token_texts is not None:
            self.token_texts = list(token_texts)
        if coupling is not None:
            self.coupling = coupling
        derived = {"hidden_size": self.layers[-1]["width"], "num_hidden_layers": len(self.layers)}
        super().__init__(pad_token_id=pad_token_id, **(kwargs | derived))

    @classmethod
    def from_architecture(
        cls,
        architecture: Any,
        vocabulary_size: int,
        *,
        max_length: int = 128,
        token_types: int = 2,
        positions: str = "absolute",
        dropout: float = 0.1,
        pad_id: int = 0,
        pooling: str = "first",
        texts: Sequence[str] | None = None,
    ) -> "FlexiBertConfig":
        """Describe `Encoder(architecture, vocabulary_size, ...)` of the same arguments."""
        more = {"parts": _texts(architecture.parts)} if architecture.parts else {}
        if texts is not None:
            more["token_texts"] = list(texts)
        return cls(
            layers=[
                {
                    "width": layer.width,
                    "heads": [str(head) for head in layer.heads],
                    "feedforward": list(layer.feedforward),
                }
                | ({"parts": _texts(layer.parts)} if layer.parts else {})
                for layer in architecture.layers
            ],
            vocab_size=vocabulary_size,
            max_position_embeddings=max_length,
            type_vocab_size=token_types,
            positions=positions,
            hidden_dropout_prob=dropout,
            pad_token_id=pad_id,
            pooling=pooling,
            **more,
        )

    def describe(self) -> "ConfiguredArchitecture":
        """Return the architecture, as the encoder reads it."""
        layers = tuple(
            ConfiguredLayer(
                layer["width"],
                tuple(ConfiguredHead.parse(text) for text in layer["heads"]),
                tuple(layer["feedforward"]),
                _read(layer.get("parts")),
            )
            for layer in self.layers
        )
        coupling = getattr(self, "coupling", None)
        return ConfiguredArchitecture(
            layers,
            _read(getattr(self, "parts", None)),
            None if coupling is None else Part.parse(coupling, "coupling"),
        )

    def build_encoder(self) -> Encoder:
        """Build the encoder this configuration describes, with new weights.

        Raises:
            UnknownName: If a part is of a kind that is not there.
        """
        described = self.describe()
        found = Encoder(
            described,
            self.vocab_size,
            max_length=self.max_position_embeddings,
            token_types=self.type_vocab_size,
            positions=self.positions,
            dropout=self.hidden_dropout_prob,
            pad_id=self.pad_token_id,
            pooling=getattr(self, "pooling", "first"),
            texts=getattr(self, "token_texts", None),
        )
        if described.coupling is not None:
            couple(found, described.coupling)
        return found


# An architecture as the encoder reads it. The classes of the search check more, and bring more
# along, than a file that stands alone should need.


@dataclass(frozen=True)
class ConfiguredHead:
    """One head of a configuration."""

    kind: str
    operation: str
    parameter: str | int
    width: int

    @classmethod
    def parse(cls, text: str) -> "ConfiguredHead":
        """Read a head such as "sa_sdp_64" or "longconv(filter=64)_64"."""
        kind, _, width = text.rpartition("_")
        return cls(kind, *read_kind(kind), int(width))


@dataclass(frozen=True)
class ConfiguredLayer:
    """One layer of a configuration."""

    width: int
    heads: tuple[ConfiguredHead, ...]
    feedforward: tuple[int, ...]
    parts: Mapping[str, Part]

    def part(self, slot: str) -> Part | None:
        """Return what stands in one of the layer's slots."""
        return self.parts.get(slot, SLOTS[slot].default_part)


@dataclass(frozen=True)
class ConfiguredArchitecture:
    """What a configuration describes."""

    layers: tuple[ConfiguredLayer, ...]
    parts: Mapping[str, Part]
    coupling: Part | None = None

    def part(self, slot: str) -> Part | None:
        """Return what stands in one of the model's slots; None where the recipe says."""
        return self.parts.get(slot, SLOTS[slot].default_part)


def _texts(parts: tuple[tuple[str, Part], ...]) -> dict[str, str]:
    return {slot: str(part) for slot, part in parts}


def _read(texts: Mapping[str, str] | None) -> dict[str, Part]:
    return {slot: Part.parse(text, slot) for slot, text in (texts or {}).items()}
