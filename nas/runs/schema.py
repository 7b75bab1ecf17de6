"""The format of `run.db`: the tables, and what becomes of a file written by an older version.

A file of an older format can be read as it is, with the columns it lacks empty; the first driver
that continues the run adds them. A file of a newer format is refused (`open_run`).
"""

import sqlite3
from typing import Any

from nas.runs.rows import unreadable

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

# What every format has; a file with less, or with more than tables, is no record of a run.
_COLUMNS = {
    "meta": "key value",
    "trials": "trial hash architecture fidelity seed status attempts asked_at started_at "
    "finished_at seconds scores costs details proposal cause error traceback node device",
    "events": "event at kind trial payload",
    "sessions": "session started_at seen_at",
}
# An event or a continuation must be about a trial that there is.
_REFERENCES = {
    "event {} is about trial {}, which does not exist": "SELECT event, trial FROM events"
    " WHERE trial IS NOT NULL AND trial NOT IN (SELECT trial FROM trials) LIMIT 1",
    "trial {} continues trial {}, which it cannot": "SELECT trial, continues FROM trials AS it"
    " WHERE continues IS NOT NULL AND NOT EXISTS (SELECT 1 FROM trials AS low"
    " WHERE low.trial = it.continues AND low.trial < it.trial) LIMIT 1",
}

_ABSENT = dict.fromkeys(_SINCE_2) | {"adjusted": "{}", "history": "[]"}


def complete(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the table trials with the columns that an older format lacks."""
    return row if row.keys() >= _ABSENT.keys() else {**_ABSENT, **row}


def require_tables_only(db: sqlite3.Connection, where: str) -> None:
    """Check that a file has nothing that acts by itself when its tables are read or written.

    Raises:
        RunError: It has a view or a trigger.
    """
    for name, kind in db.execute("SELECT name, type FROM sqlite_master").fetchall():
        if kind not in ("table", "index"):
            raise unreadable(where, f"it has the {kind} {ascii(name)[:80]}, which no run has")


def check_tables(db: sqlite3.Connection, where: str) -> None:
    """Check that a file has the tables of a record, and nothing that acts when they are used.

    Raises:
        RunError: A table or a column is missing, or there is a view or a trigger.
    """
    require_tables_only(db, where)
    has_facts = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
    if has_facts:
        row = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        if row is not None and row[0] not in READABLE:
            return  # another version's, which whoever opens it says
    for table, columns in _COLUMNS.items():
        found = {row[1]: row[6] for row in db.execute(f"PRAGMA table_xinfo({table})")}
        wanted = columns.split()
        missing = next((name for name in wanted if name not in found), None)
        if missing is not None:
            raise unreadable(where, f"its table {table} has no column {missing!r}")
        more = next((name for name in found if name not in (*wanted, *_SINCE_2)), None)
        if more is not None:
            raise unreadable(where, f"its table {table} has the column {ascii(more)[:80]}")
        if any(found.values()):  # generated, or of a virtual table
            raise unreadable(where, f"its table {table} is none of a run")
    found = {row[1] for row in db.execute("PRAGMA table_xinfo(trials)")}
    for words, query in _REFERENCES.items():
        if "continues" in query and "continues" not in found:
            continue  # format 1
        row = db.execute(query).fetchone()
        if row is not None:
            raise unreadable(where, words.format(*(ascii(value)[:40] for value in row)))


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
