"""The errors a user can meet. Every message says what was given, what is allowed, what to do.

They live in the lowest package because all three packages raise them.
"""

import shlex
from collections.abc import Iterable
from difflib import get_close_matches


class NasError(Exception):
    """Base class: `except NasError` catches everything this project raises on purpose."""

    def __str__(self) -> str:  # a KeyError subclass would show its message inside quotes
        return str(self.args[0]) if self.args else ""


class UnknownName(NasError, KeyError):
    """A name in an experiment, a command or an architecture that nothing is registered under."""

    def __init__(self, kind: str, name: object, known: Iterable[object]):
        known = sorted(str(k) for k in known)
        close = get_close_matches(str(name), known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(f"No {kind} is called {name!r}.{hint} Available: {', '.join(known)}.")

    def __reduce__(self):  # it may cross from one process to another
        return _restored, (type(self), self.args)


def _restored(kind: type[Exception], args: tuple) -> Exception:
    """Return an exception with `args`, whatever its constructor takes."""
    error = kind.__new__(kind)
    error.args = args
    return error


class BrokenPackage(NasError, ImportError):
    """An installed package that says it has something for this project, and cannot be imported."""


class InvalidArchitecture(NasError, ValueError):
    """An architecture dictionary that describes no encoder."""


class InvalidSpace(NasError, ValueError):
    """A search space definition that cannot be used."""


class InvalidExperiment(NasError, ValueError):
    """An experiment file or command line with a key or value that is not allowed."""


class InvalidData(NasError, ValueError):
    """Task files, a corpus or a tokenizer that cannot be read or used."""


class RunError(NasError):
    """A run directory that is missing, taken, locked or belongs to another experiment."""


class NotAModel(NasError, ValueError):
    """A folder that holds no exported model, or one whose files do not fit together."""


class PolicyError(NasError, ValueError):
    """A policy was told or asked something impossible, such as a NaN or a result twice."""


class TrialError(NasError):
    """Training one architecture failed; `cause` is one of the names the run record uses.

    Args:
        message: What happened, for the record and the person reading it.
        cause: "nan", "out-of-memory", "time-out" or "error".
    """

    def __init__(self, message: str, cause: str = "error"):
        super().__init__(message, cause)
        self.cause = cause


def quoted(path: object) -> str:
    """Return a path as it stands in a command that a message suggests: one word of a shell."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)
