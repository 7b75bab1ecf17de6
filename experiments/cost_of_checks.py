"""What the checks of what comes from outside cost a trial, beside a trial that takes no time.

    python experiments/cost_of_checks.py

CPU seconds: of each check the least of several times many calls, which other processes disturb
least; of a trial those of a search in this process with `random`, the least of several. On Ray a
trial takes more, so that the share is smaller there.
"""

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from nas.benchmarks.trivial_trial import measure
from nas.config import make_experiment
from nas.execution import Outcome
from nas.execution.answers import plain_answer
from nas.execution.outcomes import checked
from nas.execution.trial_function import trial_function
from nas.runs.rows import JSON_COLUMNS, checked_event, checked_trial
from nas.search.driver import start
from search_spaces import load_space

FUNCTION = "nas.benchmarks.trivial_trial:measure"
OBJECTIVES = {"glue": "max", "parameters": "min"}


def seconds_of(call: Callable[[], object], calls: int, repeats: int = 5) -> float:
    """Return the CPU seconds of one call."""
    found = []
    for _ in range(repeats):
        begun = time.process_time()
        for _ in range(calls):
            call()
        found.append((time.process_time() - begun) / calls)
    return min(found)


def searched(folder: Path, trials: int) -> float:
    """Search in this process; return the CPU seconds of a trial."""
    settings = {
        "space": "flexibert-micro", "policy": "random", "objectives": OBJECTIVES, "trials": trials,
        "execution": {"engine": "inline", "trial_function": FUNCTION}, "trackers": [],
    }  # fmt: skip
    begun = time.process_time()
    start(make_experiment(settings), folder)
    return (time.process_time() - begun) / trials


def read(run: Path) -> tuple[dict, list[tuple]]:
    """Return the row of a trial and the events of one, as SQLite gives them."""
    with closing(sqlite3.connect(run / "run.db")) as db:
        db.row_factory = sqlite3.Row
        row = dict(db.execute("SELECT * FROM trials WHERE trial = 7").fetchone())
        names = "event, kind, trial, payload"
        events = db.execute(f"SELECT {names} FROM events WHERE trial = 7 OR kind = 'request'")
        found = [tuple(event) for event in events][:4]
    return row, found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--trials", type=int, default=300)
    options.add_argument("--calls", type=int, default=20_000)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        whole = min(searched(Path(place) / str(i), chosen.trials) for i in range(3))
        row, events = read(Path(place) / "0")
    architecture = next(iter(load_space("flexibert-micro").sample(1, seed=0)))
    answer = measure(architecture)
    outcome = Outcome(7, answer["scores"], answer["costs"], seconds=0.1, node="here", device="cpu")
    json_columns = [row[name] for name in JSON_COLUMNS]

    def parsed() -> None:  # which reading would do without a check, too
        for text in json_columns:
            json.loads(text)

    checks = {
        "the answer, in the worker": lambda: plain_answer(answer),
        "what arrives, in the driver": lambda: checked(outcome, OBJECTIVES),
        "finding and reading the trial function": lambda: trial_function(FUNCTION),
        "the row, where it is read again": lambda: checked_trial(dict(row), "run.db"),
        "its events, the same": lambda: [checked_event(*event, "run.db") for event in events],
    }
    found = {name: seconds_of(call, chosen.calls) for name, call in checks.items()}
    found["the row, where it is read again"] -= seconds_of(parsed, chosen.calls)
    for name, seconds in found.items():
        print(f"{name}: {seconds * 1e6:.1f} µs")
    total = sum(found.values())
    print(f"all: {total * 1e6:.1f} µs of {whole * 1e3:.2f} ms a trial: {total / whole:.2%}")


if __name__ == "__main__":
    main()
