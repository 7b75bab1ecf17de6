"""What stands on top of an encoder: prediction of masked tokens, of classes, of numbers."""

from torch import Tensor, nn

from nas.models.dropout import Dropout
from nas.models.initialisation import initialise
from nas.models.outputs import MaskedLanguageHead

__all__ = ["ClassificationHead", "MaskedLanguageHead"]


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
