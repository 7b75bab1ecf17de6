"""Strike searches at random moments, resume them, and compare with what was recorded before.

Eleven kinds (`strikes.py`): the driver is killed with signal 9; a power cut, for which the run's
directory is copied while it is written and the copy resumed; a worker is killed; a node of a
cluster; the global control service (gcs) or the raylet of the search's own Ray, at work, while it
starts and while it ends; SIGHUP; the clock is set by a day; the disk is full. Afterwards each run
is resumed to its end and checked: every result that was committed is there unchanged, no trial was
trained twice to completion, a replay repeats every proposal, the durations are true, every command
ended with a message of ours and an exit code of the README, and nothing is left behind in the
folder for temporary files.

    python experiments/faults.py [--runs 200] [--to faults.csv] [--kinds driver,power]
    python experiments/faults.py --policy boshnas --engine ray --runs 48

A table that exists is continued. Workers, nodes, gcs and raylets are always Ray's; `--engine`
says what trains under the other strikes, `both` in turn.
"""

import argparse
import contextlib
import csv
import json
import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import psutil
from strikes import ON_NODES, ON_RAY, STRIKES, TRIALS, Nodes, Stage, committed

from nas.benchmarks.pretend_trials import LOG_VARIABLE, SECONDS_VARIABLE
from nas.runs.directory import open_run
from nas.search.replay import replayed
from search_spaces.errors import NasError

SETTINGS = {"objectives": "glue:max,parameters:min", "trials": TRIALS, "trackers": []}
EXECUTION = {
    "trial_function": "nas.benchmarks.pretend_trials:stepwise",
    "checkpoint_seconds": 1,
}
COUNTED = ("struck", "resumed", "kept", "lost", "twice", "differences", "untrue", "unsaid", "left")
COLUMNS = (
    "kind", "run", "policy", "engine", "how", "at", *COUNTED, "codes", "slowest", "seconds",
    "message",
)  # fmt: skip
_HEADINGS = (
    "kind", "runs", "trials hit", "finished", "kept", "lost", "trained twice",
    "replay differences", "untrue durations", "exits without our message", "left behind",
)  # fmt: skip


def trained_twice(directory):
    """Return how many trials of a run have every step twice or more."""
    log, taken = Path(os.environ[LOG_VARIABLE]), defaultdict(Counter)
    if not log.exists():
        return 0
    for line in log.read_text(encoding="utf-8").splitlines():
        step = json.loads(line)
        if step["run"] in (directory.name, f"{directory.name}-live"):
            taken[step["hash"], step["fidelity"]][step["step"]] += 1
    return sum(min(steps.values()) > 1 for steps in taken.values() if len(steps) == 10)


def untrue(run, seconds):
    """Return how many durations of a run are impossible, `seconds` after its search began."""
    trials = run.journal.trials()
    spent = [run.journal.elapsed(), *(trial["seconds"] for trial in trials if trial["seconds"])]
    with contextlib.closing(sqlite3.connect(run.directory / "run.db")) as record:
        moments = [at for (at,) in record.execute("SELECT at FROM events ORDER BY event")]
    backwards = sum(later < before for before, later in zip(moments, moments[1:], strict=False))
    return backwards + sum(not 0 <= one <= seconds for one in spent)


def left_behind(temporary):
    """Return how many files and processes there still are of searches that have ended."""
    processes = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            processes += f"{temporary}/" in " ".join(process.cmdline())
    return processes + sum(1 for _ in temporary.iterdir())


def check(stage, code, seconds):
    """Return the columns that say what became of a run."""
    before, after = stage.before, committed(stage.directory)
    kept = sum(after.get(trial) == row for trial, row in before.items())
    unsaid = sum(not command.said_why() for command in stage.commands)
    if not (stage.directory / "run.db").exists():  # the last command has not even begun one
        return {**dict.fromkeys(COUNTED, 0), "lost": len(before), "unsaid": unsaid}
    try:
        opened = open_run(stage.directory)
    except NasError as error:  # a finding, and no reason to strike no further
        print(f"cannot be read: {error}", flush=True)
        return {**dict.fromkeys(COUNTED, 0), "lost": max(1, len(before)), "unsaid": unsaid}
    with contextlib.closing(opened) as run:
        differences = sum(decision.differs for decision in replayed(run))
        struck = sum(record["attempts"] > 1 for record in run.journal.trials())
        false = untrue(run, seconds)
    return {
        "struck": struck,  # trials that were under way when the fault came, and were tried again
        "resumed": int(code == 0 and len(after) == TRIALS),
        "kept": kept,
        "lost": len(before) - kept,
        "twice": trained_twice(stage.directory),
        "differences": differences,
        "untrue": false,
        "unsaid": unsaid,
    }


def one(kind, number, folder, nodes, policy="random", engine="inline"):
    """Make one run, strike it, finish it; return its row of the table."""
    started = time.monotonic()
    if kind in ON_RAY:
        engine = "ray"
    elif engine == "both":
        engine = ("inline", "ray")[number % 2]
    execution = {**EXECUTION, "engine": engine}
    settings = {**SETTINGS, "policy": policy, "seed": number, "execution": execution}
    temporary = Path(os.environ["TMPDIR"])
    with Stage(folder / str(number), settings, random.Random(number), nodes) as stage:
        how = STRIKES[kind](stage)
        hit = stage.commands[0] if stage.commands else None  # None: killed, so that it said nothing
        slowest = 0.0 if hit is None else hit.seconds
        if not (hit and hit.code == 0):
            stage.resume().wait()
        codes = [command.code for command in stage.commands]
        results = check(stage, codes[-1], time.monotonic() - started)
        message = "" if hit is None else hit.message().replace(str(stage.directory), "RUN")
        _keep_output(stage, results, number)
        at = len(stage.before)
    what = {"kind": kind, "run": number, "policy": policy, "engine": engine, "how": how, "at": at}
    return {
        **what,
        **results,
        "left": left_behind(temporary),
        "codes": " ".join(map(str, codes)),
        "slowest": round(slowest, 1),
        "seconds": round(time.monotonic() - started, 1),
        "message": message,
    }


def _keep_output(stage, results, number):
    """Keep what the commands of a strike said that did harm, to be read."""
    place = os.environ.get("NAS_STRIKE_OUTPUT")
    if place and (results["unsaid"] or results["lost"] or not results["resumed"]):
        for file in stage.folder.glob("command-*"):
            shutil.copy(file, Path(place) / f"{number}-{file.name}")


def print_table(rows):
    """Print one line a kind."""
    print(" | ".join(_HEADINGS))
    for kind in (*dict.fromkeys(row["kind"] for row in rows), "all"):
        mine = [row for row in rows if kind in (row["kind"], "all")]
        sums = [sum(int(row[name]) for row in mine) for name in COUNTED]
        print(" | ".join(map(str, (kind, len(mine), *sums))))


def rows_of(table):
    """Return the rows of a table that an earlier call has made."""
    if not table.exists():
        return []
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main(runs, to, kinds, seed=0, policy="random", engine="inline"):
    """Make `runs` strikes, in turn of each kind; add a row each, print the table."""
    os.environ.setdefault(SECONDS_VARIABLE, "0.25")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    rows = rows_of(to)
    there = {int(row["run"]) for row in rows}
    missing = [number for number in range(seed, seed + runs) if number not in there]
    kind_of = {number: kinds[(number - seed) % len(kinds)] for number in missing}
    with (
        tempfile.TemporaryDirectory(prefix="nf-") as folder,
        open(to, "a", newline="", encoding="utf-8") as file,
    ):
        os.environ[LOG_VARIABLE] = f"{folder}/steps.jsonl"  # before Ray: its workers inherit it
        nodes = Nodes() if set(ON_NODES) & set(kind_of.values()) else None
        # Of the searches alone, and short: paths of Ray's sockets go below it.
        os.environ["TMPDIR"] = f"{folder}/t"
        Path(os.environ["TMPDIR"]).mkdir()
        writer = csv.DictWriter(file, COLUMNS)
        if not rows:
            writer.writeheader()
        for number, kind in kind_of.items():
            row = one(kind, number, Path(folder), nodes, policy, engine)
            rows.append(row)
            writer.writerow(row)
            file.flush()
            print(row, flush=True)
        if nodes is not None:
            nodes.close()
    print_table(rows)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--to", type=Path, default=Path("faults.csv"))
    parser.add_argument("--kinds", default=",".join(STRIKES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--policy", default="random")
    parser.add_argument("--engine", default="inline", choices=("inline", "ray", "both"))
    given = parser.parse_args()
    kinds = given.kinds.split(",")
    main(given.runs, given.to, kinds, given.seed, given.policy, given.engine)
