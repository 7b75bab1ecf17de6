"""The main job with every part real, on a very small budget: search, stop, resume, export, load."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch
import yaml

import nas
from nas.cli.main import main

SETTINGS = {
    "tasks": ["sst2", "rte"],
    "trials": 4,
    "recipe": {
        "pretrain_tokens": 3000,
        "finetune_epochs": 1,
        "finetune_steps": 1,
        "max_train_examples": 64,
    },
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("search")
    (place / "small.yaml").write_text(yaml.safe_dump(SETTINGS))
    return place


def command(*arguments):
    return [sys.executable, "-m", "nas", *map(str, arguments)]


def call(place, *arguments):
    # The working directory is not the repository, so its path has to be given.
    root = os.path.dirname(os.path.dirname(nas.__file__))
    environment = {**os.environ, "PYTHONPATH": root}
    return subprocess.run(
        command(*arguments), cwd=place, env=environment, capture_output=True, text=True, timeout=280
    )


@pytest.fixture
def nas_main(place, monkeypatch):
    """Return a function that runs a command in this process, which has imported everything."""
    monkeypatch.chdir(place)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nas", *arguments])
        try:
            main()
        except SystemExit as stop:
            return stop.code or 0
        return 0

    return run


@pytest.fixture(scope="module")
def searched(place):
    answer = call(place, "search", "small.yaml")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer


def test_the_search_shows_progress_and_ends_with_front_picture_and_export(place, searched):
    # Without a terminal: JSON lines to programs, the summary to people.
    events = [json.loads(line) for line in searched.stdout.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds.count("trial") == 4
    assert (kinds[0], kinds[-1]) == ("stage", "end")
    assert events[-2]["progress"]["done"] == 4
    assert events[-1]["exit_code"] == 0
    assert events[-1]["best"]["trial"] in events[-1]["front"]
    searched = searched.stderr
    assert "Pareto front (glue up, parameters down, latency_ms down)" in searched
    assert "nas export runs/search-1 --pick best" in searched
    assert "against always the majority class" in searched
    run = place / "runs" / "search-1"
    names = {p.name for p in run.iterdir()}
    assert {"run.db", "experiment.yaml", "environment.json", "weights", "data"} <= names
    assert (run / "front.png").read_bytes().startswith(b"\x89PNG")
    table = nas.open_run(run).trials()
    assert (table["status"] == "done").all()
    assert {"glue", "sst2", "rte", "parameters", "latency_ms"} <= set(table.columns)
    assert table[["glue", "sst2", "rte"]].notna().all().all()
    glue = table[["sst2", "rte"]].mean(axis=1)
    pd.testing.assert_series_equal(table["glue"], glue, check_names=False)


def test_the_winner_loads_alike_everywhere(place, searched, nas_main, capsys):
    assert nas_main("export", "runs/search-1", "--pick", "best", "--to", "zoo/best") == 0
    capsys.readouterr()
    folder = place / "zoo" / "best"
    model = nas.load_model(folder)
    from transformers import AutoModel, AutoTokenizer

    other = AutoModel.from_pretrained(folder, trust_remote_code=True)
    batch = AutoTokenizer.from_pretrained(folder)(
        ["the film was good", "no"], padding=True, return_tensors="pt"
    )
    with torch.inference_mode():
        mine, theirs = model(**batch), other(**batch)
    assert mine.last_hidden_state.abs().sum() > 0
    assert torch.equal(mine.last_hidden_state, theirs.last_hidden_state)
    assert nas_main("export", "runs/search-1", "--pick", "best", "--to", "zoo/best") == 2
    assert "zoo/best" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_architectures_and_scores(place, searched, nas_main):
    (place / "inline.yaml").write_text(
        yaml.safe_dump({**SETTINGS, "trials": 2, "execution": {"engine": "inline"}})
    )
    assert nas_main("search", "inline.yaml", "--run", "second") == 0
    first = nas.open_run(place / "runs" / "search-1").trials().set_index("hash")
    second = nas.open_run(place / "second").trials().set_index("hash")
    # Two workers ask for the first two architectures before anything is known, as one does.
    assert second.index[0] == first.index[0]
    common = first.index.intersection(second.index)
    assert len(common)
    scores = ["glue", "sst2", "rte", "parameters", "flops"]
    pd.testing.assert_frame_equal(first.loc[common, scores], second.loc[common, scores])


def test_a_stopped_search_keeps_what_is_finished_and_repeats_nothing(place):
    """Stopped by Ctrl-C, continued, killed, continued: one run of six trials.

    Its policy is a light one: where proposals come from is nothing that stopping depends on.
    """
    run = place / "stopped"
    stopped = {**SETTINGS, "trials": 6, "policy": "evolution"}
    (place / "stopped.yaml").write_text(yaml.safe_dump(stopped))
    driver, output = stopped_after_a_trial(
        place, signal.SIGINT, "search", "stopped.yaml", "--run", run
    )
    assert driver.returncode == 4, output
    assert f"Continue: nas resume {run}" in output
    interrupted = finished_at(run)
    assert 1 <= len(interrupted) < 5
    driver, output = stopped_after_a_trial(place, signal.SIGKILL, "resume", run)
    assert driver.returncode == -signal.SIGKILL, output
    killed = finished_at(run)
    assert len(interrupted) < len(killed) < 6
    assert call(place, "status", run).returncode == 0
    answer = call(place, "resume", run)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    after = finished_at(run)
    assert len(after) == 6
    assert {h: killed[h] for h in interrupted} == interrupted
    assert {h: after[h] for h in killed} == killed


def stopped_after_a_trial(place, how, *arguments):
    """Run a command until it reports a trial, stop it; return its process and what it printed."""
    root = os.path.dirname(os.path.dirname(nas.__file__))
    driver = subprocess.Popen(
        command(*arguments),
        cwd=place,
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A test runner in the background ignores the interrupt, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    for line in driver.stdout:
        if '"event": "trial"' in line:
            break
    os.killpg(driver.pid, how) if how == signal.SIGINT else driver.kill()
    output = driver.stdout.read()
    driver.wait(timeout=60)
    return driver, output


def finished_at(run):
    """Return hash -> when it finished, of the finished trials."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with sqlite3.connect(run / "run.db", timeout=30) as db:
                rows = db.execute("SELECT hash, finished_at FROM trials WHERE status = 'done'")
                return dict(rows.fetchall())
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
