"""What a trial function returns, checked and brought to plain numbers, text and lists.

The one door: whatever the function hands back becomes plain values here, in the worker, or a
`TrialError` that says what was wrong; the driver looks again, because an answer may also come from
a file that an earlier attempt left.
"""

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

from nas.evaluation.measured import COUNTS, name_is_taken
from nas.printable import message, printable, shown
from search_spaces.errors import TrialError

# Beyond this a number cannot be squared, and so neither averaged nor learned from.
LARGEST = 1e100
_LONGEST_NAME = 100
_LARGEST_COUNT = 2**63  # the first that a column of whole numbers has no room for
_LONGEST_TEXT = 10_000
_DEEPEST = 10
_LONGEST_LIST = 10_000
# Of the details, those that budgets and forecasts are computed from.
_NUMBERS_OF_DETAILS = ("budget_seconds", "budget_tokens", "training_memory_mb")


def plain_answer(answer: object) -> dict[str, dict[str, Any]]:
    """Return "scores", "costs" and "details" of what a trial function returned, as plain values.

    Args:
        answer: A mapping with these names, or an object with them as attributes; "details" may be
            left out.

    Raises:
        TrialError: It is neither, or a name or value in it cannot be recorded.
    """
    parts = {name: _part(answer, name) for name in ("scores", "costs", "details")}
    return {
        "scores": plain_numbers(parts["scores"], "scores"),
        "costs": plain_numbers(parts["costs"], "costs"),
        "details": plain_details(parts["details"]),
    }


def _part(answer: object, name: str) -> object:
    """Return one part of an answer, whichever way it is given."""
    if isinstance(answer, Mapping):
        found = answer.get(name, {} if name == "details" else None)
    else:
        found = getattr(answer, name, {} if name == "details" else None)
    if name == "details" and found is None:
        return {}
    if not isinstance(found, Mapping):
        what = f"{shown(answer)}" if found is None else f"{shown(found)} as its {name}"
        raise TrialError(
            f"The trial function returned {what}. It should return two mappings of names to "
            'numbers: {"scores": {"glue": 0.7}, "costs": {"latency_ms": 3.5}}.'
        )
    return found


def plain_numbers(values: Mapping[Any, Any], what: str) -> dict[str, int | float]:
    """Return scores or costs as Python's own numbers.

    Args:
        values: Name to number; numpy's and torch's numbers are numbers too.
        what: "scores" or "costs", for messages.

    Raises:
        TrialError: A name that is no name or that a table needs itself, or a value that is no
            finite number of a size to compute with.
    """
    return {_name(name, what): _number(name, value) for name, value in values.items()}


def _name(name: object, what: str) -> str:
    fits = isinstance(name, str) and len(name.strip()) > 0 and len(name) <= _LONGEST_NAME
    if not fits or printable(name) != name or "\n" in name or "\t" in name:
        raise TrialError(
            f"The trial returned {shown(name)} as a name among its {what}. Use a short text."
        )
    if name_is_taken(name):
        raise TrialError(
            f"The trial returned {name!r} among its {what}, which is what a column of every table "
            "of trials is called. Rename it in the trial function."
        )
    return str(name)


def _number(name: str, value: Any) -> int | float:
    number = _own(value)
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TrialError(
            f"The trial returned {name} = {shown(value)}, which is a {type(value).__name__} and no "
            "number. Return a number of Python, or of numpy or torch without dimensions."
        )
    number = int(number) if isinstance(number, Integral) else float(number)
    if not isinstance(number, int) and not math.isfinite(number):
        raise TrialError(f"The trial returned {name} = {number}.", cause="nan")
    if abs(number) > LARGEST:
        raise TrialError(
            f"The trial returned {name} = {shown(number)}, which is too large to compute with "
            f"(beyond {LARGEST:g}). Return it in a larger unit, or as a logarithm."
        )
    if name in COUNTS and not (number == int(number) and 0 <= number < _LARGEST_COUNT):
        raise TrialError(
            f"The trial returned {name} = {shown(number)}, but it counts something: return a whole "
            "number of at least 0, or give it another name."
        )
    return number


def _own(value: Any) -> Any:
    """Return the Python number in a number of numpy or torch, anything else as it is."""
    # An attribute of both, without importing either; () is what has no dimensions.
    if type(value) in (float, int) or getattr(value, "shape", None) != ():
        return value
    item: Callable[[], Any] | None = getattr(value, "item", None)
    return value if item is None else item()


def plain_details(details: Mapping[Any, Any]) -> dict[str, Any]:
    """Return details as JSON has them: what is neither number, text, list nor mapping as a text.

    Raises:
        TrialError: They hold themselves, or one that is computed with is no number.
    """
    found = _plain(details, 0)
    for name in _NUMBERS_OF_DETAILS:
        if found.get(name) is not None:
            _number(name, found[name])
    return found


def _plain(value: Any, depth: int) -> Any:
    if value is None or type(value) in (bool, int, float):
        return value if type(value) is not int or abs(value) < LARGEST else shown(value)
    if isinstance(value, str):
        return message(str(value), _LONGEST_TEXT)
    if depth >= _DEEPEST:
        raise TrialError(
            f"The trial returned details that are nested deeper than {_DEEPEST}. Flatten them."
        )
    if isinstance(value, Mapping):
        return {message(str(k), _LONGEST_NAME): _plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, depth + 1) for v in value[:_LONGEST_LIST]]
    listed = getattr(value, "tolist", None)
    size = math.prod(getattr(value, "shape", None) or (1,))
    if listed is not None and size <= _LONGEST_LIST:
        return _plain(listed(), depth + 1)
    if isinstance(value, Real) and not isinstance(value, Integral):
        return float(value)
    return shown(value)
