"""A run that the reader may not write to can be read, whatever lies beside its record."""

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from nas.runs import reading
from nas.runs.directory import open_run

NOBODY = 65_534


def tables(place):
    with closing(open_run(place)) as run:
        found = run.trials(), run.proposals(), run.history(), run.confirmations()
        return [len(table) for table in found]


@contextmanager
def without_rights():
    """Let root be nobody, whom permissions bind."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def elsewhere(begin):
    """A folder that others can reach, with a finished run."""
    search = begin()
    search.run_until_done()
    folder = Path(tempfile.mkdtemp(prefix="nas-read-"))
    folder.chmod(0o755)
    yield search, folder / "run"
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("beside", ["nothing", "wal", "wal and shm", "empty wal"])
def test_every_table_of_a_run_without_the_right_to_write(elsewhere, beside):
    search, place = elsewhere
    if beside == "nothing":
        search.run.close()
    shutil.copytree(search.run.directory, place)  # else as a killed driver leaves it
    if beside in ("wal", "empty wal"):
        (place / "run.db-shm").unlink()
    if beside == "empty wal":
        search.run.close()
        shutil.copyfile(search.run.directory / "run.db", place / "run.db")
        (place / "run.db-wal").write_bytes(b"")
    for path in place.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    place.chmod(0o555)
    before = sorted(path.name for path in place.iterdir())
    expected = tables(search.run.directory)  # and what it takes is imported
    with without_rights():
        assert tables(place) == expected == [8, 8, 8, 0]
    assert sorted(path.name for path in place.iterdir()) == before


def test_a_record_in_memory_cannot_be_written_to_either(tmp_path, monkeypatch):
    with sqlite3.connect(tmp_path / "run.db") as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    copy = reading._of_copy(tmp_path / "run.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        copy.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        reading.connect_to_read(tmp_path / "none" / "run.db")
