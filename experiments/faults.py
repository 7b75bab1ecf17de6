"""Kill searches at random moments, resume them, and compare with what was recorded before.

Four kinds: the driver is killed with signal 9; a worker; the raylet of a node; and a power cut,
for which the run's directory is copied while it is written and the copy resumed. Afterwards each
run is resumed to its end and checked: every result that was committed is there unchanged, no trial
was trained twice to completion, and a replay repeats every proposal.

    python experiments/faults.py [--runs 200] [--to faults.csv] [--kinds driver,power]
    python experiments/faults.py --policy boshnas --engine ray --runs 48

Workers and raylets are always Ray's; `--engine ray` has the driver killed, and the power cut, with
workers of Ray beside it, too.
"""

import argparse
import contextlib
import csv
import json
import multiprocessing
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

from nas.benchmarks.pretend_trials import LOG_VARIABLE, SECONDS_VARIABLE
from nas.runs.directory import open_run
from nas.runs.endings import EXIT_CODES
from nas.search.replay import replayed

TRIALS = 8
KINDS = ("driver", "power", "worker", "raylet")
SETTINGS = {
    "objectives": "glue:max,parameters:min",
    "trials": TRIALS,
    "trackers": [],
}
EXECUTION = {
    "trial_function": "nas.benchmarks.pretend_trials:stepwise",
    "checkpoint_seconds": 1,
}
COUNTED = ("struck", "resumed", "kept", "lost", "twice", "differences")
COLUMNS = ("kind", "run", "policy", "engine", "at", *COUNTED, "seconds")


def committed(directory):
    """Return what the record holds for good: trial -> everything about a finished one."""
    path = directory / "run.db"
    if not path.exists():
        return {}
    try:
        with sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30) as db:
            db.row_factory = sqlite3.Row
            rows = db.execute("SELECT * FROM trials WHERE status = 'done'")
            return {row["trial"]: dict(row) for row in rows}
    except sqlite3.OperationalError:  # killed while the file was being made
        return {}


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


def _search(settings, directory):
    from nas.config import make_experiment
    from nas.search.driver import start

    sys.exit(EXIT_CODES[start(make_experiment(settings), directory)[1]])


def _resume(directory):
    from nas.search.driver import resume

    sys.exit(EXIT_CODES[resume(directory)[1]])


def in_process(what, *arguments):
    """Start `what` in a process of its own, forked from one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["nas.search.driver", "surrogates.policies.random_search", "nas.search.replay"]
    )
    process = context.Process(target=what, args=arguments)
    process.start()
    return process


def until(condition, seconds):
    """Wait until `condition` holds; return whether it came to that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def strike_time(directory, process, chance):
    """Wait until a random number of trials is done, and then a part of a trial longer."""
    wanted = chance.randrange(TRIALS)
    until(lambda: len(committed(directory)) >= wanted or not process.is_alive(), 60)
    time.sleep(chance.uniform(0.0, float(os.environ[SECONDS_VARIABLE])))


def end(process):
    """Kill a process and all that it has started, and wait for it."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        for below in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                below.kill()
    process.kill()
    process.join()


def cut_driver(directory, settings, chance):
    """Start a search and kill its driver at a random moment; Ray's workers may outlive it a bit."""
    process = in_process(_search, settings, directory)
    strike_time(directory, process, chance)
    process.kill()
    process.join()


def cut_power(directory, settings, chance):
    """Copy a run's directory while it is written, file after file; the copy is what survives."""
    import psutil

    live = directory.with_name(f"{directory.name}-live")
    process = in_process(_search, settings, live)
    strike_time(live, process, chance)
    # A machine without power stops between two instructions: nobody writes while we copy, but
    # what had not been renamed into place, or not folded into the database, is copied as it is.
    with contextlib.suppress(psutil.NoSuchProcess):  # it was done already
        driver = psutil.Process(process.pid)
        for each in (driver, *driver.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.suspend()
    if live.exists():
        shutil.copytree(live, directory)
    end(process)


def finish(directory, settings):
    """Resume the run, or start it if the driver died before there was one; return the exit code."""
    if (directory / "run.db").exists():
        process = in_process(_resume, directory)
    else:
        shutil.rmtree(directory, ignore_errors=True)
        process = in_process(_search, settings, directory)
    process.join(300)
    return process.exitcode


def struck(directory):
    """Return how many trials were under way when the fault came, and were tried again."""
    with contextlib.closing(open_run(directory)) as run:
        return sum(record["attempts"] > 1 for record in run.journal.trials())


def check(directory, before, code):
    """Return the columns that say what became of a run."""
    after = committed(directory)
    kept = sum(after.get(trial) == row for trial, row in before.items())
    with contextlib.closing(open_run(directory)) as run:
        differences = sum(decision.differs for decision in replayed(run))
    return {
        "struck": struck(directory),
        "resumed": int(code == 0 and len(after) == TRIALS),
        "kept": kept,
        "lost": len(before) - kept,
        "twice": trained_twice(directory),
        "differences": differences,
    }


class Nodes:
    """Two Ray nodes on this machine, of which the second one may be killed."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        self.second = self.cluster.add_node(num_cpus=1)

    def search(self, directory, settings, kind, chance):
        """Search here, in this process, while a thread kills a worker or the second node."""
        from nas.config import make_experiment
        from nas.search.driver import start

        execution = {**EXECUTION, "address": self.cluster.address}
        experiment = make_experiment({**settings, "execution": execution})
        seen = {}

        def strike():
            wanted = chance.randrange(TRIALS - 2)
            until(lambda: directory.exists() and len(committed(directory)) >= wanted, 60)
            time.sleep(chance.uniform(0.0, 0.3))
            seen["before"] = committed(directory)
            if kind == "raylet":
                kill_a_node(self.second)
            else:
                kill_a_worker(chance)

        striker = threading.Thread(target=strike)
        striker.start()
        run, reason = start(experiment, directory)
        striker.join()
        run.close()
        if kind == "raylet":
            self.cluster.remove_node(self.second, allow_graceful=False)
            self.second = self.cluster.add_node(num_cpus=1)
        return seen["before"], reason


def kill_a_node(node):
    """Kill a node's raylet and, as when its machine is gone, what it had started.

    Workers notice a dead raylet about a second later; a short trial would end and be told before.
    """
    import psutil

    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    started = raylet.children(recursive=True)
    node.kill_raylet(check_alive=False)
    for process in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def kill_a_worker(chance):
    """Kill one of the Ray workers below this process that has a trial."""
    import psutil

    def busy():
        below = psutil.Process().children(recursive=True)
        return [p for p in below if p.name().startswith("ray::_perform")]

    if until(busy, 3):
        victims = busy()
        if victims:
            chance.choice(victims).kill()


def one(kind, number, folder, nodes, policy="random", engine="inline"):
    """Make one run, hurt it, finish it; return its row of the table."""
    started, chance = time.monotonic(), random.Random(number)
    directory = folder / f"run-{number}"
    settings = {**SETTINGS, "policy": policy, "seed": number}
    if kind in ("worker", "raylet"):
        engine = "ray"
        before, reason = nodes.search(directory, settings, kind, chance)
        code = 0 if reason == "trials" else 1
    else:
        settings["execution"] = {**EXECUTION, "engine": engine}
        (cut_driver if kind == "driver" else cut_power)(directory, settings, chance)
        before = committed(directory)
        code = finish(directory, settings)
    what = {"kind": kind, "run": number, "policy": policy, "engine": engine, "at": len(before)}
    took = round(time.monotonic() - started, 1)
    return {**what, **check(directory, before, code), "seconds": took}


def print_table(rows):
    """Print one line a kind."""
    names = (
        "kind",
        "runs",
        "trials hit",
        "resumed",
        "kept",
        "lost",
        "trained twice",
        "replay differences",
    )
    print(" | ".join(names))
    for kind in (*dict.fromkeys(row["kind"] for row in rows), "all"):
        mine = [row for row in rows if kind in (row["kind"], "all")]
        sums = [sum(row[name] for row in mine) for name in COUNTED]
        print(" | ".join(map(str, (kind, len(mine), *sums))))


def main(runs, to, kinds, seed=0, policy="random", engine="inline"):
    """Make `runs` faults, in turn of each kind; write a row each, print the table."""
    os.environ.setdefault(SECONDS_VARIABLE, "0.25")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="nas-faults-") as folder,
        open(to, "w", newline="", encoding="utf-8") as file,
    ):
        os.environ[LOG_VARIABLE] = f"{folder}/steps.jsonl"  # before Ray: its workers inherit it
        nodes = Nodes() if {"worker", "raylet"} & set(kinds) else None
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number in range(runs):
            kind = kinds[number % len(kinds)]
            row = one(kind, seed + number, Path(folder), nodes, policy, engine)
            rows.append(row)
            writer.writerow(row)
            file.flush()
            print(row, flush=True)
    if nodes is not None:
        nodes.cluster.shutdown()
    print_table(rows)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--to", type=Path, default=Path("faults.csv"))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--policy", default="random")
    parser.add_argument("--engine", default="inline", choices=("inline", "ray"))
    given = parser.parse_args()
    kinds = given.kinds.split(",")
    main(given.runs, given.to, kinds, given.seed, given.policy, given.engine)
