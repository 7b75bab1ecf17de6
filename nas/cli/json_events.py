"""What a search says where its output is no terminal: one JSON object a line.

Events: "stage" (text), "trial" (each that ended, with the counts), "note" (text), and "end" (why,
the exit code, the best and the front). The summary for people goes to standard error then, so that
standard output can be read by a program to its end.
"""

import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import wraps
from typing import TYPE_CHECKING, Any

from nas.cli.printing import echo

if TYPE_CHECKING:
    from nas.search.progress import Progress

_OF_A_TRIAL = ("trial", "hash", "status", "fidelity", "cause", "error", "seconds", "node", "device")


def emit(event: str, **values: Any) -> None:
    """Print one event."""
    echo(json.dumps({"event": event, **values}))


def emit_progress(progress: "Progress") -> None:
    """Print the trial that ended, or the note, with how far the search is."""
    far = {
        **progress.counts,
        "planned": progress.planned,
        "best": progress.best,
        "front": progress.front,
        "elapsed_seconds": round(progress.elapsed, 1),
        "left_seconds": None if progress.left is None else round(progress.left, 1),
    }
    note = getattr(progress, "note", None)
    if note:
        emit("note", text=note, progress=far)
    elif progress.latest is not None:
        trial = progress.latest
        of_it = {name: trial.get(name) for name in _OF_A_TRIAL}
        emit("trial", **of_it, scores=trial["scores"], costs=trial["costs"], progress=far)


def ends_in_json(finish: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    """Wrap what prints the end of a search: without a terminal, the event "end" comes first."""

    @wraps(finish)
    def wrapped(run: Any, reason: str) -> None:
        if sys.stdout.isatty():
            finish(run, reason)
            return
        from nas.runs.unmet import exit_code
        from nas.single.verdict import verdict_of

        verdict = verdict_of(run)
        said = {} if verdict is None else {"verdict": verdict.to_dict()}
        emit("end", reason=reason, exit_code=exit_code(run, reason), **_results(run), **said)
        with redirect_stdout(sys.stderr):
            finish(run, reason)

    return wrapped


def _results(run: Any) -> dict[str, Any]:
    done = run.finished()
    front = [] if done.empty else run.pareto()["trial"].tolist()
    best = None
    if front:
        row = run.best().iloc[0]
        best = {"trial": int(row["trial"]), "hash": row["hash"]}
        best |= {name: float(row[name]) for name in run.objectives}
    return {"run": str(run.directory), "done": len(done), "best": best, "front": front}
