"""The encoder as Hugging Face `transformers` classes, so that any tool of that world can load it.

After `register_with_transformers()`, `AutoModel.from_pretrained(folder)` builds these classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import (
    BaseModelOutputWithPooling,
    MaskedLMOutput,
    SequenceClassifierOutput,
)

from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.models.initialisation import initialise
from nas.models.outputs import make_output
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
        hidden_dropout_prob: Probability that a feature is zeroed in training.
        pad_token_id: Token id of padding.
        task_names: Tasks whose fine-tuned models lie in folders of these names beside the weights.
        task_name: Which of them `FlexiBertForSequenceClassification` opens; "" for the pre-trained
            encoder with a new head. None takes the first.
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
    ) -> "FlexiBertConfig":
        """Describe `Encoder(architecture, vocabulary_size, ...)` of the same arguments."""
        more = {"parts": _texts(architecture.parts)} if architecture.parts else {}
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
        return ConfiguredArchitecture(layers, _read(getattr(self, "parts", None)))

    def build_encoder(self) -> Encoder:
        """Build the encoder this configuration describes, with new weights.

        Raises:
            UnknownName: If a part is of a kind that is not there.
        """
        return Encoder(
            self.describe(),
            self.vocab_size,
            max_length=self.max_position_embeddings,
            token_types=self.type_vocab_size,
            positions=self.positions,
            dropout=self.hidden_dropout_prob,
            pad_id=self.pad_token_id,
            pooling=getattr(self, "pooling", "first"),
        )


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

    def part(self, slot: str) -> Part | None:
        """Return what stands in one of the model's slots; None where the recipe says."""
        return self.parts.get(slot, SLOTS[slot].default_part)


def _texts(parts: tuple[tuple[str, Part], ...]) -> dict[str, str]:
    return {slot: str(part) for slot, part in parts}


def _read(texts: Mapping[str, str] | None) -> dict[str, Part]:
    return {slot: Part.parse(text, slot) for slot, text in (texts or {}).items()}


def _check_padding(attention_mask: Tensor | None) -> Tensor | None:
    """Attention mask of `transformers` (1 for real tokens) to the boolean mask of the encoder."""
    if attention_mask is None:
        return None
    keep = attention_mask.bool()
    if not torch.compiler.is_compiling() and bool((keep[:, 1:] & ~keep[:, :-1]).any()):
        raise ValueError(
            "attention_mask has a real token after padding. FlexiBERT reads sequences padded on "
            'the right: use a tokenizer with padding_side="right".'
        )
    return keep


class FlexiBertModel(PreTrainedModel):
    """An encoder and its pooler."""

    config_class = FlexiBertConfig
    base_model_prefix = "flexibert"
    _keys_to_ignore_on_load_unexpected = [r"^mlm\.", r"^classifier\."]

    def __init__(self, config: FlexiBertConfig):
        super().__init__(config)
        self.encoder = config.build_encoder()
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        initialise(module)

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.embeddings.tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.encoder.embeddings.tokens = value

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        return_dict: bool | None = None,  # noqa: FBT001 - the signature `transformers` expects
    ) -> BaseModelOutputWithPooling | tuple[Tensor, ...]:
        """Encode token ids.

        Args:
            input_ids: int64, `(batch, length)`.
            attention_mask: 1 for real tokens, which come first, `(batch, length)`.
            token_type_ids: int64, `(batch, length)`.
            return_dict: False for a tuple.

        Raises:
            ValueError: If a real token follows padding.
        """
        keep = _check_padding(attention_mask)
        hidden = self.encoder(input_ids, keep, token_type_ids)
        output = BaseModelOutputWithPooling(
            last_hidden_state=hidden, pooler_output=self.encoder.pool(hidden, keep)
        )
        return output.to_tuple() if return_dict is False else output


class FlexiBertForMaskedLM(PreTrainedModel):
    """An encoder with the head that predicts masked tokens."""

    config_class = FlexiBertConfig
    base_model_prefix = "flexibert"

    def __init__(self, config: FlexiBertConfig):
        super().__init__(config)
        self.flexibert = FlexiBertModel(config)
        self.mlm = make_output(self.flexibert.encoder)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        initialise(module)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,  # noqa: FBT001 - the signature `transformers` expects
    ) -> MaskedLMOutput | tuple[Tensor, ...]:
        """Logits `(batch, length, vocabulary)`; with labels, the mean loss where not -100."""
        hidden = self.flexibert(input_ids, attention_mask, token_type_ids).last_hidden_state
        logits = self.mlm(hidden)
        flat = logits.flatten(0, 1)
        loss = None if labels is None else F.cross_entropy(flat, labels.flatten())
        output = MaskedLMOutput(loss=loss, logits=logits)
        return output.to_tuple() if return_dict is False else output


# What says where a file of a repository comes from, as `from_pretrained` takes it.
_PLACE = ("cache_dir", "force_download", "local_files_only", "revision", "token")


class FlexiBertForSequenceClassification(PreTrainedModel):
    """An encoder with a head for classes (`num_labels` > 1) or for one number."""

    config_class = FlexiBertConfig
    base_model_prefix = "flexibert"
    _keys_to_ignore_on_load_unexpected = [r"^mlm\."]

    def __init__(self, config: FlexiBertConfig):
        super().__init__(config)
        self.flexibert = FlexiBertModel(config)
        self.classifier = ClassificationHead(
            config.hidden_size, config.num_labels, config.hidden_dropout_prob
        )
        self.post_init()

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: Any,
        *arguments: Any,
        config: Any = None,
        subfolder: str = "",
        task_name: str | None = None,
        **kwargs: Any,
    ) -> "FlexiBertForSequenceClassification":
        """Load one task's fine-tuned model from its folder, or from the folder above it.

        Above it lies the pre-trained encoder, which has no classifier of its own: there `task_name`
        says which task's folder is opened, as `FlexiBertConfig` describes. Asking for another
        number of labels than the first task has gives the pre-trained encoder and a new head.

        Raises:
            ValueError: The model was not fine-tuned on `task_name`.
        """
        place = {name: kwargs[name] for name in _PLACE if name in kwargs}
        if not isinstance(config, PretrainedConfig):
            path = config or pretrained_model_name_or_path
            config, kwargs = cls.config_class.from_pretrained(
                path, subfolder=subfolder, return_unused_kwargs=True, **kwargs
            )
            kwargs |= place
        names = getattr(config, "task_names", None)
        wanted = config.task_name if task_name is None else task_name
        if names and not subfolder and wanted != "":
            if wanted is not None and wanted not in names:
                raise ValueError(
                    f"This model was not fine-tuned on {wanted!r}. "
                    f"Choose task_name from {', '.join(names)}."
                )
            folder = wanted or names[0]
            found = cls.config_class.from_pretrained(
                pretrained_model_name_or_path, subfolder=folder, **place
            )
            if wanted is not None or found.num_labels == config.num_labels:
                config, subfolder = found, folder
        return super().from_pretrained(
            pretrained_model_name_or_path,
            *arguments,
            config=config,
            subfolder=subfolder,
            **kwargs,
        )

    def _init_weights(self, module: nn.Module) -> None:
        initialise(module)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,  # noqa: FBT001 - the signature `transformers` expects
    ) -> SequenceClassifierOutput | tuple[Tensor, ...]:
        """Logits `(batch, num_labels)`; with labels, cross entropy or mean squared error."""
        pooled = self.flexibert(input_ids, attention_mask, token_type_ids).pooler_output
        logits = self.classifier(pooled)
        loss = None
        if labels is not None and self.config.num_labels == 1:
            loss = F.mse_loss(logits.squeeze(-1), labels.to(logits.dtype))
        elif labels is not None:
            others = {"multi_label_classification": F.binary_cross_entropy_with_logits}
            loss = others.get(self.config.problem_type, F.cross_entropy)(logits, labels)
        output = SequenceClassifierOutput(loss=loss, logits=logits)
        return output.to_tuple() if return_dict is False else output


def register_with_transformers() -> None:
    """Let the `Auto` classes of `transformers` find these; calling it twice does no harm."""
    AutoConfig.register(FlexiBertConfig.model_type, FlexiBertConfig, exist_ok=True)
    for auto, model in (
        (AutoModel, FlexiBertModel),
        (AutoModelForMaskedLM, FlexiBertForMaskedLM),
        (AutoModelForSequenceClassification, FlexiBertForSequenceClassification),
    ):
        auto.register(FlexiBertConfig, model, exist_ok=True)
