"""What comes from outside, line by line: each with its command, exit code and message.

    python experiments/edges.py                  # all, a table
    python experiments/edges.py --line 2 --line 4
    python experiments/edges.py --long           # those that need Ray, limits or signals, too

The lines are eight: a worker's answer, a foreign run, durations, round trips, data, the machine,
policies, small truths (`edge_cases.py` and `edge_machine.py` have them). Commands run in guarded
forks of one process that has everything imported, as the fuzzer's do; those of the machine in
processes of their own. The exit code is 1 if anything ends with another code or message.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# the fuzzer, and trial functions that answer oddly
_HERE = (ROOT, ROOT / "tests" / "faults", ROOT / "tests" / "nas" / "execution")
sys.path[:0] = [str(path) for path in _HERE]
os.environ.setdefault("FUZZ_SECONDS", "200")

LINES = {
    1: "a worker's answer", 2: "a foreign run directory", 3: "durations", 4: "round trips",
    5: "data", 6: "the machine", 7: "the policies", 8: "small truths",
}  # fmt: skip
_SECONDS = 300  # a command in a process of its own


@dataclass(frozen=True)
class Told:
    """A command and how it must end.

    Attributes:
        command: After `nas`.
        code: Its exit code.
        says: A pattern that its output has.
    """

    command: str
    code: int
    says: str = ""


@dataclass(frozen=True)
class Edge:
    """One clause of a line.

    Attributes:
        line: Of `LINES`.
        clause: What comes in.
        told: The commands, one after another.
        files: Name -> content of what lies in the folder; or what makes it.
        prepare: Does what else is to be done in the folder before.
        after: Says what is wrong in the folder afterwards, or nothing.
        alone: How a command is started in a process of its own: words before it, where it needs
            that; None for a fork.
        environment: Of that process.
    """

    line: int
    clause: str
    told: tuple[Told, ...]
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    prepare: Callable[[Path], None] = lambda folder: None
    after: Callable[[Path], str] = lambda folder: ""
    alone: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def alone(edge: Edge, words: list[str], folder: Path) -> tuple[int, str]:
    """Run a command in a process of its own; return its exit code and what it said."""
    path = os.pathsep.join((str(ROOT), str(folder)))
    started = [*edge.alone, sys.executable, "-m", "nas", *words]
    ran = subprocess.run(
        started, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False,
        env={**os.environ, "PYTHONPATH": path, **edge.environment}, errors="replace",
        # nohup has it ignored in all that it starts
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )  # fmt: skip
    return ran.returncode, ran.stdout + ran.stderr


def forked(edge: Edge, words: list[str], folder: Path, logs: Path) -> tuple[int, str]:
    """Run a command in a fork; return its exit code and what it said."""
    from fuzzer.guard import run_command

    os.environ |= edge.environment
    ran = run_command(words, folder, logs)
    for name in edge.environment:
        del os.environ[name]
    return ran.code, ran.out + ran.err + ran.crash


def message(said: str, says: str) -> str:
    """Return the line of what was said that says why, or that was to be said."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    found = [line for line in lines if says and re.search(says, line)]
    if found:
        return found[-1]
    errors = [line for line in lines if line.startswith(("Error:", "Stopped:", "Interrupted"))]
    return (errors or lines or [""])[-1]


def show(edge: Edge, place: Path) -> bool:
    """Do what an edge says; print a row for each command; return whether all is as it must be."""
    folder, logs = place / "case", place / "logs"
    for new in (folder / "victim", folder / "home", folder / "tmp", logs):
        new.mkdir(parents=True)
    (folder / "victim" / "precious").write_text("x")
    for name, content in edge.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    edge.prepare(folder)
    for name, of in {"XDG_STATE_HOME": "home", "HOME": "home", "TMPDIR": "tmp"}.items():
        os.environ[name] = str(folder / of)
    good = True
    for told in edge.told:
        words = [word.replace("~", " ") for word in told.command.split()]
        if edge.alone is None:
            code, said = forked(edge, words, folder, logs)
        else:
            code, said = alone(edge, words, folder)
        as_told = code == told.code and re.search(told.says, said, re.S) is not None
        wrong = edge.after(folder) if told is edge.told[-1] else ""
        if "Traceback (most recent" in said or not (folder / "victim" / "precious").exists():
            wrong = wrong or "a traceback, or something deleted"
        as_told = as_told and not wrong
        good = good and as_told
        shown = " ".join(words)
        why = message(said, told.says)[:230]
        cells = (edge.line, edge.clause, f"`nas {shown[:110]}`", code, why, wrong)
        print("| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |", flush=True)
        if not as_told:
            wanted = f"{told.code} and {told.says!r}"
            print(f"wanted {wanted}; said: {said[-1500:]}", file=sys.stderr, flush=True)
    return good


def main() -> None:
    from edge_cases import EDGES
    from edge_machine import MACHINE
    from fuzzer.warmth import warm_up

    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--line", type=int, action="append", choices=LINES)
    options.add_argument("--long", action="store_true", help="those of the machine, too")
    options.add_argument("--only", default="", help="clauses that have this pattern")
    chosen = options.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "MPLBACKEND": "agg"}
    wanted = [e for e in (*EDGES, *MACHINE) if e.alone is None or chosen.long]
    wanted = [e for e in wanted if e.line in (chosen.line or LINES)]
    wanted = [e for e in wanted if re.search(chosen.only, e.clause)]
    bad = 0
    with tempfile.TemporaryDirectory(prefix="ne-") as place:
        if any(e.alone is None for e in wanted):
            warm_up()
        print("| line | what comes in | command | exit code | message | wrong |")
        print("|---|---|---|---|---|---|", flush=True)
        for number, edge in enumerate(sorted(wanted, key=lambda e: e.line)):
            folder = Path(place) / str(number)
            bad += not show(edge, folder)
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(wanted)} clauses, {bad} not as they must be")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
