"""The record of a run's confirmations: one small SQLite file beside run.db.

A file of its own, because the record of the search must stay what replays it.
"""

import json
import re
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.runs.reading import connect_to_read
from nas.runs.rows import checked_baseline, checked_latency, checked_training, unreadable
from nas.runs.schema import require_tables_only

if TYPE_CHECKING:
    import pandas as pd

FILE = "confirmations.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS trainings (
  hash TEXT NOT NULL,
  number INTEGER NOT NULL,
  seed INTEGER NOT NULL,
  status TEXT NOT NULL,
  scores TEXT NOT NULL DEFAULT '{}',
  costs TEXT NOT NULL DEFAULT '{}',
  seconds REAL,
  gpu_seconds REAL,
  node TEXT,
  device TEXT,
  cause TEXT,
  error TEXT,
  finished_at REAL NOT NULL,
  PRIMARY KEY (hash, number)
);
CREATE TABLE IF NOT EXISTS latencies (
  hash TEXT NOT NULL,
  number INTEGER NOT NULL,
  latency_ms REAL NOT NULL,
  machine TEXT NOT NULL,
  finished_at REAL NOT NULL,
  PRIMARY KEY (hash, number, machine)
);
CREATE TABLE IF NOT EXISTS baselines (
  role TEXT PRIMARY KEY,
  hash TEXT NOT NULL,
  words TEXT NOT NULL,
  architecture TEXT NOT NULL
);
"""


class Confirmations:
    """Reads and writes the trainings and latencies that confirm what a search found.

    Args:
        directory: The run's directory; the file is made when the first row is written.
        longer: So many times the passes of a trial were trained. What was trained for longer is
            recorded in a file of its own: it is another training.
    """

    def __init__(self, directory: Path, longer: int = 1):
        path = Path(FILE)
        name = FILE if longer == 1 else f"{path.stem}-{longer}-times{path.suffix}"
        self._path = directory / name

    def _rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        if not self._path.is_file():
            return []
        try:
            with closing(connect_to_read(self._path)) as db:
                db.row_factory = sqlite3.Row
                db.execute("PRAGMA trusted_schema=OFF")
                require_tables_only(db, str(self._path))
                return [dict(row) for row in db.execute(query, values)]
        except sqlite3.Error as error:
            raise unreadable(str(self._path), str(error)) from None

    def _write(self, query: str, *values: Any) -> None:
        try:
            with sqlite3.connect(self._path, timeout=30) as db:
                db.executescript(_SCHEMA)
                known = {row[1] for row in db.execute("PRAGMA table_info(trainings)")}
                if "gpu_seconds" not in known:  # a file of an older version
                    db.execute("ALTER TABLE trainings ADD COLUMN gpu_seconds REAL")
                db.execute("PRAGMA synchronous=FULL")
                db.execute(query, values)
        except sqlite3.Error as error:
            raise unreadable(str(self._path), str(error)) from None

    def trainings(self) -> list[dict[str, Any]]:
        """Return every training, in the order they ended."""
        rows = self._rows("SELECT * FROM trainings ORDER BY finished_at")
        return [checked_training(row, str(self._path)) for row in rows]

    def latencies(self) -> list[dict[str, Any]]:
        """Return every latency measured again, in the order they were measured."""
        rows = self._rows("SELECT * FROM latencies ORDER BY finished_at")
        return [checked_latency(row, str(self._path)) for row in rows]

    def baselines(self) -> list[dict[str, Any]]:
        """Return what the best one is compared with: role, hash, words and architecture."""
        # a file of an older version has no such table
        if not self._rows("SELECT 1 FROM sqlite_master WHERE name = 'baselines'"):
            return []
        rows = self._rows("SELECT * FROM baselines ORDER BY rowid")
        return [checked_baseline(row, str(self._path)) for row in rows]

    def compared(self, role: str, digest: str, words: str, architecture: dict[str, Any]) -> None:
        """Record a baseline in the place of the one that had its role."""
        text = json.dumps(architecture)
        row = role, digest, words, text
        self._write("INSERT OR REPLACE INTO baselines VALUES (?, ?, ?, ?)", *row)

    def trained(self, digest: str, number: int, seed: int, **columns: Any) -> None:
        """Record how the training of an architecture with its fresh seed `number` ended."""
        values = {"hash": digest, "number": number, "seed": seed, **columns}
        for name in ("scores", "costs"):
            values[name] = json.dumps(values.get(name, {}))
        values["finished_at"] = time.time()
        marks = ", ".join("?" * len(values))
        self._write(
            f"INSERT OR REPLACE INTO trainings ({', '.join(values)}) VALUES ({marks})",
            *values.values(),
        )

    def measured(self, digest: str, number: int, latency_ms: float, machine: str) -> None:
        """Record a latency in milliseconds."""
        self._write(
            "INSERT OR REPLACE INTO latencies VALUES (?, ?, ?, ?, ?)",
            digest,
            number,
            latency_ms,
            machine,
            time.time(),
        )


def confirmations_spent(directory: Path) -> tuple[float, float]:
    """Return the seconds that all confirmations of a run trained, and their seconds of a GPU."""
    rows = [
        row for n in (1, *_longer(directory)) for row in Confirmations(directory, n).trainings()
    ]
    return tuple(sum(row.get(n) or 0.0 for row in rows) for n in ("seconds", "gpu_seconds"))


def _longer(directory: Path) -> list[int]:
    """Return how many times longer than a trial was trained, by the files that say so."""
    stem, suffix = FILE.split(".")
    pattern = re.compile(rf"{stem}-([2-9]|[1-9][0-9]+)-times\.{suffix}")
    found = (pattern.fullmatch(path.name) for path in sorted(directory.glob(f"{stem}-*")))
    return [int(match[1]) for match in found if match]


def confirmed_facts(directory: Path, record: Mapping[str, Any], longer: int = 1) -> dict[str, Any]:
    """Return what was confirmed of one trial: mean and sample standard deviation; {} if nothing.

    Args:
        directory: The run's directory.
        record: The trial, with its hash, scores and costs.
        longer: So many times the passes of the trial.
    """
    store = Confirmations(directory, longer)
    own = [row for row in store.trainings() if row["hash"] == record["hash"]]
    done = [row for row in own if row["status"] == "done"]
    if not done:
        return {}
    facts: dict[str, Any] = {"seeds": len(done), "failed": len(own) - len(done)}
    for name in record["scores"]:
        facts |= _spread(name, [row["scores"][name] for row in done if name in row["scores"]])
    times = [row for row in store.latencies() if row["hash"] == record["hash"]]
    if times:
        machine = times[-1]["machine"]
        here = [row["latency_ms"] for row in times if row["machine"] == machine]
        facts |= {**_spread("latency_ms", here), "latency_machine": machine}
    return facts


def _spread(name: str, values: list[float]) -> dict[str, float]:
    import statistics

    if not values:
        return {}
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {f"{name}_mean": statistics.fmean(values), f"{name}_std": deviation}


def confirmation_table(
    directory: Path, records: list[dict[str, Any]], longer: int = 1
) -> "pd.DataFrame":
    """Return one row a confirmed architecture; see `nas.runs.directory.Run.confirmations`."""
    import pandas as pd

    rows = []
    for record in records:
        facts = confirmed_facts(directory, record, longer)
        if not facts:
            continue
        found = {**record["scores"], "latency_ms": record["costs"].get("latency_ms")}
        row = {name: record[name] for name in ("trial", "hash")}
        row |= {"seeds": facts["seeds"], "failed": facts["failed"]}
        for name, value in found.items():
            row[name] = value
            row |= {k: facts.get(k) for k in (f"{name}_mean", f"{name}_std")}
        rows.append({**row, "latency_machine": facts.get("latency_machine")})
    table = pd.DataFrame(rows, columns=list(rows[0]) if rows else ["trial", "hash", "seeds"])
    for name in table.columns:
        if name in ("trial", "seeds", "failed"):
            table[name] = table[name].astype("Int64")
        elif name in ("hash", "latency_machine"):
            table[name] = table[name].astype("string")
        else:
            table[name] = table[name].astype("float64")
    return table
