"""A program runs in a fork as in a fresh start of Python, and the forks know nothing of each other.

What it is for, an exported model where the project is not, is tested where the models are.
"""

import os
import signal
import subprocess
import time

import pytest


def test_arguments_directory_environment_and_exit_code(warm_python, tmp_path):
    (tmp_path / "near.py").write_text("print('near', __name__)\n")
    code = (
        "import near, os, sys; print(sys.argv, os.getcwd(), os.environ['WISH'], __name__);"
        "print('to people', file=sys.stderr); sys.exit(7)"
    )
    path = {"PATH": os.environ["PATH"], "WISH": "ü"}
    done = warm_python.run("-c", code, "a b", "-x", cwd=tmp_path, env=path)
    assert done.returncode == 7
    assert done.stdout == f"near near\n['-c', 'a b', '-x'] {tmp_path} ü __main__\n"
    assert done.stderr == "to people\n"
    assert warm_python.run("-m", "near", cwd=tmp_path).stdout == "near __main__\n"
    assert warm_python.run(str(tmp_path / "near.py")).stdout == "near __main__\n"
    there = {**path, "PYTHONPATH": str(tmp_path)}
    assert warm_python.run("-c", "import near", cwd="/", env=there).stdout == "near near\n"
    alone = warm_python.run("-I", "-c", "import near", cwd=tmp_path, env=there)
    assert "No module named 'near'" in alone.stderr


def test_nothing_of_the_project_is_there_before_it_is_imported(warm_python):
    code = "import sys; print([m for m in sys.modules if m.split('.')[0] in {names}])"
    own = ("nas", "search_spaces", "surrogates", "conftest", "warm_python")
    assert warm_python.run("-c", code.format(names=own)).stdout == "[]\n"
    assert "torch" in warm_python.run("-c", code.format(names=("torch",))).stdout  # or it is slow


def test_one_program_leaves_nothing_to_the_next(warm_python, tmp_path):
    spoil = (
        "import atexit, os, sys, torch; os.environ['LEFT'] = '1'; sys.modules['nas'] = None;"
        "torch.left = 1; torch.manual_seed(3); sys.path.clear(); os.chdir('/');"
        "atexit.register(print, 'at the end')"
    )
    look = "import os, sys, torch; print(hasattr(torch, 'left'), torch.initial_seed(), os.getcwd())"
    before = warm_python.run("-c", look, cwd=tmp_path).stdout
    assert warm_python.run("-c", spoil, cwd=tmp_path).stdout == "at the end\n"
    assert warm_python.run("-c", look, cwd=tmp_path).stdout == before
    assert before.startswith("False ")
    assert before.endswith(f"{tmp_path}\n")


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("raise SystemExit('no')", 1, "no\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, ""),
        ("import os; os.abort()", -signal.SIGABRT, ""),
    ],
)
def test_a_failure_is_told_as_python_tells_it(warm_python, code, exit_code, said):
    done = warm_python.run("-c", code)
    assert done.returncode == exit_code
    assert done.stderr.endswith(said)


def test_a_shim_reads_its_input_and_several_run_at_once(warm_python, tmp_path):
    warm_python.write_shim(tmp_path / "python")
    double = "import sys; print(sys.stdin.read() * 2, end='')"
    line = f'(echo a | python -c "{double}") & (echo b | python -c "{double}"); wait'
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    out = subprocess.run(["sh", "-c", line], env=path, capture_output=True, text=True).stdout
    assert sorted(out.split()) == ["a", "a", "b", "b"]


def test_a_program_that_nobody_waits_for_ends(warm_python, tmp_path):
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(subprocess.TimeoutExpired):
        warm_python.run("-c", code, cwd=tmp_path, timeout=3)
    number, deadline = int((tmp_path / "pid").read_text()), time.monotonic() + 20
    while os.path.exists(f"/proc/{number}"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
