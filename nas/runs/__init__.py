"""The record of a search: what a run's directory holds, who may write it, what is read from it.

The public names load when first used, so that importing this package costs nothing.
"""

from importlib import import_module

_HOMES = {
    "directory": (
        "Run",
        "create_run",
        "describe_environment",
        "open_run",
        "require_free",
    ),
    "claims": ("next_directory",),
    "several": ("open_runs",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
