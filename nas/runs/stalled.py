"""Why a run makes no progress: the likely cause, from the record alone."""

from collections.abc import Sequence
from statistics import median
from typing import Any

# Nobody worries before this, and before a trial has taken thrice its usual time.
_PATIENCE_SECONDS = 300.0
_TIMES_USUAL = 3.0
_SILENT_SECONDS = 60.0  # a driver notes that it is alive about once a second


def why_stalled(
    records: Sequence[dict[str, Any]],
    *,
    ended: bool,
    seen: float | None,
    last_event: float | None,
    now: float,
) -> str | None:
    """Return one line on why nothing has happened for long, or None if all is well.

    Args:
        records: The journal's trials.
        ended: Whether the search ended by itself.
        seen: When a driver was last alive, in seconds since the epoch.
        last_event: When anything last happened to a trial.
        now: The present moment.
    """
    if ended or last_event is None:
        return None
    usual = median([r["seconds"] for r in records if r["status"] == "done"] or [0.0])
    silent = now - max(seen or 0.0, last_event)
    if silent > _SILENT_SECONDS:
        return (
            f"No driver is at work; the last sign of one was {minutes(silent)} ago. "
            "It was stopped or killed: nothing finished is lost, continue it with nas resume."
        )
    idle = now - last_event
    if idle < max(_PATIENCE_SECONDS, _TIMES_USUAL * usual):
        return None
    return f"No progress for {minutes(idle)}. {_likely(records, usual, now)}"


def _likely(records: Sequence[dict[str, Any]], usual: float, now: float) -> str:
    running = [r for r in records if r["status"] == "running"]
    waiting = sum(r["status"] == "queued" for r in records)
    if running:
        oldest = min(running, key=lambda r: r["started_at"])
        where = f" on {oldest['node']}" if oldest["node"] else ""
        than = f"; usual are {minutes(usual)}" if usual else ""
        return (
            f"Trial {oldest['trial']} has run for {minutes(now - oldest['started_at'])}{where}"
            f"{than}. Likely its worker hangs or is starved of CPU; it is stopped at the "
            "experiment's trial_timeout."
        )
    if waiting:
        return (
            f"{waiting} trials wait and none runs: likely no worker has the resources that a trial "
            "asks for. See nas doctor, --cpus-per-trial and --gpus-per-trial."
        )
    return "No trial runs or waits: likely the policy is still working on its next proposal."


def minutes(seconds: float) -> str:
    """Return a duration for people: "40 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6_000 else f"{seconds / 3600:.1f} h"
