"""The record of a run: one SQLite file, written by the driver alone.

Every ask, start, result and failure is a committed row before anything acts on it. The events in
their order rebuild the policy; the trials are what people read.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FORMAT = 1

# "stopped" marks a trial that the user or the budget ended, not a fault of its own.
STATUSES = ("queued", "running", "done", "failed", "stopped")

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trials (
  trial INTEGER PRIMARY KEY,
  hash TEXT NOT NULL,
  architecture TEXT NOT NULL,
  fidelity REAL NOT NULL,
  seed INTEGER NOT NULL,
  status TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  asked_at REAL NOT NULL,
  started_at REAL,
  finished_at REAL,
  seconds REAL,
  scores TEXT NOT NULL DEFAULT '{}',
  costs TEXT NOT NULL DEFAULT '{}',
  details TEXT NOT NULL DEFAULT '{}',
  proposal TEXT NOT NULL DEFAULT '{}',
  cause TEXT,
  error TEXT,
  traceback TEXT,
  node TEXT,
  device TEXT
);
CREATE TABLE events (
  event INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  kind TEXT NOT NULL,
  trial INTEGER,
  payload TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE sessions (
  session INTEGER PRIMARY KEY AUTOINCREMENT,
  started_at REAL NOT NULL,
  seen_at REAL NOT NULL
);
"""

_JSON_COLUMNS = ("architecture", "scores", "costs", "details", "proposal")


class Journal:
    """Reads and writes `run.db`.

    Args:
        path: The SQLite file.
        create: Make a new file with the current format.
        readonly: Open without the right to write, as readers of a live run do.
    """

    def __init__(self, path: Path, *, create: bool = False, readonly: bool = False):
        self.path = path
        mode = "ro" if readonly else "rwc" if create else "rw"
        self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=30)
        self._db.row_factory = sqlite3.Row
        if not readonly:
            # FULL: a committed row survives a power cut, not only a killed process.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
        if create:
            with self._db:
                self._db.executescript(_SCHEMA)
                self._db.execute("INSERT INTO meta VALUES ('format', ?)", (str(FORMAT),))

    def close(self) -> None:
        """Close the file; a writer's last reader folds the write-ahead log back into it."""
        self._db.close()

    def meta(self, key: str) -> str | None:
        """Return a value of the run's own facts, such as "format"."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_meta(self, key: str, value: str) -> None:
        """Store one of the run's own facts."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    # Sessions: how long a driver has been at work on this run.

    def begin_session(self) -> int:
        """Note that a driver starts; return the session's number."""
        now = time.time()
        with self._db:
            row = self._db.execute(
                "INSERT INTO sessions (started_at, seen_at) VALUES (?, ?)", (now, now)
            )
        return int(row.lastrowid)

    def seen(self, session: int) -> None:
        """Note that the session's driver is alive."""
        with self._db:
            self._db.execute(
                "UPDATE sessions SET seen_at = ? WHERE session = ?", (time.time(), session)
            )

    def elapsed(self) -> float:
        """Return the seconds that drivers have spent on this run, all sessions together."""
        row = self._db.execute("SELECT SUM(seen_at - started_at) FROM sessions").fetchone()
        return float(row[0] or 0.0)

    def last_seen(self) -> float | None:
        """Return when a driver was last alive, in seconds since the epoch."""
        return self._db.execute("SELECT MAX(seen_at) FROM sessions").fetchone()[0]

    # Trials.

    def asked(self, architecture: dict, digest: str, *, seed: int, proposal: dict) -> int:
        """Record a proposal before it is acted on; return the new trial's number."""
        now = time.time()
        with self._db:
            row = self._db.execute(
                "INSERT INTO trials"
                " (hash, architecture, fidelity, seed, status, asked_at, proposal)"
                " VALUES (?, ?, 1.0, ?, 'queued', ?, ?)",
                (digest, json.dumps(architecture), seed, now, json.dumps(proposal)),
            )
            self._event("ask", row.lastrowid, {}, now)
        return int(row.lastrowid)

    def started(self, trial: int) -> None:
        """Record that a worker is about to get the trial."""
        now = time.time()
        with self._db:
            self._db.execute(
                "UPDATE trials SET status = 'running', started_at = ?, attempts = attempts + 1"
                " WHERE trial = ?",
                (now, trial),
            )
            self._event("start", trial, {}, now)

    def requeued(self, trial: int, why: str) -> None:
        """Record that a started trial goes back to the queue: its worker was lost."""
        with self._db:
            self._db.execute("UPDATE trials SET status = 'queued' WHERE trial = ?", (trial,))
            self._event("requeue", trial, {"why": why}, time.time())

    def finished(self, trial: int, status: str, **columns: Any) -> None:
        """Record how a trial ended; `columns` are columns of the table `trials`."""
        assert status in STATUSES
        now = time.time()
        columns = {"status": status, "finished_at": now, **columns}
        for name in _JSON_COLUMNS:
            if name in columns:
                columns[name] = json.dumps(columns[name])
        names = ", ".join(f"{name} = ?" for name in columns)
        with self._db:
            self._db.execute(
                f"UPDATE trials SET {names} WHERE trial = ?", (*columns.values(), trial)
            )
            self._event("tell", trial, {"status": status}, now)

    def _event(self, kind: str, trial: int | None, payload: dict, at: float) -> None:
        self._db.execute(
            "INSERT INTO events (at, kind, trial, payload) VALUES (?, ?, ?, ?)",
            (at, kind, trial, json.dumps(payload)),
        )

    def trials(self) -> list[dict[str, Any]]:
        """Return every trial as a dictionary, in the order they were asked."""
        rows = [dict(row) for row in self._db.execute("SELECT * FROM trials ORDER BY trial")]
        for row in rows:
            for name in _JSON_COLUMNS:
                row[name] = json.loads(row[name])
        return rows

    def events(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Yield (kind, trial, payload) in the order things happened."""
        for row in self._db.execute("SELECT kind, trial, payload FROM events ORDER BY event"):
            yield row["kind"], row["trial"], json.loads(row["payload"])

    def counts(self) -> dict[str, int]:
        """Return the number of trials by status; every status is present."""
        found = dict(self._db.execute("SELECT status, COUNT(*) FROM trials GROUP BY status"))
        return {status: found.get(status, 0) for status in STATUSES}
