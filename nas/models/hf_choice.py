"""The encoder with a number for each of several answers, as a class of `transformers`."""

from typing import Any

from torch import Tensor
from transformers.modeling_outputs import MultipleChoiceModelOutput

from nas.models.heads import ClassificationHead
from nas.models.hf import FlexiBertForSequenceClassification
from nas.models.hf_base import as_asked
from nas.models.hf_config import FlexiBertConfig
from nas.models.hf_losses import class_loss


class FlexiBertForMultipleChoice(FlexiBertForSequenceClassification):
    """An encoder whose head gives each answer one number; it loads as that of whole texts does.

    An answer is the second text, and what is asked the first: several texts of it are joined by
    line feeds.
    """

    def __init__(self, config: FlexiBertConfig):
        super().__init__(config)
        self.classifier = ClassificationHead(config.hidden_size, 1, config.hidden_dropout_prob)

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
    ) -> MultipleChoiceModelOutput | tuple[Tensor, ...]:
        """Inputs `(batch, choices, length)` to logits `(batch, choices)`; labels are choices."""
        given = input_ids if inputs_embeds is None else inputs_embeds
        if given is None or given.dim() < 3:
            shape = None if given is None else tuple(given.shape)
            raise ValueError(
                f"The inputs have the shape {shape}. For a choice they are (batch, choices, length)"
            )
        choices = given.shape[1]
        flat = [
            None if tensor is None or tensor.dim() < 3 else tensor.flatten(0, 1)
            for tensor in (input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds)
        ]
        read = self.flexibert(*flat, return_dict=True, **kwargs)
        logits = self.classifier(read.pooler_output).view(-1, choices)
        output = MultipleChoiceModelOutput(
            loss=None if labels is None else class_loss(logits, labels),
            logits=logits,
            hidden_states=read.hidden_states,
            attentions=read.attentions,
        )
        return as_asked(output, return_dict, self.config)
