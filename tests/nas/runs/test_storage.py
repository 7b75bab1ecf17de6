"""Storage: the same promises for a folder and for URIs, and trials that continue from it."""

import dataclasses
import os
import sqlite3
import uuid
from pathlib import Path

import pytest

from nas.execution import Job
from nas.execution.perform import perform
from nas.execution.record_copy import copied_record
from nas.runs.storage import Storage, open_storage, weights_name
from search_spaces import load_space
from search_spaces.errors import RunError

(ARCHITECTURE,) = load_space("flexibert-micro").sample(1, seed=5)


@pytest.fixture(params=["folder", "local", "memory"])
def storage(request, tmp_path):
    """A folder, a URI on this disk, and a URI that only this process sees."""
    place = {"folder": str(tmp_path / "s"), "local": f"local://{tmp_path}/s"}
    return Storage(place.get(request.param, f"memory://{uuid.uuid4().hex}/s"))


def job(**changes):
    return dataclasses.replace(Job(1, ARCHITECTURE.to_dict(), seed=7, timeout=100.0), **changes)


def test_what_is_put_is_got_listed_and_removed(storage, tmp_path):
    storage.check()
    assert storage.sizes("weights") == {}
    assert storage.read_json("results/a.json") is None
    assert not storage.get("weights/a", tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    for content in (b"first", b"second!"):
        (tmp_path / "file").write_bytes(content)
        storage.put(tmp_path / "file", "weights/a")
    storage.write_json("results/a.json", {"x": [1, 2]})
    assert storage.get("weights/a", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"second!"
    assert storage.read_json("results/a.json") == {"x": [1, 2]}
    assert storage.sizes("weights") == {"weights/a": 7}
    storage.remove("weights")
    storage.remove("never/there")
    assert storage.sizes("weights") == {}
    assert (storage.free() is None) == (storage.folder is None)


@pytest.mark.parametrize("place", ["/dev/null/x", "nope://bucket/x", "local:///dev/null/x"])
def test_a_place_without_permission_is_refused_by_name(place, tmp_path):
    with pytest.raises(RunError, match=f"Cannot write to the storage '{place}"):
        open_storage(place, tmp_path / "run")


def test_a_check_leaves_nothing_and_options_of_a_uri_stay_at_its_end(tmp_path, monkeypatch):
    open_storage(str(tmp_path / "a" / "b"), Path("run"), "id")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(Storage, "check", lambda self: None)
    found = open_storage("s3://bucket/x/?region=eu-west-1", Path("run"), "id")
    assert found.place == "s3://bucket/x/run-id?region=eu-west-1"


def test_a_run_without_a_setting_keeps_its_files_itself(tmp_path):
    assert open_storage(None, tmp_path / "run").folder == tmp_path / "run"
    assert open_storage(f"file://{tmp_path}/a", Path("run")).folder == tmp_path / "a" / "run"


def steps(architecture, recipe, data, *, weights_path, checkpoint, seed, fidelity):
    """Stand in for training: 4 steps, each noted in the checkpoint; dies where `recipe` says."""
    checkpoint.mkdir(parents=True, exist_ok=True)
    state = checkpoint / "state"
    begun = int(state.read_text()) if state.is_file() else 0
    for step in range(begun, int(4 * fidelity)):
        if step == recipe:
            raise RuntimeError("killed")
        data.append(step)
        partial = checkpoint / ".state.part"
        partial.write_text(str(step + 1))
        partial.replace(state)
    weights_path.write_bytes(f"weights of {seed} at {fidelity:g}".encode())
    return {"scores": {"glue": 0.5}, "costs": {"parameters": 1.0}}


def run(storage, job, done, die_at=None):
    function = f"{__name__}:steps"
    return perform(job, die_at, done, function=function, storage=storage, checkpoint_seconds=0.01)


def test_a_trial_continues_from_its_checkpoint_and_a_finished_one_is_not_repeated(storage):
    done = []
    failed = run(storage, job(), done, die_at=2)
    assert (failed.cause, done) == ("error", [0, 1])
    assert list(storage.sizes("checkpoints")) == [f"checkpoints/{ARCHITECTURE.hash}/state"]
    finished = run(storage, job(), done)
    assert (finished.cause, done) == (None, [0, 1, 2, 3])
    assert finished.weights is None
    assert storage.sizes("checkpoints") == {}
    # As after a driver that died before it heard of the result.
    again = run(storage, job(trial=9), done)
    assert again == dataclasses.replace(finished, trial=9)
    assert done == [0, 1, 2, 3]
    # Another seed is another trial.
    assert run(storage, job(seed=8), done).cause is None
    assert len(done) == 8


def test_a_promoted_trial_continues_and_each_fidelity_keeps_its_weights(storage, tmp_path):
    done = []
    run(storage, job(fidelity=0.5), done)
    assert done == [0, 1]
    run(storage, job(), done)
    assert done == [0, 1, 2, 3]
    for fidelity in (0.5, 1.0):
        assert storage.get(weights_name(ARCHITECTURE.hash, fidelity), tmp_path / "w")
        assert (tmp_path / "w").read_bytes() == f"weights of 7 at {fidelity:g}".encode()


def inherits(architecture, recipe, data, *, weights_path, inherit=None):
    data.append(None if inherit is None else inherit.weights_path.read_bytes())
    weights_path.write_bytes(b"new")
    return {"scores": {}, "costs": {}}


def test_a_child_gets_its_parents_weights_at_the_highest_fidelity(storage, tmp_path):
    seen = []
    parent = {"hash": "parent", "architecture": ARCHITECTURE.to_dict()}
    for number, fidelity in enumerate((None, 0.25, 0.5, 1.0)):
        if fidelity:
            (tmp_path / "w").write_bytes(f"{fidelity:g}".encode())
            storage.put(tmp_path / "w", weights_name("parent", fidelity))
        wanted = job(inherit=parent, seed=number)
        outcome = perform(wanted, None, seen, function=f"{__name__}:inherits", storage=storage)
        assert outcome.details == ({} if fidelity else {"missing_parent": "parent"})
        assert ("parent parent are gone" in outcome.logs) == (fidelity is None)
    assert seen == [None, b"0.25", b"0.5", b"1"]


def full(architecture, recipe, data, *, weights_path):
    weights_path.write_bytes(b"w")
    return {"scores": {}, "costs": {}}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_is_no_fault_of_the_trial(tmp_path, monkeypatch):
    storage = Storage(str(tmp_path))

    def no_space(path):
        with open("/dev/full", "w") as file:
            file.write("x")

    monkeypatch.setattr("nas.whole_files._sync", no_space)
    monkeypatch.setattr("nas.execution.perform._WORTH_SYNCING", 0.0)
    outcome = perform(job(), None, None, function=f"{__name__}:full", storage=storage)
    assert outcome.cause == "no-space"
    assert not list(tmp_path.rglob("*.json"))
    assert not list(tmp_path.rglob("*.part"))


def test_the_record_is_copied_while_it_is_written(storage, tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    (directory / "experiment.yaml").write_text("trials: 1")
    with copied_record(directory, storage), sqlite3.connect(directory / "run.db") as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (x)")
        db.execute("INSERT INTO t VALUES (5)")
        db.commit()
    assert storage.get("run.db", tmp_path / "copy.db")
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        assert copy.execute("SELECT x FROM t").fetchall() == [(5,)]
