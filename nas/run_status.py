"""How far a run is, from its record alone: no pandas, so that it answers at once."""

import time
from typing import Any

from nas.runs import Run

# A driver notes that it is alive about once a second.
_ALIVE_SECONDS = 60.0


def run_status(run: Run) -> dict[str, Any]:
    """Return counts by status, the best trial, whether a driver is at work, and the time spent."""
    records = run.journal.trials()
    counts = run.journal.counts()
    name, direction = next(iter(run.objectives.items()))
    done = [(r, {**r["scores"], **r["costs"]}[name]) for r in records if r["status"] == "done"]
    best = None
    if done:
        record, value = (max if direction == "max" else min)(done, key=lambda pair: pair[1])
        best = f"{name} {value:.4g} (trial {record['trial']}, {record['hash'][:10]})"
    seen = run.journal.last_seen()
    alive = seen is not None and time.time() - seen < _ALIVE_SECONDS
    causes: dict[str, int] = {}
    for record in records:
        if record["cause"]:
            causes[record["cause"]] = causes.get(record["cause"], 0) + 1
    return {
        "run": str(run.directory),
        "state": run.journal.meta("ended") or ("running" if alive else "interrupted"),
        "done": counts["done"],
        "running": counts["running"],
        "queued": counts["queued"],
        "failed": counts["failed"],
        "causes": causes,
        "best": best,
        "spent_seconds": round(run.journal.elapsed(), 1),
    }
