"""Trained encoders of Hugging Face, whatever their family, as encoders of the space."""

from collections.abc import Callable
from pathlib import Path

from nas.models.bert_checkpoint import load_bert
from nas.models.bert_families import FAMILIES
from nas.models.checkpoint_files import read_config
from nas.models.encoder import Encoder
from nas.models.modernbert_checkpoint import load_modernbert
from search_spaces.errors import InvalidData

# model_type of a configuration that is not BERT under another name -> (folder, configuration,
# dropout) to its encoder
LOADERS: dict[str, Callable[..., Encoder]] = {"modernbert": load_modernbert}


def load_encoder(folder: str | Path, *, dropout: float | None = None) -> Encoder:
    """Build the encoder that a folder holds as `save_pretrained` writes it, in evaluation mode.

    Args:
        folder: With config.json and model.safetensors.
        dropout: Probability that a feature is zeroed in training; None as the checkpoint says.

    Raises:
        InvalidData: The folder holds no encoder, or one in a form the space does not have.
    """
    folder = Path(folder)
    config = read_config(folder)
    family = config.get("model_type")
    known = sorted({*FAMILIES, *LOADERS})
    if family not in known:
        raise InvalidData(
            f"The checkpoint's model_type is {family!r}, which cannot be read as an encoder. Read "
            f"are {', '.join(known)}. Give a checkpoint of one of these."
        )
    if family in LOADERS:
        return LOADERS[family](folder, config, dropout=dropout)
    return load_bert(folder, dropout=dropout)
