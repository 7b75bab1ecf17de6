"""A trained encoder by its name on the Hugging Face hub."""

import re
from pathlib import Path

from search_spaces.errors import InvalidData

HUB = "hub:"  # what the name of a model of the hub begins with, instead of a folder
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?")
# What is read of a model; weights in pickles are not even fetched.
_FILES = ("config.json", "model.safetensors", "tokenizer.json", "README.md")


def from_hub(name: str) -> Path:
    """Return the folder that a model of the hub lies in, fetched if it is not there yet.

    Args:
        name: Such as "hub:sentence-transformers/all-MiniLM-L6-v2".

    Raises:
        InvalidData: It is no name, or the model cannot be had.
    """
    repository = name.removeprefix(HUB)
    if not _NAME.fullmatch(repository):
        raise InvalidData(
            f"{name!r} is no name of a model. Write {HUB}owner/name, such as "
            f"{HUB}sentence-transformers/all-MiniLM-L6-v2, or give a folder."
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise InvalidData(
            f"{name} needs the library huggingface_hub. Run: pip install huggingface_hub; or give "
            "a folder."
        ) from None
    try:
        return Path(snapshot_download(repository, allow_patterns=list(_FILES)))
    except Exception as error:  # its HTTP library's errors differ between versions
        reason = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
        raise InvalidData(
            f"The model {repository!r} could not be had from the hub: {reason}. Check the name and "
            "the network; or copy its config.json, model.safetensors and tokenizer.json into a "
            "folder, and give that."
        ) from error


def hub_name(folder: Path) -> str:
    """Return what a folder is called: as on the hub where the hub's library keeps it."""
    if folder.parent.name == "snapshots":
        return folder.parent.parent.name.removeprefix("models--").replace("--", "/")
    return folder.name
