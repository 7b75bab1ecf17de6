"""The encoder with a head for where an answer stands, as a class of `transformers`."""

from typing import Any

from torch import Tensor, nn
from transformers.modeling_outputs import QuestionAnsweringModelOutput

from nas.models.dropout import Dropout
from nas.models.hf import FlexiBertForSequenceClassification
from nas.models.hf_base import as_asked
from nas.models.hf_config import FlexiBertConfig
from nas.models.hf_losses import span_loss


class FlexiBertForQuestionAnswering(FlexiBertForSequenceClassification):
    """An encoder with a head for where the answer starts and ends; it loads as the others do.

    The question is the first text. A long text is read in windows, each with the question before
    it; the first token of a window stands for no answer in it.
    """

    _keys_to_ignore_on_load_unexpected = [r"^mlm\.", r"^classifier\."]

    def __init__(self, config: FlexiBertConfig):
        super().__init__(config)
        del self.classifier  # of whole texts
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.qa_outputs = nn.Linear(config.hidden_size, 2)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        return_dict: bool | None = None,  # noqa: FBT001 - the signature `transformers` expects
        **kwargs: Any,
    ) -> QuestionAnsweringModelOutput | tuple[Tensor, ...]:
        """Logits of the first and the last token of the answer, `(batch, length)` each."""
        read = self.flexibert(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            inputs_embeds,
            return_dict=True,
            **kwargs,
        )
        logits = self.qa_outputs(self.dropout(read.last_hidden_state))
        start, end = logits.unbind(-1)
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = span_loss(start, end, start_positions, end_positions)
        output = QuestionAnsweringModelOutput(
            loss=loss,
            start_logits=start,
            end_logits=end,
            hidden_states=read.hidden_states,
            attentions=read.attentions,
        )
        return as_asked(output, return_dict, self.config)
