"""Streams of any encoding, and limits of the address space."""

import io
import os
import resource
import signal
import subprocess
import sys

import pytest

from nas.cli import main, terminal
from nas.execution import EngineGone


def run(*command, limit=None, **environment):
    def lower():
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "nas", *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lower,
    )


def test_any_text_is_written_whatever_the_encoding(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.speakable()
    stream.write("128·64 \ud800\n")
    stream.flush()
    assert stream.buffer.getvalue() == b"128\\xb764 \\ud800\n"


def test_an_address_space_that_is_too_small_is_an_error_with_the_remedy():
    done = run("space", "list", limit=300_000_000)
    assert (done.returncode, done.stdout) == (2, "")
    assert "limited to 300 MB (ulimit -v)" in done.stderr
    assert "ulimit -v unlimited" in done.stderr


@pytest.mark.parametrize(
    ("error", "limit", "said"),
    [
        (MemoryError(), None, "Memory ran out. Give the machine"),
        (MemoryError("8 GB"), 2 * 10**9, r"limited to 2.0 GB (ulimit -v), is used up (8 GB)"),
        (ImportError("libx.so: failed to map segment"), 2 * 10**9, "failed to map segment"),
    ],
)
def test_memory_that_runs_out_is_an_error(error, limit, said, monkeypatch, capsys):
    def end(**options):
        raise error

    monkeypatch.setattr(terminal, "address_space", lambda: limit)
    monkeypatch.setattr(main.cli, "main", end)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_an_engine_that_is_gone_ends_with_the_code_for_what_can_go_on(monkeypatch, capsys):
    def end(**options):
        raise EngineGone("Ray's raylet has ended. Start it again")

    monkeypatch.setattr(main.cli, "main", end)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 4
    assert capsys.readouterr().err == "Stopped: Ray's raylet has ended. Start it again\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_search_that_is_ended_while_it_is_set_up_leaves_nothing(number, tmp_path, monkeypatch):
    state = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "e.yaml"
    file.write_text("trials: 4\nexecution: {trial_function: 'time:sleep', engine: inline}\n")
    code = (
        "import os, signal, sys\n"
        "from nas.search import driver\n"
        f"driver.make_executor = lambda *_: os.kill(os.getpid(), {int(number)})\n"
        "from nas.cli.main import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "search", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "Interrupted before there was a run: nothing is left of it." in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["e.yaml"]
