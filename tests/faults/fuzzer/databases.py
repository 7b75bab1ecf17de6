"""Changes of a run's record: what SQL can write into any column, and other tables."""

import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from random import Random

from fuzzer import values
from fuzzer.trees import change_tree


def change_database(rng: Random, path: Path) -> str:
    """Change one thing in a database by SQL; return what was done."""
    if not path.is_file():
        return "nothing"
    with suppress(sqlite3.Error, IndexError), closing(sqlite3.connect(path)) as db, db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        table = rng.choice([t for t in tables if not t.startswith("sqlite_")])
        rows = db.execute(f"SELECT rowid, * FROM {table}").fetchall()
        names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        kind = rng.randrange(14)
        if kind < 8 and rows:
            at = rng.randrange(len(names))
            row = rng.choice(rows)
            new = _odd(rng, row[at + 1])
            where = "" if rng.random() < 0.3 else f" WHERE rowid = {row[0]}"
            with suppress(sqlite3.Error, OverflowError):
                db.execute(f"UPDATE {table} SET {names[at]} = ?{where}", (new,))
            return f"{table}.{names[at]} = {new!r:.60}"
        statement = _statement(rng, kind, table, names, rows)
        with suppress(sqlite3.Error):
            db.execute(statement)
        return statement
    return "nothing"


def _odd(rng: Random, old: object) -> object:
    if isinstance(old, str) and old[:1] in "{[" and rng.random() < 0.7:
        with suppress(ValueError):
            return json.dumps(change_tree(rng, json.loads(old)))
    new = rng.choice((values.value(rng), values.near(rng, old), rng.randbytes(4), None))
    if isinstance(new, dict | list):
        return json.dumps(new)
    return str(new) if isinstance(new, int) and abs(new) >= 2**63 else new


def _statement(rng: Random, kind: int, table: str, names: list[str], rows: list) -> str:
    name = rng.choice(names)
    row = rng.choice(rows)[0] if rows else 0
    columns = ", ".join(names)
    again = ", ".join((f"{names[0]} + 1000", *names[1:]))
    return {
        8: f"DROP TABLE {table}",
        9: f"ALTER TABLE {table} DROP COLUMN {name}",
        10: f"ALTER TABLE {table} RENAME COLUMN {name} TO {name}_",
        11: f"DELETE FROM {table}" + ("" if rng.random() < 0.5 else f" WHERE rowid = {row}"),
        12: f"ALTER TABLE {table} ADD COLUMN odd TEXT",
    }.get(kind, f"INSERT INTO {table} ({columns}) SELECT {again} FROM {table}")
