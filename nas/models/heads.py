"""What stands on top of an encoder: prediction of masked tokens, of classes, of numbers."""

from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.dropout import Dropout
from nas.models.encoder import NORM_EPSILON, Encoder
from nas.models.initialisation import initialise


class MaskedLanguageHead(nn.Module):
    """Scores of all tokens at masked positions; its decoder is the encoder's token embedding.

    The embedding stays the encoder's alone: it is in neither `parameters()` nor `state_dict()` of
    the head, so both can be given to one optimiser and saved side by side.

    Source: Devlin et al., "BERT", NAACL 2019.
    Differs on purpose: the transform ends at the width of the embedding, so that the decoder can be
    tied to it when the last layer has another width.
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        table = encoder.embeddings.tokens
        self._table = (table,)  # in a tuple, where torch does not look for modules
        self.transform = nn.Linear(encoder.width, table.embedding_dim)
        self.norm = nn.LayerNorm(table.embedding_dim, eps=NORM_EPSILON)
        self.bias = nn.Parameter(table.weight.new_zeros(table.num_embeddings))
        self.apply(initialise)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states at the masked positions, `(n, width)`, to logits `(n, vocabulary)`."""
        x = self.norm(F.gelu(self.transform(hidden)))
        return F.linear(x, self._table[0].weight, self.bias)


class ClassificationHead(nn.Module):
    """Dropout and one linear map of the pooled vector.

    Args:
        width: Width of the pooled vector.
        outputs: Number of classes; 1 for a regression.
        dropout: Probability that a feature is zeroed in training.
    """

    def __init__(self, width: int, outputs: int, dropout: float = 0.1):
        super().__init__()
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(width, outputs)
        self.apply(initialise)

    def forward(self, pooled: Tensor) -> Tensor:
        """Pooled vectors `(batch, width)` to logits `(batch, outputs)`."""
        return self.output(self.dropout(pooled))
