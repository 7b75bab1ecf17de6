"""Architecture search for encoders: describe a budget, get a trained model.

`open_run` reads what a search left behind (`open_runs`: several), `load_model` loads what
`nas export` wrote; `nas.pareto` works on any DataFrame. All are imported when first used, so that
`import nas` costs nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Experiment": "nas.config",
    "NasError": "search_spaces.errors",
    "load_model": "nas.zoo.loading",
    "open_run": "nas.runs",
    "open_runs": "nas.runs.several",
    "pareto_front": "nas.pareto",
    "write_table": "nas.tables.files",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    if name == "pareto":
        return import_module("nas.pareto")
    if name not in _HOME:
        raise AttributeError(f"module 'nas' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "pareto"})
