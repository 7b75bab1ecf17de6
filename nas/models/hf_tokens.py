"""The encoder with a head for each token, as a class of `transformers`.

A module of its own: only folders with a task of words carry it.
"""

from torch import Tensor
from torch.nn import functional as F
from transformers.modeling_outputs import TokenClassifierOutput

from nas.models.hf import FlexiBertForSequenceClassification


class FlexiBertForTokenClassification(FlexiBertForSequenceClassification):
    """An encoder with a head for the class of each token; it loads as that of whole texts does."""

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,  # noqa: FBT001 - the signature `transformers` expects
    ) -> TokenClassifierOutput | tuple[Tensor, ...]:
        """Logits `(batch, length, num_labels)`; with labels, the mean loss where not -100."""
        hidden = self.flexibert(input_ids, attention_mask, token_type_ids).last_hidden_state
        logits = self.classifier(hidden)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        output = TokenClassifierOutput(loss=loss, logits=logits)
        return output.to_tuple() if return_dict is False else output
