"""The files of a trained encoder of Hugging Face: its configuration and its weights."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from search_spaces.errors import InvalidData

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def read_config(folder: Path) -> dict[str, Any]:
    """Return a checkpoint's configuration.

    Raises:
        InvalidData: There is none, or no mapping in it.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        config.get("model_type")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise InvalidData(
            f"{path} cannot be read as a configuration ({error}). Give a folder that "
            "save_pretrained wrote."
        ) from None
    return config


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return a checkpoint's tensors, by their names there.

    Raises:
        InvalidData: They are not there, in several files, in a format that runs code, or not all
            of them are finite.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise InvalidData(_how_to_convert(folder))
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InvalidData(
            f"{path} cannot be read ({error}). Checkpoints of other formats, such as "
            "pytorch_model.bin, are never loaded: save them again as safetensors."
        ) from None
    for name, tensor in found.items():
        if tensor.is_floating_point() and not tensor.float().isfinite().all():
            raise InvalidData(
                f"{path}: {name!r} has numbers that are NaN or infinite, so that whatever reads "
                "it learns nothing. Take an earlier checkpoint, or get the file again."
            )
    return found


def _how_to_convert(folder: Path) -> str:
    """Say what to do about weights that are in several files, or in a format that runs code."""
    found = sorted(path.name for path in folder.iterdir() if path.suffix in (".bin", ".h5", ".pt"))
    sharded = (folder / f"{WEIGHTS}.index.json").is_file()
    kind = "its weights in several files" if sharded else f"its weights in {', '.join(found)}"
    if not sharded and not found:
        return (
            f"{folder} has no {WEIGHTS}. Give a folder with {CONFIG}, {WEIGHTS} and tokenizer.json."
        )
    return (
        f"{folder} has {kind}, and only one {WEIGHTS} is ever loaded. Convert it once: "
        f'python -c "from transformers import AutoModel; '
        f"AutoModel.from_pretrained({str(folder)!r}).save_pretrained('converted', "
        "max_shard_size='100GB')\" and copy tokenizer.json beside it."
    )
