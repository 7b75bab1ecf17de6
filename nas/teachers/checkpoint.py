"""A trained encoder in a folder, with its tokenizer: what `nas search --from` starts from."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nas.data.tokenizer import Tokenizer
from nas.models.checkpoints import load_encoder
from nas.models.encoder import Encoder
from nas.models.overlap import TOKEN_TYPES
from nas.teachers.cuttable import require_cuttable
from nas.teachers.embedding import token_table
from nas.teachers.hub import HUB, from_hub, hub_name
from nas.zoo.files import ARCHITECTURE
from search_spaces.architectures.architecture import Architecture
from search_spaces.documents import read_json_file
from search_spaces.errors import InvalidData, NotAModel

_CARD_LINES = 60  # the facts of a card stand in its first lines


@dataclass(frozen=True)
class Checkpoint:
    """A trained encoder and its tokenizer.

    Attributes:
        folder: Where it was read.
        architecture: What it is built like.
        weights: Its tensors, named as in `Encoder`.
        tokenizer_json: Its tokenizer, as in tokenizer.json.
        vocabulary_size: How many token ids it has a vector for.
        max_length: Longest sequence, in tokens.
        licence: Of the weights, as its card says; "other" where it says nothing.
    """

    folder: Path
    architecture: Architecture
    weights: dict[str, Tensor]
    tokenizer_json: str
    vocabulary_size: int
    max_length: int
    licence: str = "other"

    @property
    def name(self) -> str:
        """What it is called: its folder, or its name on the hub."""
        return hub_name(self.folder)

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
    """Return a checkpoint's tensors for shorter sequences, the usual types and another pooling."""
    found = dict(weights)
    positions = "embeddings.positions.weight"
    if positions in found:
        found[positions] = found[positions][:max_length].clone()
    for name, table in weights.items():
        if name.endswith(".distances.weight"):  # of each distance, the shortest in the middle
            first = (len(table) + 1) // 2 - max_length
            found[name] = table[first : first + 2 * max_length - 1].clone()
    types = found["embeddings.types.weight"]
    if len(types) != TOKEN_TYPES:  # texts of a pair that knew of one type are of the same
        found["embeddings.types.weight"] = (
            types.repeat(TOKEN_TYPES, 1) if len(types) == 1 else types[:TOKEN_TYPES].clone()
        )
    if pooling == "mean":
        width = len(found["pooler.bias"])
        found["pooler.weight"], found["pooler.bias"] = torch.eye(width), torch.zeros(width)
    return found


def read_checkpoint(place: str | Path, *, to_cut: bool = True) -> Checkpoint:
    """Read a trained encoder.

    Args:
        place: A folder as `transformers` writes it, a folder that `nas export` or `nas train`
            wrote, or "hub:" and the name of a model of the hub.
        to_cut: Whether parts of it will be left out, for which its layers must be of a form.

    Raises:
        InvalidData: There is no encoder that can be cut, or no tokenizer that fits it.
        NotAModel: An exported folder is not complete.
    """
    folder = from_hub(str(place)) if str(place).startswith(HUB) else Path(place)
    if not folder.is_dir():
        raise InvalidData(
            f"There is no folder {str(folder)!r}. Give the folder of a trained encoder: "
            "config.json, model.safetensors and tokenizer.json, as save_pretrained writes them; "
            "or hub:NAME."
        )
    exported = (folder / ARCHITECTURE).is_file()
    encoder = _exported(folder) if exported else load_encoder(folder, dropout=0.0)
    if to_cut:
        require_cuttable(encoder.architecture, folder)
    tokenizer = Tokenizer.read(folder / "tokenizer.json")
    if tokenizer.vocabulary_size > encoder.vocabulary_size:
        raise InvalidData(
            f"The tokenizer in {folder} has {tokenizer.vocabulary_size:,} tokens, and the encoder "
            f"vectors for {encoder.vocabulary_size:,}. Put back the files that belong together."
        )
    weights, known = encoder.state_dict(), encoder.vocabulary_size
    table = token_table(weights)
    if table is not None:  # some have more rows than there are tokens, to be of a round size
        known = tokenizer.vocabulary_size
        weights[table] = weights[table][:known].clone()
    return Checkpoint(
        folder.resolve(),
        encoder.architecture,
        weights,
        tokenizer.json,
        known,
        encoder.max_length,
        _licence(folder),
    )


def _exported(folder: Path) -> Encoder:
    """Return the encoder of a folder of the zoo; its architecture says its positions, too.

    Raises:
        NotAModel: The folder is not complete, or its files do not belong together.
    """
    from nas.zoo.configuration import read_config
    from nas.zoo.loading import check_names, load_model

    encoder = load_model(folder).encoder
    found = Architecture.from_dict(read_json_file(folder / ARCHITECTURE, NotAModel)).body
    positions = read_config(folder).positions
    if found.part("positions") is None and positions != "absolute":
        found = Architecture(
            found.layers, found.style, {**dict(found.parts), "positions": positions}
        )
    with torch.device("meta"):
        wanted = Encoder(found, encoder.vocabulary_size, max_length=encoder.max_length)
    check_names(encoder.state_dict(), wanted.state_dict(), str(folder / ARCHITECTURE))
    encoder.architecture = found
    return encoder


def _licence(folder: Path) -> str:
    """Return what the folder's card says of the licence."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return "other"
    lines = [line for line in text.splitlines()[:_CARD_LINES] if line.startswith("license:")]
    return lines[0].partition(":")[2].strip()[:60] if lines else "other"
