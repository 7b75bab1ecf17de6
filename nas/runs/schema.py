"""The format of `run.db`: the tables, and what becomes of a file written by an older version.

A file of an older format can be read as it is, with the columns it lacks empty; the first driver
that continues the run adds them. A file of a newer format is refused (`open_run`).
"""

import sqlite3
from typing import Any

FORMAT = 2
READABLE = ("1", "2")

# Column of the table trials -> its SQL type, for what format 1 did not have.
_SINCE_2 = {
    "continues": "INTEGER",  # the trial of the same architecture at the fidelity below
    "worker": "INTEGER",  # the slot it ran in, counted from 0
    "gpu_seconds": "REAL",  # seconds times the share of a GPU, all attempts together
    "spent_seconds": "REAL",  # seconds of all attempts together
    "adjusted": "TEXT DEFAULT '{}'",  # what a retry changed: micro_batches, learning_rate_scale
    "history": "TEXT DEFAULT '[]'",  # how earlier attempts ended
    "logs": "TEXT",  # last lines the worker printed, where it failed
}

SCHEMA = f"""
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
  scores TEXT NOT NULL DEFAULT '{{}}',
  costs TEXT NOT NULL DEFAULT '{{}}',
  details TEXT NOT NULL DEFAULT '{{}}',
  proposal TEXT NOT NULL DEFAULT '{{}}',
  cause TEXT,
  error TEXT,
  traceback TEXT,
  node TEXT,
  device TEXT,
  {", ".join(f"{name} {kind}" for name, kind in _SINCE_2.items())}
);
CREATE TABLE events (
  event INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  kind TEXT NOT NULL,
  trial INTEGER,
  payload TEXT NOT NULL DEFAULT '{{}}'
);
CREATE TABLE sessions (
  session INTEGER PRIMARY KEY AUTOINCREMENT,
  started_at REAL NOT NULL,
  seen_at REAL NOT NULL
);
"""

_ABSENT = dict.fromkeys(_SINCE_2) | {"adjusted": "{}", "history": "[]"}


def complete(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the table trials with the columns that an older format lacks."""
    return row if row.keys() >= _ABSENT.keys() else {**_ABSENT, **row}


def migrate(db: sqlite3.Connection) -> None:
    """Bring an older file to this format, all at once; leave any other as it is."""
    found = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if found is None or found[0] != "1":
        return
    with db:
        # Without BEGIN, each ALTER TABLE would be committed by itself.
        db.execute("BEGIN IMMEDIATE")
        for name, kind in _SINCE_2.items():
            db.execute(f"ALTER TABLE trials ADD COLUMN {name} {kind}")
        db.execute("UPDATE meta SET value = ? WHERE key = 'format'", (str(FORMAT),))
