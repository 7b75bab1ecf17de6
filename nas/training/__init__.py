"""Training one architecture: the recipe, masked pre-training, fine-tuning, and the whole trial.

Importing this package imports no torch; the names below load on first use.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Recipe": "nas.training.recipe",
    "RECIPES": "nas.training.recipe",
    "Measurement": "nas.training.measurement",
    "run_trial": "nas.training.trial",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
