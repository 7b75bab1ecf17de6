"""The head that predicts masked tokens with the table that embeds them.

Source: Devlin et al., "BERT", NAACL 2019; Press and Wolf, "Using the Output Embedding to Improve
Language Models", EACL 2017 (one table).
Differs on purpose: the transform ends at the width of the embedding, so that the decoder can be
tied to it when the last layer has another width.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.initialisation import initialise
from nas.models.norms import make_norm
from nas.models.outputs.base import OUTPUTS

if TYPE_CHECKING:
    from nas.models.encoder import Encoder


@OUTPUTS.register("tied")
class MaskedLanguageHead(nn.Module):
    """Scores of all tokens at masked positions; its decoder is the encoder's token embedding.

    The embedding stays the encoder's alone: it is in neither `parameters()` nor `state_dict()` of
    the head, so both can be given to one optimiser and saved side by side.
    """

    def __init__(self, encoder: "Encoder"):
        super().__init__()
        table = encoder.embeddings.tokens
        vocabulary_size, width = table.weight.shape
        self.tie(table)
        self.transform = nn.Linear(encoder.width, width)
        self.norm = make_norm(encoder.architecture.part("norm"), width)
        self.bias = nn.Parameter(table.weight.new_zeros(vocabulary_size))
        self.apply(initialise)

    def tie(self, table: nn.Module) -> None:
        """Predict with another table of the same width; the bias of new tokens starts as zero."""
        self._table = (table,)  # in a tuple, where torch does not look for modules
        rows, bias = len(table.weight), self._parameters.get("bias")
        if bias is not None and len(bias) != rows:
            kept = bias.detach()[:rows]
            longer = torch.cat([kept, kept.new_zeros(rows - len(kept))])
            self.bias = nn.Parameter(longer, requires_grad=bias.requires_grad)

    def tied_decoder(self) -> nn.Linear | None:
        """Return the last step as a linear map, of the table's own weight and the own bias.

        None where the table is computed, so that nothing could be tied to it.
        """
        if not isinstance(self._table[0].weight, nn.Parameter):
            return None
        linear = nn.Linear(1, 1, device="meta")
        linear.weight, linear.bias = self._table[0].weight, self.bias
        linear.out_features, linear.in_features = linear.weight.shape
        return linear

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states at the masked positions, `(n, width)`, to logits `(n, vocabulary)`."""
        x = self.norm(F.gelu(self.transform(hidden)))
        return F.linear(x, self._table[0].weight, self.bias)
