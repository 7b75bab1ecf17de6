"""One learned vector for each token, as in BERT.

Source: Devlin et al., "BERT", NAACL 2019; Boizard et al., "EuroBERT", 2025, and Le Breton et al.,
"NeoBERT", 2025 (no norm of the sum).
"""

from typing import ClassVar

from torch import nn

from nas.models.embeddings.base import EMBEDDINGS


@EMBEDDINGS.register("learned")
class LearnedEmbedding(nn.Embedding):
    """A table with a row for each token; that of padding is not trained.

    Args:
        vocabulary_size: Number of token ids.
        width: Numbers for each token.
        pad_id: Token id of padding.
        norm: "none" where the sum with types and positions has no norm.
    """

    axes: ClassVar = {"weight": ("tokens", "first")}

    def __init__(self, vocabulary_size: int, width: int, *, pad_id: int, norm: str = "usual"):
        super().__init__(vocabulary_size, width, padding_idx=pad_id)
        self.normed = norm == "usual"
