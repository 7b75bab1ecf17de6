"""A trained encoder in a folder, with its tokenizer: what `nas search --from` starts from."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from nas.data.tokenizer import Tokenizer
from nas.models.bert_checkpoint import load_bert
from nas.models.encoder import Encoder
from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidData

_CARD_LINES = 60  # the facts of a card stand in its first lines


@dataclass(frozen=True)
class Checkpoint:
    """A trained encoder and its tokenizer.

    Attributes:
        folder: Where it was read.
        architecture: What it is built like.
        weights: Its tensors, named as in `Encoder`.
        tokenizer_json: Its tokenizer, as in tokenizer.json.
        max_length: Longest sequence, in tokens.
        licence: Of the weights, as its card says; "other" where it says nothing.
    """

    folder: Path
    architecture: Architecture
    weights: dict[str, Tensor]
    tokenizer_json: str
    max_length: int
    licence: str = "other"

    @property
    def vocabulary_size(self) -> int:
        """How many token ids it has a vector for."""
        return len(self.weights["embeddings.tokens.weight"])

    def build(self, *, max_length: int, pooling: str, dropout: float = 0.0) -> Encoder:
        """Return the whole encoder with its weights, for sequences up to `max_length` tokens.

        What stands before a head that reads means starts as the identity: no checkpoint has
        weights for it that were trained.
        """
        encoder = Encoder(
            self.architecture,
            self.vocabulary_size,
            max_length=max_length,
            dropout=dropout,
            pooling=pooling,
        )
        encoder.load_state_dict(start_weights(self.weights, max_length, pooling))
        return encoder


def start_weights(weights: dict[str, Tensor], max_length: int, pooling: str) -> dict[str, Tensor]:
    """Return a checkpoint's tensors for shorter sequences and another pooling."""
    import torch

    found = dict(weights)
    positions = "embeddings.positions.weight"
    if positions in found:
        found[positions] = found[positions][:max_length].clone()
    if pooling == "mean":
        width = len(found["pooler.bias"])
        found["pooler.weight"], found["pooler.bias"] = torch.eye(width), torch.zeros(width)
    return found


def read_checkpoint(folder: str | Path) -> Checkpoint:
    """Read a trained encoder from a folder as `transformers` writes it.

    Raises:
        InvalidData: The folder holds no encoder that can be cut, or no tokenizer that fits it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InvalidData(
            f"There is no folder {str(folder)!r}. Give the folder of a trained encoder: "
            "config.json, model.safetensors and tokenizer.json, as save_pretrained writes them."
        )
    encoder = load_bert(folder, dropout=0.0)
    tokenizer = Tokenizer.read(folder / "tokenizer.json")
    if tokenizer.vocabulary_size > encoder.vocabulary_size:
        raise InvalidData(
            f"The tokenizer in {folder} has {tokenizer.vocabulary_size:,} tokens, and the encoder "
            f"vectors for {encoder.vocabulary_size:,}. Put back the files that belong together."
        )
    weights = encoder.state_dict()
    # some tables have more rows than there are tokens, to be of a round size
    table = "embeddings.tokens.weight"
    weights[table] = weights[table][: tokenizer.vocabulary_size].clone()
    return Checkpoint(
        folder.resolve(),
        encoder.architecture,
        weights,
        tokenizer.json,
        encoder.max_length,
        _licence(folder),
    )


def _licence(folder: Path) -> str:
    """Return what the folder's card says of the licence."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return "other"
    lines = [line for line in text.splitlines()[:_CARD_LINES] if line.startswith("license:")]
    return lines[0].partition(":")[2].strip()[:60] if lines else "other"
