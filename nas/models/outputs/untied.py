"""The head that predicts masked tokens with a table of its own.

Source: Devlin et al., "BERT", NAACL 2019 (the transform); Chung et al., "Rethinking Embedding
Coupling in Pre-trained Language Models", ICLR 2021 (why not to tie).
"""

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.initialisation import initialise
from nas.models.norms import make_norm
from nas.models.outputs.base import OUTPUTS
from search_spaces.kinds import SLOTS, Kind

if TYPE_CHECKING:
    from nas.models.encoder import Encoder

SLOTS["output"].kinds.register("untied")(
    Kind(
        "untied",
        "a table of its own decodes",
        parameters=lambda shape, part: shape.vocabulary_size * (shape.table + 1),
    )
)


@OUTPUTS.register("untied")
class UntiedHead(nn.Module):
    """Scores of all tokens at masked positions, by a table as large as that of the embedding."""

    def __init__(self, encoder: "Encoder"):
        super().__init__()
        vocabulary_size, width = encoder.embeddings.tokens.weight.shape
        self.transform = nn.Linear(encoder.width, width)
        self.norm = make_norm(encoder.architecture.part("norm"), width)
        self.decoder = nn.Linear(width, vocabulary_size, bias=False)
        self.bias = nn.Parameter(self.decoder.weight.new_zeros(vocabulary_size))
        self.apply(initialise)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states at the masked positions, `(n, width)`, to logits `(n, vocabulary)`."""
        return self.decoder(self.norm(F.gelu(self.transform(hidden)))) + self.bias
