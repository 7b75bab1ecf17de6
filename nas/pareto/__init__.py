"""The Pareto front of any DataFrame: fronts, the best, the knee, hypervolume, conditions.

The public names load when first used, so that importing this package costs nothing.
"""

from importlib import import_module

_HOMES = {
    "fronts": (
        "best",
        "constrained",
        "groups",
        "hypervolume",
        "knee",
        "non_dominated",
        "non_dominated_rows",
        "oriented",
        "pareto_front",
    ),
    "conditions": ("rows_where",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
