"""Keeps BoTorch from compiling C++ while a search runs.

BoTorch (seen in 0.18) builds a kernel of its own for the hypervolume where it finds a compiler:
minutes on a busy machine, in a folder of the user's home that all searches share, under a lock
that a killed search leaves behind and every later one waits for without end. What it falls back to
gives the same numbers.
"""

from importlib import import_module

_LAZY = "botorch.acquisition.multi_objective.logei"


def never_compile() -> None:
    """Have BoTorch take its Python code for the hypervolume; call before an acquisition is made."""
    logei = import_module(_LAZY)
    if getattr(logei, "_C", None) is None:
        logei._load_attempted = True
