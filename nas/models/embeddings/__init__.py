"""Embeddings of tokens. Importing this package registers each module below."""

from nas.models.embeddings.base import EMBEDDINGS, make_embedding, reads_texts
from nas.models.embeddings.factorised import FactorisedEmbedding
from nas.models.embeddings.hash_ngram import HashEmbedding
from nas.models.embeddings.learned import LearnedEmbedding  # learned
from nas.models.embeddings.projected import ProjectedEmbedding
from nas.models.embeddings.trigram import TrigramEmbedding

__all__ = ["EMBEDDINGS", "LearnedEmbedding", "make_embedding", "reads_texts"]
