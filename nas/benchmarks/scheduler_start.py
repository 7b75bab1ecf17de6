"""What `nas search` adds to Ray's own start: until the first trial is given to a worker."""

import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import yaml

from nas.benchmarks.scheduler_overhead import trivial_experiment
from search_spaces.errors import RunError

_PATIENCE_SECONDS = 120.0
_POLL_SECONDS = 0.02
_BARE_RAY = """
import os, time
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import ray
ray.init(address="local", include_dashboard=False, logging_level="error", log_to_driver=False)
print(time.monotonic(), flush=True)
ray.shutdown()
"""


def start_seconds(repeats: int) -> list[dict[str, object]]:
    """Return the median seconds from a process's begin to Ray's or the first trial's.

    Three kinds take turns: Ray alone; a search of trivial trials; the search that `nas search`
    runs without arguments, which makes its data and trains a tokenizer first.
    """
    with tempfile.TemporaryDirectory(prefix="nas-start-") as text:
        folder = Path(text)
        settings = trivial_experiment("boshnas", 4).model_dump(mode="json", exclude_defaults=True)
        (folder / "trivial.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        found: dict[str, list[float]] = {"Ray alone": [], "trivial": [], "default": []}
        for turn in range(repeats):
            found["Ray alone"].append(_ray_alone())
            for kind, arguments in {
                "trivial": [str(folder / "trivial.yaml")],
                "default": [],
            }.items():
                found[kind].append(_first_trial(arguments, folder / f"{kind}-{turn}"))
    medians = {kind: statistics.median(seconds) for kind, seconds in found.items()}
    alone = medians.pop("Ray alone")
    rows: list[dict[str, object]] = [{"start": "Ray alone", "seconds": alone, "repeats": repeats}]
    for kind, seconds in medians.items():
        rows.append({"start": f"nas search, {kind}", "seconds": seconds, "added": seconds - alone})
    return rows


def _ray_alone() -> float:
    begun = time.monotonic()
    answer = subprocess.run(
        [sys.executable, "-c", _BARE_RAY], capture_output=True, text=True, check=True
    )
    return float(answer.stdout.split()[-1]) - begun


def _first_trial(arguments: list[str], run: Path) -> float:
    """Start a search, and return the seconds until its record says that a trial starts."""
    # the record says times of day, so that this one is compared with it; the patience is counted
    label, begun = time.time(), time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", "search", *arguments, "--run", str(run)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while time.monotonic() - begun < _PATIENCE_SECONDS:
            started = _started_at(run / "run.db")
            if started is not None:
                return started - label
            if process.poll() is not None:
                break
            time.sleep(_POLL_SECONDS)
        process.kill()
        raise RunError(f"No trial started: {process.communicate()[1].strip()[-500:]}")
    finally:
        _end(process)


def _started_at(record: Path) -> float | None:
    try:
        with closing(sqlite3.connect(f"{record.as_uri()}?mode=ro", uri=True)) as db:
            return db.execute("SELECT MIN(started_at) FROM trials").fetchone()[0]
    except sqlite3.Error:  # not there yet, or being made
        return None


def _end(process: subprocess.Popen) -> None:
    """Interrupt a search twice, which stops it at once, and wait for it."""
    for _ in range(2):
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(1.0)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stderr.close()
