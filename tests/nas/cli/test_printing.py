"""What reaches a terminal: nothing that it would act on, from whatever command."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import nas.cli as commands
from nas.cli.console_table import print_cells
from nas.cli.live import LiveView
from nas.cli.printing import console, echo
from nas.execution.last_lines import last_lines
from nas.search.progress import Progress
from search_spaces import load_space

NASTY = "no [/usr/lib/cuda] [bold] \x1b]0;mine\x07 \x9b31m \ud800 :smile:"
HARMLESS = r"no [/usr/lib/cuda] [bold] \x1b]0;mine\x07 \x9b31m \ud800 :smile:"


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")


def test_a_line(capsys):
    echo(NASTY)
    assert capsys.readouterr().out == f"{HARMLESS}\n"


@pytest.mark.usefixtures("terminal")
def test_a_table(capsys):
    print_cells([NASTY], [[NASTY]])
    assert capsys.readouterr().out.count(HARMLESS) == 2


@pytest.mark.usefixtures("terminal")
def test_the_live_view_of_a_failing_trial(capsys):
    trial = {
        "trial": 1, "status": "failed", "cause": "error", "error": NASTY,
        "architecture": load_space("flexibert-micro").sample(1, seed=0)[0].to_dict(),
    }  # fmt: skip
    counts = {"done": 0, "running": 0, "queued": 0, "failed": 1}
    with LiveView(objectives={NASTY: "max"}, quiet=False) as view:
        view.say(NASTY)
        view.update(Progress(counts, 2, None, 0, 1.0, None, latest=trial))
        view.update(Progress(counts, 2, None, 0, 1.0, None, note=NASTY))
    out = capsys.readouterr().out
    assert out.count(HARMLESS) >= 4
    assert "\x1b]" not in out


BENEATH = f"""
import sys
from nas.cli.live import LiveView
from nas.execution.last_lines import last_lines

with LiveView(objectives={{"glue": "max"}}, quiet=False), last_lines() as lines:
    print({NASTY!r})
    print({NASTY!r}, file=sys.stderr)
assert list(lines) == [{NASTY!r}, {NASTY!r}]  # the record writes it out when it is kept
"""


@pytest.mark.usefixtures("terminal")
def test_what_a_trial_prints_beneath_the_live_view():
    # in a process of its own: printed into itself, as it once was, it ends by no exception
    done = subprocess.run(
        [sys.executable, "-c", BENEATH], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.count(HARMLESS) == 2
    assert "\x1b]" not in done.stdout


def test_what_a_trial_prints_into_a_pipe(capsys):
    with last_lines():
        sys.stdout.write(f"10 %\r20 %\n{NASTY}\n")
    assert capsys.readouterr().out == f"10 %\r20 %\n{HARMLESS}\n"


def test_what_an_older_record_holds(nas, searched, capsys):
    directory = searched()
    import sqlite3

    with sqlite3.connect(directory / "run.db") as db:
        error = "no [/usr/lib/cuda] \x1b]0;mine\x07"
        db.execute("UPDATE trials SET error = ?, traceback = ?, logs = ? WHERE trial = 2",
                   (error, error, error))  # fmt: skip
        db.execute("UPDATE trials SET costs = json_set(costs, '$.parameters', 1.5) WHERE trial = 1")
        db.execute("UPDATE trials SET scores = json_set(scores, '$.cola', json('true'), "
                   "'$.status', 3) WHERE trial = 1")  # fmt: skip
    db.close()
    for command in ("status", "trials", "pareto", "report", "replay"):
        code, out, err = nas(command, directory)
        assert code == 0, err
        assert "\x1b" not in out + err
    assert r"[/usr/lib/cuda] \x1b]0;mine\x07" in nas("trials", directory)[1]
    assert r"[/usr/lib/cuda] \x1b]0;mine\x07" in nas("why", directory, 2)[1]


def test_an_argument_in_a_message(nas):
    for arguments in (["search", "--\x1b]0;x"], ["status", "\x1b]0;x"], ["\x1b]0;x"]):
        code, out, err = nas(*arguments)
        assert (code, "\x1b" in out + err) == (2, False)
        assert r"\x1b]0;x" in err


def test_no_command_prints_past_the_one_way():
    past = re.compile(r"click\.s?echo\(|[^_.\w]print\(|Console\(")
    found = [
        f"{path.name}: {line.strip()}"
        for path in Path(commands.__file__).parent.glob("*.py")
        if path.name != "printing.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if past.search(line)
    ]
    assert not found


def test_markup_is_text_on_the_console(capsys):
    console().print("[bold]x[/bold] [/nothing] :smile:")
    assert capsys.readouterr().out == "[bold]x[/bold] [/nothing] :smile:\n"
