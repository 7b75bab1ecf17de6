"""Architecture search for encoders: describe a budget, get a trained model.

`open_run` reads what a search left behind, `load_model` loads what `nas export` wrote. Both are
imported when first used, so that `import nas` costs nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Experiment": "nas.config",
    "NasError": "search_spaces.errors",
    "load_model": "nas.zoo",
    "open_run": "nas.runs",
    "pareto_front": "nas.pareto",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'nas' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
