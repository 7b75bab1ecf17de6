"""The zoo: folders of found models that `load_model` and `transformers` both load.

A folder holds the pre-trained encoder with its masked-language head and, below it, one folder for
each task it was fine-tuned on; the model card, the architecture, the tokenizer, the code of the
model and a checksum of every file.
"""

from importlib import import_module

_HOME = {
    "check_model": "nas.zoo.checking",
    "export_model": "nas.zoo.writing",
    "list_models": "nas.zoo.listing",
    "load_model": "nas.zoo.loading",
    "push_model": "nas.zoo.pushing",
    "read_card": "nas.zoo.card",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'nas.zoo' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
