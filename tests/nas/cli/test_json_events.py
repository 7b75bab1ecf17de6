"""Without a terminal a search speaks JSON lines; with one, text."""

import io
import json
import sys

import pytest
from rich.console import Console

from nas.cli.json_events import ends_in_json
from nas.cli.live import LiveView
from nas.cli.search import finish


def test_every_line_is_an_object_and_people_read_the_other_stream(begin, capsys, monkeypatch):
    monkeypatch.setattr("nas.cli.search.print_against_majority", lambda run: None)
    with LiveView(objectives={"glue": "max"}, quiet=False) as view:
        view.say("Starting the workers")
        search = begin(watch=view.update)
        reason = search.run_until_done()
    run = search.run
    with pytest.raises(SystemExit) as stop:
        finish(run, reason)
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    assert events[0] == {"event": "stage", "text": "Starting the workers"}
    trials = [e for e in events if e["event"] == "trial"]
    assert sorted(e["trial"] for e in trials) == list(range(1, 9))
    assert trials[-1]["progress"]["done"] == 8
    assert trials[0]["costs"]["parameters"] > 0
    end = events[-1]
    assert (end["event"], end["reason"], end["exit_code"], end["done"]) == ("end", "trials", 0, 8)
    assert end["best"]["trial"] in end["front"]
    assert (stop.value.code or 0) == 0
    assert "Pareto front (glue up, parameters down)" in err


def test_a_terminal_gets_text_alone(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    ends_in_json(lambda run, reason: sys.stdout.write("the front"))(None, "trials")
    assert capsys.readouterr().out == "the front"


def test_a_run_without_results_ends_in_json_too(begin, capsys):
    run = begin().run
    with pytest.raises(SystemExit) as stop:
        finish(run, "interrupted")
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "event": "end", "reason": "interrupted", "exit_code": 4, "run": str(run.directory),
        "done": 0, "best": None, "front": [],
    }  # fmt: skip
    assert stop.value.code == 4
    assert "Continue: nas resume" in err


def test_what_a_terminal_showed_last_stays_there(begin):
    view = LiveView(objectives={"glue": "max"}, quiet=False)
    view._console = Console(width=120, file=io.StringIO(), force_terminal=True, highlight=False)
    with view:
        view.say("Starting the workers")
        begin(watch=view.update).run_until_done()
    shown = view._console.file.getvalue()
    assert "Starting the workers …" in shown
    assert all(f"trial {n:>3}  glue" in shown for n in range(1, 9))
    _, _, after = shown.rpartition("8 done, 0 running")
    assert after
    assert "\x1b[2K" not in after, "a line was wiped out"
