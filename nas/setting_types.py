"""What settings of several kinds hold: durations and places."""

import re
from typing import Annotated

from pydantic import BeforeValidator

from search_spaces.errors import InvalidExperiment

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 100 * 365 * 86400.0  # what clocks and timers of every kind take
LARGEST = 2**63 - 1  # whole number that the record takes


def parse_seconds(value: object) -> float:
    """Return a duration in seconds: a positive number, or text such as "90s", "30m", "2h", "1d".

    Raises:
        InvalidExperiment: The text is no duration, or it is not positive.
    """
    text = str(value) if isinstance(value, str | int | float) else ""
    match = re.fullmatch(r"\s*([0-9.]{1,30}(?:e[-+]?[0-9]{1,3})?)\s*([smhd]?)\s*", text.lower())
    try:
        seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else 0.0
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST:
        raise InvalidExperiment(
            f"{shown(value)} is no duration. Write a positive number with a unit: 90s, "
            "30m, 2h or 1d; at most 100 years."
        )
    return seconds


def shown(value: object) -> str:
    """Return a value as messages show it, not all of a long one."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _no_blank(value: object) -> object:
    """Return what names a place; a blank text would be the directory that one happens to be in."""
    if isinstance(value, str) and not value.strip():
        raise InvalidExperiment("name a place, or leave the setting out")
    return value


Place = Annotated[str | None, BeforeValidator(_no_blank)]
Seconds = Annotated[float, BeforeValidator(parse_seconds)]
