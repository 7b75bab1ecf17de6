"""What a record may hold: every row read is checked here, before anything acts on it.

A run directory may come from elsewhere, be damaged, or be made to do harm: hashes become names of
files, numbers become indices and times, texts are read as JSON. What no driver could have written
is refused with the row and the column.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from search_spaces.errors import NasError, RunError

STATUSES = ("queued", "running", "done", "failed")
_HASH = re.compile(r"[0-9a-f]{1,64}")
_LATEST = 8e9  # seconds since the epoch; later ones no calendar here can write
_LARGEST = 2**53  # whole numbers beyond are not exact everywhere
_LONGEST = 1e12  # seconds

Check = Callable[[Any], bool]


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Turn whatever a damaged or contradictory record leads to into one message.

    A record can contradict itself in more ways than a list of checks has: what is asked for and
    was never recorded is a missing key, whoever asks.

    Args:
        where: What messages call the record.

    Raises:
        RunError: Something within could not be done with what the record says.
    """
    try:
        yield
    except NasError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as e:
        raise unreadable(where, f"what it says does not fit together ({_brief(e)})") from e


def unreadable(where: str, why: str) -> RunError:
    """Return the error about a record that cannot be read."""
    return RunError(
        f"{where} cannot be read: {why}. If a copy of the run exists, use that; otherwise start a "
        "new run."
    )


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and _finite(value)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def _whole(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _LARGEST


def _hash(value: Any) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _share(value: Any) -> bool:
    return is_number(value) and 0 < value <= 1


def is_time(value: Any) -> bool:
    """Whether a value is a moment, in seconds since the epoch."""
    return is_number(value) and 0 <= value <= _LATEST


def _seconds(value: Any) -> bool:
    return is_number(value) and abs(value) <= _LONGEST


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(is_number(number) for number in value.values())


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _proposal(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    pending = value.get("pending", [])
    beliefs = [value.get(name) for name in ("mean", "epistemic", "aleatoric")]
    numbers = [n for b in beliefs for n in (b.values() if isinstance(b, dict) else [b])]
    numbers += [value.get(name) for name in ("acquisition", "overlap", "seconds")]
    return (
        isinstance(pending, list)
        and all(_whole(trial) for trial in pending)
        and _or_none(_hash)(value.get("parent"))
        and _or_none(_share)(value.get("fidelity"))
        and _or_none(_text)(value.get("reason"))
        and all(n is None or isinstance(n, int | float) for n in numbers)
    )


def _adjusted(value: Any) -> bool:
    return isinstance(value, dict) and all(
        {
            "alone": isinstance(given, bool),
            "micro_batches": _whole(given, 1),
            "learning_rate_scale": is_number(given) and given > 0,
            "deadline_scale": is_number(given) and given > 0,
        }.get(name, True)
        for name, given in value.items()
    )


def _history(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict)
        and _text(entry.get("cause"))
        and _whole(entry.get("done", 0))
        and _or_none(_text)(entry.get("error"))
        for entry in value
    )


JSON_COLUMNS = (
    "architecture", "scores", "costs", "details", "proposal", "adjusted", "history"
)  # fmt: skip
_TRIAL: Mapping[str, Check] = {
    "trial": lambda value: _whole(value, 1),
    "hash": _hash,
    "architecture": _mapping,
    "fidelity": _share,
    "seed": lambda value: isinstance(value, int) and 0 <= value < 2**63,
    "status": lambda value: value in STATUSES,
    "attempts": _whole,
    "asked_at": is_time,
    "started_at": _or_none(is_time),
    "finished_at": _or_none(is_time),
    "seconds": _or_none(_seconds),
    "scores": _numbers,
    "costs": _numbers,
    "details": _mapping,
    "proposal": _proposal,
    "cause": _or_none(_text),
    "error": _or_none(_text),
    "traceback": _or_none(_text),
    "node": _or_none(_text),
    "device": _or_none(_text),
    "continues": _or_none(_whole),
    "worker": _or_none(_whole),
    "gpu_seconds": _or_none(_seconds),
    "spent_seconds": _or_none(_seconds),
    "adjusted": _adjusted,
    "history": _history,
    "logs": _or_none(_text),
}


_TRAINING: Mapping[str, Check] = {
    name: _TRIAL[name]
    for name in (
        "hash", "seed", "status", "scores", "costs", "seconds", "gpu_seconds", "node", "device",
        "cause", "error",
    )
} | {"number": _whole, "finished_at": is_time}  # fmt: skip
_LATENCY: Mapping[str, Check] = {
    "hash": _hash, "number": _whole, "latency_ms": is_number, "machine": _text
}  # fmt: skip

_BASELINE: Mapping[str, Check] = {
    "role": _text, "hash": _hash, "words": _text, "architecture": _mapping
}  # fmt: skip


def checked_baseline(row: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a row of the confirmations' table baselines, its JSON read.

    Raises:
        RunError: It holds what no search writes.
    """
    row["architecture"] = read_json_column(row["architecture"], "a baseline's architecture", where)
    return _checked(row, _BASELINE, "a baseline", where)


def checked_training(row: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a row of the confirmations' table trainings, its JSON read.

    Raises:
        RunError: It holds what `nas confirm` does not write.
    """
    for name in ("scores", "costs"):
        row[name] = read_json_column(row.get(name), f"a training's {name}", where)
    return _checked(row, _TRAINING, "a training", where)


def checked_latency(row: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a row of the confirmations' table latencies.

    Raises:
        RunError: It holds what `nas confirm` does not write.
    """
    return _checked(row, _LATENCY, "a latency", where)


def _checked(
    row: dict[str, Any], checks: Mapping[str, Check], what: str, where: str
) -> dict[str, Any]:
    for name, check in checks.items():
        if not check(row.get(name)):
            raise unreadable(where, f"{what} has {name} {_shown(row.get(name))}")
    return row


def checked_trial(row: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a row of the table trials, its JSON read.

    Args:
        row: As SQLite gives it, complete.
        where: What messages call the record.

    Raises:
        RunError: It holds what no driver writes.
    """
    for name in JSON_COLUMNS:
        row[name] = read_json_column(row[name], f"trial {row['trial']!r}, {name}", where)
    for name in ("scores", "costs"):
        if isinstance(row[name], dict) and any(isinstance(v, bool) for v in row[name].values()):
            # As 0.1 recorded what a trial function answered with a truth value.
            row[name] = {n: float(v) if isinstance(v, bool) else v for n, v in row[name].items()}
    _checked(row, _TRIAL, f"trial {row['trial']!r}", where)
    if row["status"] == "running" and row["started_at"] is None:
        raise unreadable(where, f"trial {row['trial']} is running and has never started")
    return row


_OPTIONS: Mapping[str, Check] = {
    "vocabulary_size": lambda value: _whole(value, 1) and value <= 10_000_000,
    "max_length": lambda value: _whole(value, 1) and value <= 1_000_000,
    "positions": _text,
    "dropout": lambda value: is_number(value) and 0 <= value < 1,
}


def checked_options(options: dict[str, Any], where: str) -> dict[str, Any]:
    """Return what a run's models are built with.

    Raises:
        RunError: It holds what no driver writes.
    """
    for name, value in options.items():
        if not _OPTIONS.get(name, lambda value: True)(value):
            raise unreadable(where, f"its fact 'model_options' has {name} {_shown(value)}")
    return options


def read_json_column(text: Any, what: str, where: str) -> Any:
    """Return what the text of a column says.

    Raises:
        RunError: It is no JSON.
    """
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise unreadable(where, f"{what} is no JSON ({_shown(text)})") from None


_AIM: Check = lambda value: (  # noqa: E731  one of a table of checks
    isinstance(value, dict)
    and isinstance(value.get("objectives"), dict)
    and isinstance(value.get("constraints"), list)
)
# kind of event -> whether it is about a trial, and what its payload must have
_EVENTS: Mapping[str, tuple[bool, Mapping[str, Check]]] = {
    "request": (False, {"n": lambda value: _whole(value) and value <= 1_000_000}),
    "exhausted": (False, {"request": _whole}),
    "ask": (True, {}),
    "promote": (True, {"continues": _whole, "fidelity": _share}),
    "start": (True, {}),
    "requeue": (True, {}),
    "tell": (True, {"status": lambda value: value in STATUSES}),
    "capacity": (False, {"workers": lambda value: _whole(value) and value <= 1_000_000_000}),
    "aim": (False, {"before": _AIM, "after": _AIM}),
    "end": (False, {"reason": _text}),
}


def checked_event(
    event: Any, kind: Any, trial: Any, payload: Any, where: str
) -> tuple[int, str, int | None, dict[str, Any]]:
    """Return a row of the table events, its JSON read.

    Raises:
        RunError: It holds what no driver writes.
    """
    found = read_json_column(payload, f"event {event!r}, payload", where)
    if not isinstance(found, dict) or not isinstance(kind, str):
        raise unreadable(
            where, f"event {event!r} has kind {_shown(kind)} and payload {_shown(payload)}"
        )
    about_trial, needed = _EVENTS.get(kind, (False, {}))
    if not (_whole(trial, 1) if about_trial else _or_none(_whole)(trial)):
        raise unreadable(where, f"event {event!r} ({kind[:20]}) is about the trial {_shown(trial)}")
    for name, check in needed.items():
        if not check(found.get(name)):
            raise unreadable(
                where, f"event {event!r} ({kind}) has {name} {_shown(found.get(name))}"
            )
    if kind == "ask" and not _whole(found.get("request", 0)):
        raise unreadable(
            where, f"event {event!r} (ask) answers the request {_shown(found['request'])}"
        )
    return event, kind, trial, found


def checked_times(values: tuple[Any, ...], what: str, where: str) -> tuple[float, ...]:
    """Return moments in seconds since the epoch.

    Raises:
        RunError: One is none.
    """
    odd = next((value for value in values if not is_time(value)), None)
    if odd is not None or None in values:
        raise unreadable(where, f"{what} has the time {_shown(odd)}")
    return values


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
