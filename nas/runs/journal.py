"""The record of a run: one SQLite file, written by the driver alone.

Every ask, start, result and failure is a committed row before anything acts on it. The events in
their order rebuild the policy; the trials are what people read.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from nas.runs.reading import connect_to_read
from nas.runs.rows import (
    JSON_COLUMNS,
    STATUSES,
    checked_event,
    checked_times,
    checked_trial,
    is_number,
    is_time,
    read_json_column,
    unreadable,
)
from nas.runs.schema import FORMAT, SCHEMA, check_tables, complete, migrate
from nas.whole_files import whole_file

# A clock that differs by less from the seconds that passed is kept in step, and was not set.
_SHIFT_SECONDS = 1.0


class Journal:
    """Reads and writes `run.db`.

    Args:
        path: The SQLite file.
        create: Make a new file with the current format.
        readonly: Open without the right to write, as readers of a live run do.
        facts: What a new file knows from its first moment on; see `set_meta`.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool = False,
        readonly: bool = False,
        facts: Mapping[str, str] | None = None,
    ):
        self.path = path
        if create:
            _create(path, facts or {})
        if readonly:
            self._db = connect_to_read(path)
        else:
            address = f"{path.resolve().as_uri()}?mode=rw"
            self._db = sqlite3.connect(address, uri=True, timeout=30)
        self._db.row_factory = sqlite3.Row
        self._together = False
        self._where = str(path)
        self._db.execute("PRAGMA trusted_schema=OFF")
        check_tables(self._db, self._where)
        if not readonly:
            # FULL: a committed row survives a power cut, not only a killed process.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            migrate(self._db)
        self._clock = self._moment_before(), time.monotonic()
        self._shift = 0.0

    def close(self) -> None:
        """Close the file; a writer's last reader folds the write-ahead log back into it."""
        self._db.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit everything written within as one: a power cut keeps all of it or nothing.

        What waits for the disk is the commit, so a step of the search that writes five rows costs
        as much as one that writes a single row.
        """
        if self._together:
            yield
            return
        self._together = True
        try:
            with self._db:
                yield
        finally:
            self._together = False

    def meta(self, key: str) -> str | None:
        """Return a value of the run's own facts, such as "format"."""
        row = self._one("SELECT value FROM meta WHERE key = ?", key)
        if row and not isinstance(row[0], str):
            raise unreadable(self._where, f"its fact {key!r} is no text")
        return row[0] if row else None

    def json_meta(self, key: str, default: Any) -> Any:
        """Return a fact that is kept as JSON, of the type of `default`; that where there is none.

        Raises:
            RunError: It is no JSON, or of another type.
        """
        text = self.meta(key)
        found = default if text is None else read_json_column(text, f"fact {key!r}", self._where)
        if not isinstance(found, type(default)):
            raise unreadable(self._where, f"its fact {key!r} is no {type(default).__name__}")
        return found

    def set_meta(self, key: str, value: str) -> None:
        """Store one of the run's own facts."""
        with self.together():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    # Time. A clock that is set, or jumps, must not lengthen a search or reorder what happened: what
    # is recorded is the clock's time at the beginning and the seconds since.

    def _moment_before(self) -> float:
        """Return the time, or that of the last thing recorded if the clock was set back since."""
        found = [time.time()]
        for query in ("SELECT MAX(at) FROM events", "SELECT MAX(seen_at) FROM sessions"):
            latest = self._db.execute(query).fetchone()[0]
            found += [latest] if is_time(latest) else []
        return max(found)

    def _now(self) -> float:
        before, begun = self._clock
        return before + time.monotonic() - begun

    def clock_shift(self) -> float:
        """Return by how many seconds the clock is ahead of the record's time, behind if negative.

        It is not zero once the clock was set while a driver was at work, or back before.
        """
        try:
            shift = float(self.meta("clock_shift") or 0.0)
        except ValueError:
            return 0.0
        return shift if is_time(abs(shift)) else 0.0

    def _note_shift(self, now: float) -> None:
        shift = time.time() - now
        if abs(shift - self._shift) > _SHIFT_SECONDS:
            self._shift = shift
            self.set_meta("clock_shift", f"{shift:.3f}")

    # Sessions: how long a driver has been at work on this run.

    def begin_session(self) -> int:
        """Note that a driver starts; return the session's number."""
        now = self._now()
        with self.together():
            self._shift = self.clock_shift()
            self._note_shift(now)
            row = self._db.execute(
                "INSERT INTO sessions (started_at, seen_at) VALUES (?, ?)", (now, now)
            )
        return int(row.lastrowid)

    def seen(self, session: int) -> None:
        """Note that the session's driver is alive."""
        now = self._now()
        with self.together():
            self._note_shift(now)
            self._db.execute("UPDATE sessions SET seen_at = ? WHERE session = ?", (now, session))

    def elapsed(self) -> float:
        """Return the seconds that drivers have spent on this run, all sessions together."""
        return sum(max(0.0, seen - started) for started, seen in self.sessions())

    def last_seen(self) -> float | None:
        """Return when a driver was last alive, by the clock as it goes now."""
        latest = max((seen for _, seen in self.sessions()), default=None)
        return None if latest is None else latest + self.clock_shift()

    def sessions(self) -> list[tuple[float, float]]:
        """Return when drivers were at work: (start, last seen), in seconds since the epoch."""
        rows = self._rows("SELECT started_at, seen_at FROM sessions ORDER BY session")
        return [checked_times(tuple(row), "a session", self._where) for row in rows]

    def proposal_seconds(self) -> list[float]:
        """Return how long the policy thought for each request, in seconds, in their order.

        Of a record that does not say so, what passed until the driver heard of the answer.
        """
        rows = self._rows(
            "SELECT COALESCE(MIN(json_extract(trial.proposal, '$.seconds')),"
            " MIN(asked.at) - request.at) FROM events AS asked JOIN events AS request"
            " ON request.event = json_extract(asked.payload, '$.request')"
            " JOIN trials AS trial ON trial.trial = asked.trial AND json_valid(trial.proposal)"
            " WHERE asked.kind = 'ask' AND json_valid(asked.payload)"
            " GROUP BY request.event ORDER BY request.event"
        )
        return [float(row[0]) for row in rows if is_number(row[0])]

    def capacities(self) -> list[tuple[float, int]]:
        """Return (seconds since the epoch, workers) for each time that their number was set."""
        rows = self._rows("SELECT event, at, payload FROM events WHERE kind = 'capacity'")
        found = []
        for event, at, payload in rows:
            _, _, _, read = checked_event(event, "capacity", None, payload, self._where)
            found.append((*checked_times((at,), f"event {event}", self._where), read["workers"]))
        return found

    def last_event(self) -> float | None:
        """Return when anything last happened to a trial, in seconds since the epoch."""
        (last,) = self._one("SELECT MAX(at) FROM events")
        return last if last is None else checked_times((last,), "an event", self._where)[0]

    # Trials.

    def requested(self, n: int) -> int:
        """Record that the policy is asked for `n` proposals now; return the event's number.

        What the policy knows then is every result recorded before this event and none after it.
        """
        with self.together():
            return self._event("request", None, {"n": n}, self._now())

    def exhausted(self, request: int) -> None:
        """Record that the policy had nothing left to propose."""
        with self.together():
            self._event("exhausted", None, {"request": request}, self._now())

    def asked(
        self,
        architecture: dict,
        digest: str,
        *,
        seed: int,
        proposal: dict,
        fidelity: float = 1.0,
        request: int | None = None,
    ) -> int:
        """Record a proposal before it is acted on; return the new trial's number."""
        payload = {} if request is None else {"request": request}
        return self._new("ask", payload, architecture, digest, fidelity, seed, proposal, None)

    def promoted(
        self, below: int, architecture: dict, digest: str, *, seed: int, fidelity: float,
        proposal: dict,
    ) -> int:  # fmt: skip
        """Record that trial `below` goes on at a higher fidelity; return the new trial's number."""
        payload = {"continues": below, "fidelity": fidelity}
        return self._new("promote", payload, architecture, digest, fidelity, seed, proposal, below)

    def _new(
        self, kind: str, payload: dict, architecture: dict, digest: str, fidelity: float, seed: int,
        proposal: dict, continues: int | None,
    ) -> int:  # fmt: skip
        now = self._now()
        with self.together():
            row = self._db.execute(
                "INSERT INTO trials (hash, architecture, fidelity, continues, seed, status,"
                " asked_at, proposal) VALUES (?, ?, ?, ?, ?, 'queued', ?, ?)",
                (
                    digest, json.dumps(architecture), fidelity, continues, seed, now,
                    json.dumps(proposal),
                ),
            )  # fmt: skip
            self._event(kind, row.lastrowid, payload, now)
        return int(row.lastrowid)

    def started(self, trial: int, worker: int | None = None, **payload: Any) -> None:
        """Record that a worker, the slot of that number, is about to get the trial.

        Args:
            trial: Its number.
            worker: The slot.
            payload: What else the event says, such as the trial's limit.
        """
        now = self._now()
        with self.together():
            self._db.execute(
                "UPDATE trials SET status = 'running', started_at = ?, worker = ?,"
                " attempts = attempts + 1 WHERE trial = ?",
                (now, worker, trial),
            )
            if worker is not None:
                payload = {"worker": worker, **payload}
            self._event("start", trial, payload, now)

    def requeued(self, trial: int, why: str, *, cause: str | None = None, **columns: Any) -> None:
        """Record that a started trial goes back to the queue, and why.

        Args:
            trial: Its number.
            why: For people.
            cause: Of the attempt's end; None where the search ended, not the attempt.
            columns: Columns of the table `trials` to change: "adjusted", "history".
        """
        with self.together():
            self._update(trial, {"status": "queued", **columns})
            payload = {"why": why, "cause": cause, "adjusted": columns.get("adjusted", {})}
            if cause is None:
                payload = {"why": why}
            self._event("requeue", trial, payload, self._now())

    def finished(self, trial: int, status: str, **columns: Any) -> None:
        """Record how a trial ended; `columns` are columns of the table `trials`."""
        assert status in STATUSES
        now = self._now()
        with self.together():
            self._update(trial, {"status": status, "finished_at": now, **columns})
            self._event("tell", trial, {"status": status}, now)

    def _update(self, trial: int, columns: dict[str, Any]) -> None:
        values = [
            json.dumps(value) if name in JSON_COLUMNS and value is not None else value
            for name, value in columns.items()
        ]
        names = ", ".join(f"{name} = ?" for name in columns)
        self._db.execute(f"UPDATE trials SET {names} WHERE trial = ?", (*values, trial))

    def decided(self, kind: str, **payload: Any) -> int:
        """Record a decision that is about no single trial, such as "aim" or "end"."""
        with self.together():
            return self._event(kind, None, payload, self._now())

    def _event(self, kind: str, trial: int | None, payload: dict, at: float) -> int:
        row = self._db.execute(
            "INSERT INTO events (at, kind, trial, payload) VALUES (?, ?, ?, ?)",
            (at, kind, trial, json.dumps(payload)),
        )
        return int(row.lastrowid)

    def trials(self) -> list[dict[str, Any]]:
        """Return every trial as a dictionary, in the order they were asked."""
        return list(self.each_trial())

    def each_trial(self) -> Iterator[dict[str, Any]]:
        """Yield every trial as a dictionary, in the order they were asked, one in memory."""
        for found in self._rows("SELECT * FROM trials ORDER BY trial"):
            yield checked_trial(complete(dict(found)), self._where)

    def events(self) -> Iterator[tuple[str, int | None, dict[str, Any]]]:
        """Yield (kind, trial, payload) in the order things happened."""
        for _, kind, trial, payload in self.numbered_events():
            yield kind, trial, payload

    def numbered_events(self) -> Iterator[tuple[int, str, int | None, dict[str, Any]]]:
        """Yield (event, kind, trial, payload) in the order things happened."""
        query = "SELECT event, kind, trial, payload FROM events ORDER BY event"
        for row in self._rows(query):
            yield checked_event(*row, self._where)

    def running(self) -> list[int]:
        """Return the trials that a driver has started and not seen the end of."""
        found = self._rows("SELECT trial FROM trials WHERE status = 'running' ORDER BY trial")
        return [row[0] for row in found]

    def counts(self) -> dict[str, int]:
        """Return the number of trials by status; every status is present."""
        found = dict(self._rows("SELECT status, COUNT(*) FROM trials GROUP BY status"))
        return {status: found.get(status, 0) for status in STATUSES}

    def _rows(self, query: str, *values: Any) -> Iterator[sqlite3.Row]:
        """Yield the rows of a query; a file that is damaged somewhere says so when it is met."""
        try:
            rows = self._db.execute(query, values)
            row = rows.fetchone()
            while row is not None:
                yield row
                row = rows.fetchone()
        except sqlite3.Error as error:
            raise unreadable(self._where, str(error)) from None

    def _one(self, query: str, *values: Any) -> sqlite3.Row | None:
        return next(self._rows(query, *values), None)


def _create(path: Path, facts: Mapping[str, str]) -> None:
    """Make a new file, which is there with its tables and facts or not at all."""
    with whole_file(path) as partial, closing(sqlite3.connect(partial)) as db, db:
        db.executescript(SCHEMA)
        db.executemany("INSERT INTO meta VALUES (?, ?)", [("format", str(FORMAT)), *facts.items()])
