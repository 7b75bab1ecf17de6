"""The encoder as Hugging Face `transformers` classes, so that any tool of that world can load it.

After `register_with_transformers()`, `AutoModel.from_pretrained(folder)` builds these classes.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
)
from transformers.modeling_outputs import MaskedLMOutput, SequenceClassifierOutput
from transformers.utils import logging

from nas.models.heads import ClassificationHead
from nas.models.hf_base import FlexiBertModel, FlexiBertPreTrainedModel, as_asked
from nas.models.hf_config import FlexiBertConfig
from nas.models.hf_losses import class_loss, text_loss
from nas.models.outputs import make_output

_log = logging.get_logger(__name__)


class FlexiBertForMaskedLM(FlexiBertPreTrainedModel):
    """An encoder with the head that predicts masked tokens."""

    _keys_to_ignore_on_load_unexpected = [r"^classifier\.", r"^qa_outputs\."]

    def __init__(self, config: FlexiBertConfig):
        super().__init__(config)
        self.flexibert = FlexiBertModel(config)
        self.mlm = make_output(self.flexibert.encoder)
        self.post_init()

    def get_output_embeddings(self) -> nn.Module | None:
        """Return what predicts tokens as a linear map; None where it is none.

        The map is made anew each time, of the model's own weight and bias.
        """
        decoder = getattr(self.mlm, "decoder", None)  # of an output with a table of its own
        if decoder is not None:
            return decoder if isinstance(decoder, nn.Module) else None
        tied = getattr(self.mlm, "tied_decoder", None)
        return tied() if tied is not None else None

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        """Take another map that predicts tokens.

        Raises:
            ValueError: If its weight is not the table of the tokens, to which ours is tied.
        """
        table = self.get_input_embeddings()
        tie = getattr(self.mlm, "tie", None)
        if tie is None:
            self.mlm.decoder = new_embeddings
            rows, bias = len(new_embeddings.weight), getattr(self.mlm, "bias", None)
            if bias is not None and len(bias) != rows:  # of new tokens it starts as zero
                kept = bias.detach()[:rows]
                longer = torch.cat([kept, kept.new_zeros(rows - len(kept))])
                self.mlm.bias = nn.Parameter(longer, requires_grad=bias.requires_grad)
        elif new_embeddings.weight is not table.weight:
            raise ValueError(
                "The output is tied to the table of the tokens: use set_input_embeddings or "
                "resize_token_embeddings, which change both."
            )
        else:
            tie(table)
            if getattr(new_embeddings, "bias", None) is not None:
                self.mlm.bias = new_embeddings.bias

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.flexibert.set_input_embeddings(value)
        self.tie_weights()

    def tie_weights(self, *arguments: Any, **kwargs: Any) -> None:
        """Let the head predict with the table that embeds tokens, where it is of that kind."""
        super().tie_weights(*arguments, **kwargs)
        tie = getattr(self.mlm, "tie", None)
        if tie is not None:
            tie(self.get_input_embeddings())

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,  # noqa: FBT001 - the signature `transformers` expects
        **kwargs: Any,
    ) -> MaskedLMOutput | tuple[Tensor, ...]:
        """Logits `(batch, length, vocabulary)`; with labels, the mean loss where not -100."""
        read = self.flexibert(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            inputs_embeds,
            return_dict=True,
            **kwargs,
        )
        logits = self.mlm(read.last_hidden_state)
        output = MaskedLMOutput(
            loss=None if labels is None else class_loss(logits, labels),
            logits=logits,
            hidden_states=read.hidden_states,
            attentions=read.attentions,
        )
        return as_asked(output, return_dict, self.config)


# What says where a file of a repository comes from, as `from_pretrained` takes it.
_PLACE = ("cache_dir", "force_download", "local_files_only", "revision", "token")


class FlexiBertForSequenceClassification(FlexiBertPreTrainedModel):
    """An encoder with a head for classes (`num_labels` > 1) or for one number."""

    _keys_to_ignore_on_load_unexpected = [r"^mlm\.", r"^qa_outputs\."]

    def __init__(self, config: FlexiBertConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
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
        says which task's folder is opened, as `FlexiBertConfig` describes; where nothing is asked,
        the first with a head of this class. Asking for another number of labels, or for other
        labels, gives the pre-trained encoder and a new head. A warning says which it is.

        Raises:
            ValueError: The model was not fine-tuned on `task_name`.
        """
        path = pretrained_model_name_or_path
        place = {name: kwargs[name] for name in _PLACE if name in kwargs}
        asked = any(name in kwargs for name in ("num_labels", "id2label", "label2id"))
        if not isinstance(config, PretrainedConfig):
            config, kwargs = cls.config_class.from_pretrained(
                config or path, subfolder=subfolder, return_unused_kwargs=True, **kwargs
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
            found = cls._task_config(path, names if wanted is None else [wanted], place)
            stored = cls.config_class.from_pretrained(path, **place)
            asked = asked or config.id2label != stored.id2label
            if found is None and wanted is not None:
                raise ValueError(
                    f"The model of {wanted!r} has no head of the class {cls.__name__}. Load it "
                    f"with AutoModelFor{cls.__name__.partition('For')[2]} of its own kind, or "
                    'give task_name="" for a new head.'
                )
            if found is not None and asked and not _same_labels(config, found):
                found = None
            if found is not None:
                config, subfolder = found, found.task_name
            if wanted is None:
                _say(cls.__name__, found, config, names)
        if names and not subfolder:
            config.task_names, config.problem_type = [], _asked_problem(config, path, cls, place)
        return super().from_pretrained(
            path, *arguments, config=config, subfolder=subfolder, **kwargs
        )

    @classmethod
    def _task_config(cls, path: Any, names: list[str], place: dict[str, Any]) -> Any:
        """The configuration of the first task whose head is of this class."""
        for name in names:
            found = cls.config_class.from_pretrained(path, subfolder=name, **place)
            if cls.__name__ in (found.architectures or [cls.__name__]):
                found.task_name = name
                return found
        return None

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,  # noqa: FBT001 - the signature `transformers` expects
        **kwargs: Any,
    ) -> SequenceClassifierOutput | tuple[Tensor, ...]:
        """Logits `(batch, num_labels)`; with labels, the loss of `config.problem_type`."""
        read = self.flexibert(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            inputs_embeds,
            return_dict=True,
            **kwargs,
        )
        logits = self.classifier(read.pooler_output)
        output = SequenceClassifierOutput(
            loss=None if labels is None else text_loss(logits, labels, self.config),
            logits=logits,
            hidden_states=read.hidden_states,
            attentions=read.attentions,
        )
        return as_asked(output, return_dict, self.config)


def _same_labels(asked: Any, found: Any) -> bool:
    """Whether labels that were asked for are those of a task; unnamed ones by their number."""
    if asked.num_labels != found.num_labels:
        return False
    unnamed = {number: f"LABEL_{number}" for number in range(asked.num_labels)}
    return asked.id2label in (unnamed, found.id2label)


def _asked_problem(config: Any, path: Any, cls: Any, place: dict[str, Any]) -> str | None:
    """The problem type of a new head: what was asked for, not that of the first task."""
    stored = cls.config_class.from_pretrained(path, **place).problem_type
    return None if config.problem_type == stored else config.problem_type


def _say(name: str, found: Any, config: Any, names: list[str]) -> None:
    choice = f"task_name chooses from {', '.join(names)}"
    if found is None:
        _log.warning(
            f"{name}: no fine-tuned model has these {config.num_labels} labels, so this is the "
            f"pre-trained encoder with a new head, to be trained. {choice}."
        )
    else:
        _log.warning(
            f"{name}: this is the model fine-tuned on {found.task_name}. {choice}; "
            'task_name="" gives the pre-trained encoder with a new head.'
        )


def register_with_transformers() -> None:
    """Let the `Auto` classes of `transformers` find these; calling it twice does no harm."""
    AutoConfig.register(FlexiBertConfig.model_type, FlexiBertConfig, exist_ok=True)
    for auto, model in (
        (AutoModel, FlexiBertModel),
        (AutoModelForMaskedLM, FlexiBertForMaskedLM),
        (AutoModelForSequenceClassification, FlexiBertForSequenceClassification),
    ):
        auto.register(FlexiBertConfig, model, exist_ok=True)
