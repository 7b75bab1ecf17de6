"""A run directory from elsewhere: read with care, and used for nothing that nobody allowed."""

import os
import random
import shutil
import sqlite3
import sys

import pytest

from nas.runs.directory import open_run

READING = [
    ("status",), ("trials",), ("trials", "--format", "json"), ("pareto",), ("why", 1), ("replay",),
    ("report",), ("export", "--to", "out"), ("resume",), ("confirm",),
    ("ensemble", "--members", 2),
]  # fmt: skip
DEEP = "[" * 5000 + "]" * 5000
# SQL -> a part of the message
HARM = {
    "UPDATE trials SET hash = '../../victim'": "hash '../../victim'",
    "UPDATE trials SET hash = x'00ff'": "hash b'",
    "UPDATE trials SET architecture = '[]'": "architecture",
    "UPDATE trials SET scores = 'x'": "scores is no JSON",
    f"UPDATE trials SET proposal = '{DEEP}'": "proposal is no JSON",
    'UPDATE trials SET scores = \'{"glue": "a"}\' WHERE trial = 1': "scores",
    "UPDATE trials SET scores = '{\"glue\": 1e999}' WHERE trial = 1": "scores",
    'UPDATE trials SET costs = \'{"parameters": ' + "9" * 400 + "}' WHERE trial = 1": "costs",
    "UPDATE trials SET status = 'gone'": "status 'gone'",
    "UPDATE trials SET asked_at = 1e300": "asked_at 1e+300",
    "UPDATE trials SET started_at = 'x'": "started_at 'x'",
    "UPDATE trials SET fidelity = 'x'": "fidelity 'x'",
    "UPDATE trials SET seed = -1": "seed -1",
    "UPDATE trials SET trial = -trial": "which does not exist",
    "UPDATE trials SET continues = 77": "continues trial 77",
    'UPDATE trials SET proposal = \'{"parent": "../x"}\'': "proposal",
    "UPDATE trials SET history = '[1]'": "history",
    "UPDATE events SET trial = 99 WHERE kind = 'tell'": "about trial 99, which does not exist",
    "DELETE FROM trials WHERE trial = 3": "about trial 3, which does not exist",
    "UPDATE events SET payload = '{' WHERE kind = 'request'": "payload is no JSON",
    "UPDATE events SET payload = '{}' WHERE kind = 'request'": "has n None",
    "UPDATE meta SET value = '[]' WHERE key = 'objectives'": "'objectives' is no dict",
    "UPDATE meta SET value = x'ff' WHERE key = 'objectives'": "is no text",
    "UPDATE sessions SET seen_at = 'x'": "a session has the time 'x'",
    "ALTER TABLE trials RENAME COLUMN costs TO cost": "has no column 'costs'",
    "ALTER TABLE meta ADD COLUMN more TEXT": "table meta has the column 'more'",
    "DROP TABLE events": "its table events has no column",
    "CREATE TRIGGER t AFTER UPDATE ON trials BEGIN DELETE FROM events; END": "the trigger 't'",
    "CREATE VIEW v AS SELECT 1": "the view 'v'",
}


def changed(run, sql):
    with sqlite3.connect(run / "run.db") as db:
        db.executescript(sql)
    db.close()
    return run


def outside(tmp_path, run):
    return sorted(p for p in tmp_path.rglob("*") if run not in p.parents)


@pytest.mark.parametrize("sql", HARM, ids=lambda sql: sql[:45])
def test_a_record_that_no_driver_wrote_is_one_message_for_every_command(
    nas, searched, tmp_path, sql
):
    run = changed(searched(execution={"engine": "inline", "trial_function": "m:f"}), sql)
    (tmp_path / "victim").mkdir()
    before, messages = outside(tmp_path, run), []
    for command, *options in READING:
        code, _, err = nas(command, run, *options)
        messages.append(err)
        assert code in (0, 1, 2), err
        assert code == 0 or err.count("Error: ") == 1, err
    assert any(HARM[sql] in err for err in messages), messages
    assert outside(tmp_path, run) == before


def test_tables_that_cannot_be_written_to_are_a_message(nas, searched):
    function = {"engine": "inline", "trial_function": "nas.benchmarks.trivial_trial:measure"}
    harms = {
        "CREATE UNIQUE INDEX one ON sessions (1)": "UNIQUE constraint failed",
    }
    for number, (sql, message) in enumerate(harms.items()):
        run = searched(f"run{number}", objectives={"glue": "max"}, execution=function)
        changed(run, sql)
        code, _, err = nas("resume", run, "--trials", "+1", "--quiet", "--trust")
        assert code == 2, err
        assert message in err


def test_damaged_files_are_one_message_for_every_command(nas, searched, tmp_path):
    run = searched()
    whole = (run / "run.db").read_bytes()
    rng = random.Random(0)
    for case in range(12):
        data = bytearray(whole)
        if case % 3 == 0:
            del data[rng.randrange(len(data)) :]
        for _ in range(rng.choice((1, 40, 4000)) if data else 0):
            data[rng.randrange(len(data))] = rng.randrange(256)
        (run / "run.db").write_bytes(data)
        for suffix in ("-wal", "-shm"):
            (run / f"run.db{suffix}").unlink(missing_ok=True)
        for command, *options in READING[:7]:
            code, _, err = nas(command, run, *options)
            assert code in (0, 1, 2), (case, command, err)


def test_what_a_foreign_run_names_is_not_used_until_someone_says_so(
    nas, searched, tmp_path, monkeypatch
):
    run = tmp_path / "foreign"
    shutil.copytree(searched(trials=16), run)
    (tmp_path / "evil.py").write_text("open('ran', 'w')\nfrom search_spaces import load_space\n"
                                      "Space = load_space('flexibert-micro')\n")  # fmt: skip
    text = (run / "experiment.yaml").read_text()
    (run / "experiment.yaml").write_text(text.replace("flexibert-micro", "evil:Space"))
    for command, *options in [*READING, ("compare", searched("other"))]:
        code, _, err = nas(command, run, *options)
        assert code in (0, 2)
        assert not (tmp_path / "ran").exists(), command
        if command in ("replay", "resume", "confirm"):
            assert "space 'evil:Space', which this user has never named for it" in err
            assert f"nas {command} {run} --trust" in err
    assert "which this user has never named" in (run / "report.html").read_text()
    code, out, _ = nas("replay", run, "--trust")
    assert "0 differences" in out
    assert (tmp_path / "ran").exists()
    assert nas("replay", run)[0] == 0  # said once
    sys.modules.pop("evil", None)


@pytest.mark.parametrize(
    "execution",
    [{"trial_function": "evil:run"}, {"address": "ray://x:1"}, {"storage": "/tmp/elsewhere"}],
    ids=lambda e: next(iter(e)),
)
def test_who_started_a_run_may_continue_it_and_its_copy_asks(nas, searched, tmp_path, execution):
    run = searched(execution={"engine": "inline", **execution})
    open_run(run).require_trusted("nas resume")
    run.rename(tmp_path / "moved")
    code, _, err = nas("resume", tmp_path / "moved")
    assert (code, "has never named for it" in err) == (2, True), err


def test_without_a_home_to_note_it_in_trust_is_said_each_time(searched, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    run = open_run(searched(execution={"engine": "inline", "trial_function": "m:f"}))
    with pytest.raises(Exception, match="--trust"):
        run.require_trusted("nas resume")
    run.trust()
    run.require_trusted("nas resume")


@pytest.mark.parametrize("name", ["run.lock", "confirmations.db", "run.db-wal"])
def test_links_out_of_a_run_are_not_written_through(nas, searched, tmp_path, name):
    run = searched()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (run / name).unlink(missing_ok=True)
    os.symlink(victim, run / name)
    code, _, err = nas("resume", run, "--trials", "+1")
    assert (code, "is a link to" in err) == (2, True), err
    assert victim.read_text() == "precious"


def test_linked_folders_of_a_foreign_run_need_trust(nas, searched, tmp_path):
    run = searched()
    (tmp_path / "elsewhere").mkdir()
    shutil.rmtree(run / "weights")
    os.symlink(tmp_path / "elsewhere", run / "weights")
    code, _, err = nas("resume", run, "--trials", "+1")
    assert (code, "the folder weights, a link to" in err) == (2, True), err
