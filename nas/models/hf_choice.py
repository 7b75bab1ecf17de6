"""The encoder with a number for each of several answers, as a class of `transformers`.

A module of its own: only folders with a task of choosing among answers carry it.
"""

from torch import Tensor
from torch.nn import functional as F
from transformers.modeling_outputs import MultipleChoiceModelOutput

from nas.models.heads import ClassificationHead
from nas.models.hf import FlexiBertConfig, FlexiBertForSequenceClassification


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
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,  # noqa: FBT001 - the signature `transformers` expects
    ) -> MultipleChoiceModelOutput | tuple[Tensor, ...]:
        """Ids `(batch, answers, length)` to logits `(batch, answers)`; with labels, the loss."""
        given = (input_ids, attention_mask, token_type_ids)
        flat = [None if tensor is None else tensor.flatten(0, 1) for tensor in given]
        logits = self.classifier(self.flexibert(*flat).pooler_output)
        logits = logits.view(input_ids.shape[0], input_ids.shape[1])
        loss = None if labels is None else F.cross_entropy(logits, labels)
        output = MultipleChoiceModelOutput(loss=loss, logits=logits)
        return output.to_tuple() if return_dict is False else output
