"""The encoder with a head for each token, as a class of `transformers`."""

from typing import Any

from torch import Tensor
from transformers.modeling_outputs import TokenClassifierOutput

from nas.models.hf import FlexiBertForSequenceClassification
from nas.models.hf_base import as_asked
from nas.models.hf_losses import class_loss


class FlexiBertForTokenClassification(FlexiBertForSequenceClassification):
    """An encoder with a head for the class of each token; it loads as that of whole texts does."""

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
    ) -> TokenClassifierOutput | tuple[Tensor, ...]:
        """Logits `(batch, length, num_labels)`; with labels, the mean loss where not -100."""
        read = self.flexibert(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            inputs_embeds,
            return_dict=True,
            **kwargs,
        )
        logits = self.classifier(read.last_hidden_state)
        output = TokenClassifierOutput(
            loss=None if labels is None else class_loss(logits, labels),
            logits=logits,
            hidden_states=read.hidden_states,
            attentions=read.attentions,
        )
        return as_asked(output, return_dict, self.config)
