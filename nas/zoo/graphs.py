"""A model of the zoo as one graph of plain tensors in and out, for any batch and length."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nas.models.hf import FlexiBertForSequenceClassification
from nas.models.hf_choice import FlexiBertForMultipleChoice
from nas.models.hf_spans import FlexiBertForQuestionAnswering

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from transformers import PreTrainedModel

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Graph(nn.Module):
    """A model without the classes of `transformers` around its outputs.

    Attributes:
        outputs: What `forward` returns: "logits" of a classifier; "start_logits" and "end_logits"
            of a model of spans; "last_hidden_state" and
            "pooler_output" of an encoder.

    Args:
        model: The model, which is put in evaluation mode.
    """

    def __init__(self, model: "PreTrainedModel"):
        super().__init__()
        self.model = model.eval()
        classifies = isinstance(model, FlexiBertForSequenceClassification)
        self.outputs = ("logits",) if classifies else ("last_hidden_state", "pooler_output")
        if isinstance(model, FlexiBertForQuestionAnswering):
            self.outputs = ("start_logits", "end_logits")
        self._chooses = isinstance(model, FlexiBertForMultipleChoice)
        self.max_length = model.config.max_position_embeddings
        self.vocabulary_size = model.config.vocab_size
        self.token_types = model.config.type_vocab_size

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor
    ) -> tuple[Tensor, ...]:
        """Int64 tensors, each `(batch, length)`, to the tensors that `outputs` names."""
        given = (input_ids, attention_mask, token_type_ids)
        if self._chooses:  # each sequence is what is asked with one answer
            given = tuple(tensor[:, None] for tensor in given)
        answer = self.model(*given)
        return tuple(answer[name] for name in self.outputs)

    def inputs(self, batch: int, length: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Return random inputs: the first sequence is whole, the others are padded."""
        generator = torch.Generator().manual_seed(seed)

        def draw(low: int, high: int, *shape: int) -> Tensor:
            return torch.randint(low, high, shape, generator=generator)

        tokens = draw(0, self.vocabulary_size, batch, length)
        lengths = draw(1, length + 1, batch)
        lengths[0] = length
        mask = (torch.arange(length) < lengths[:, None]).long()
        return tokens, mask, draw(0, self.token_types, batch, length)


def exported_program(graph: Graph) -> "ExportedProgram":
    """Return the graph of `graph` with any batch and any length the model reads."""
    length = min(7, graph.max_length)
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    return torch.export.export(
        graph, graph.inputs(3, length), dynamic_shapes=dict.fromkeys(INPUTS, free), strict=False
    )
