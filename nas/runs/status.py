"""How far a run is, from its record alone: no pandas, so that it answers at once."""

import time
from statistics import mean
from typing import Any

from nas.evaluation.measured import values_of
from nas.runs.confirmations import Confirmations, confirmations_spent
from nas.runs.directory import Run
from nas.runs.rows import readable
from nas.runs.stalled import why_stalled
from nas.runs.storage import Storage
from nas.runs.unmet import unmet
from nas.runs.worker_use import percentile, worker_use
from surrogates.domination.running import Front
from surrogates.objectives import oriented

# A driver notes that it is alive about once a second.
_ALIVE_SECONDS = 60.0


def run_status(run: Run, *, now: float | None = None) -> dict[str, Any]:
    """Return how far `run` is, as plain values.

    Keys: run, state (running, interrupted, or why it ended: trials, time, …), planned (how many
    encoders), promotions (trials beyond, of encoders that went on at a higher fidelity), the number
    of trials by status, causes of failures, best (a line) and best_trial, front (how many),
    elapsed_seconds of searching, trials_per_hour, workers, idle_percent of the workers' time,
    proposal_seconds_p50 and _p95, spent_seconds of training and spent_gpu_hours (with what
    finalists and `nas confirm` took), weights_mb on the disk, left_seconds (an estimate), and
    warning: why it makes no progress, if it does not, or that nothing it trained meets its
    constraints.
    """
    with readable(f"The record of {str(run.directory)!r}"):
        return _status(run, time.time() if now is None else now)


def _status(run: Run, now: float) -> dict[str, Any]:
    journal, records = run.journal, run.journal.trials()
    counts, elapsed = journal.counts(), journal.elapsed()
    seen, ended = journal.last_seen(), journal.meta("ended")
    shift = journal.clock_shift()
    alive = seen is not None and now - seen < _ALIVE_SECONDS
    over = [r for r in records if r["status"] in ("done", "failed")]
    workers, idle = worker_use(records, journal.sessions(), now - shift, journal.capacities())
    proposals = journal.proposal_seconds()
    promotions = sum(r["continues"] is not None for r in records)
    best, front = _best_and_front(records, run.objectives)
    trained, on_gpu = confirmations_spent(run.directory)
    plan, own = run.experiment, Storage(str(run.directory.resolve()))
    return {
        "run": str(run.directory),
        "state": ended or ("running" if alive else "interrupted"),
        "planned": plan.trials,
        "promotions": promotions,
        **{status: counts[status] for status in ("done", "running", "queued", "failed")},
        "causes": _causes(records),
        "best": best and _best_line(best, run.objectives),
        "best_trial": best and best["trial"],
        "front": front,
        "elapsed_seconds": round(elapsed, 1),
        "trials_per_hour": round(len(over) / elapsed * 3600, 1) if over and elapsed else None,
        "workers": workers,
        "idle_percent": None if idle is None else round(100 * idle, 1),
        "proposal_seconds_p50": _rounded(percentile(proposals, 0.5)),
        "proposal_seconds_p95": _rounded(percentile(proposals, 0.95)),
        "spent_seconds": round(
            trained + sum(r["spent_seconds"] or r["seconds"] or 0 for r in records), 1
        ),
        "spent_gpu_hours": round((on_gpu + sum(r["gpu_seconds"] or 0 for r in records)) / 3600, 3),
        "weights_mb": round(sum(own.sizes("weights").values()) / 1e6, 1),
        "left_seconds": None if ended else _left(over, plan, workers, elapsed, promotions),
        "warning": why_stalled(
            records,
            ended=bool(ended),
            seen=None if seen is None else seen - shift,
            last_event=_last_event(run),
            now=now - shift,
        )
        or (unmet(run) if ended else None),
    }


def _last_event(run: Run) -> float | None:
    """Return when anything last happened to a trial or a finalist."""
    last = run.journal.last_event()
    longer = run.experiment.finalist_longer
    rows = Confirmations(run.directory, longer).trainings() if run.experiment.finalists else []
    return max([last, *(row["finished_at"] for row in rows)]) if last and rows else last


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _causes(records: list[dict[str, Any]]) -> dict[str, int]:
    causes: dict[str, int] = {}
    for record in records:
        if record["cause"]:
            causes[record["cause"]] = causes.get(record["cause"], 0) + 1
    return causes


def _best_and_front(
    records: list[dict[str, Any]], objectives: dict[str, str]
) -> tuple[dict[str, Any] | None, int]:
    """Return the best finished trial of the highest fidelity, and the size of the front there."""
    done = [r for r in records if r["status"] == "done"]
    highest = max((r["fidelity"] for r in done), default=1.0)
    done = [r for r in done if r["fidelity"] == highest]
    if not done:
        return None, 0
    rows = [oriented(values_of(r, seconds=True), objectives) for r in done]
    front = Front()
    for row in rows:
        front.add(row)
    # The largest row is the best in the first objective, then in the others.
    return done[rows.index(max(rows))], len(front)


def _best_line(best: dict[str, Any], objectives: dict[str, str]) -> str:
    name = next(iter(objectives))
    value = values_of(best, seconds=True)[name]
    return f"{name} {value:.4g} (trial {best['trial']}, {best['hash'][:10]})"


def _left(
    over: list[dict[str, Any]], plan: Any, workers: int, elapsed: float, promotions: int = 0
) -> float | None:
    """Return about how many seconds the search still takes; None before any trial ended."""
    seconds = [r["seconds"] for r in over if r["seconds"]]
    if not seconds:
        return None
    left = mean(seconds) * max(0, plan.trials + promotions - len(over)) / max(1, workers)
    return round(left if plan.time is None else min(left, max(0.0, plan.time - elapsed)), 1)
