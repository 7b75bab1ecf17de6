"""The search loop and what it keeps: which trials run, what has been spent, when to stop.

The public names load when first used, so that importing this package costs nothing.
"""

from importlib import import_module

_HOMES = {
    "nas.runs.endings": ("EXIT_CODES",),
    "nas.search.loop": ("Search",),
    "nas.search.progress": ("Progress",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
