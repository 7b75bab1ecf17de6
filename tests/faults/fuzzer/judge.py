"""What a case did wrong, in words of the issue: one verdict a case."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from fuzzer.cases import Step
from fuzzer.guard import LEAVES, LIMITS, Ran
from fuzzer.values import VICTIM

# What a fault is, in the order of the table.
KINDS = ("traceback", "over time", "over memory", "exit code", "left behind", "outside", "imported")
# SQLite's own beside a database that somebody has read, and the empty file that is locked.
_RECORD = ("run.db-shm", "run.db-wal", "run.lock")
# The ONNX runtime leaves it in the folder for temporary files; no option turns it off.
_ONNX = "tmp/.ses"
_PART = re.compile(r"\.part$|\.tmp$|~$")


@dataclass
class Verdict:
    """How a case went.

    Attributes:
        door: Its door.
        seed: Its number.
        outcome: "refused" (exit code 2 at the first command), "accepted", or "fault".
        faults: Kind and what was seen, for each fault.
        commands: The command lines that ran, with their exit codes.
        detail: The traceback or the message, for people.
        seconds: All its commands together.
        slowest: The longest of them.
    """

    door: str
    seed: int
    outcome: str = "accepted"
    faults: list[tuple[str, str]] = field(default_factory=list)
    commands: list[tuple[str, int]] = field(default_factory=list)
    detail: str = ""
    seconds: float = 0.0
    slowest: float = 0.0

    def story(self) -> str:
        """Return what went wrong, what ran, and how to repeat it."""
        return "\n".join((
            f"door {self.door}, seed {self.seed}: " + "; ".join(map(": ".join, self.faults)),
            *(f"  nas {line[:300]}  -> {code}" for line, code in self.commands),
            *self.detail.strip().splitlines()[-15:],
            f"repeat: python experiments/fuzz_table.py --door {self.door} --seeds {self.seed}",
        ))  # fmt: skip


def snapshot(folder: Path) -> dict[str, str]:
    """Return every path below a folder with what tells whether it changed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        found[str(path.relative_to(folder))] = (
            f"{state.st_mode} {state.st_size} {state.st_mtime_ns}"
        )
    return found


def digest(folder: Path) -> str:
    """Return a digest of a folder's names and contents."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        total.update(str(path.relative_to(folder)).encode())
        total.update(path.read_bytes() if path.is_file() else b"")
    return total.hexdigest()


def faults_of(
    step: Step, ran: Ran, before: dict[str, str], after: dict[str, str]
) -> list[tuple[str, str]]:
    """Return what one command did wrong."""
    found = []
    if ran.seconds > LIMITS["seconds"]:
        found.append(("over time", f"{ran.seconds:.0f} s"))
    elif ran.memory > LIMITS["memory"]:
        found.append(("over memory", f"{ran.memory / 1e9:.1f} GB"))
    elif ran.crash:
        found.append(("traceback", last_frame(ran.crash)))
    elif ran.code < 0:
        found.append(("traceback", f"signal {-ran.code}"))
    elif ran.code not in (*step.codes, LEAVES):
        found.append(("exit code", str(ran.code)))
    elif "Traceback (most recent call last)" in ran.err and ran.code not in (5, LEAVES):
        found.append(("traceback", "printed: " + last_frame(ran.err)))
    named = tuple(w.partition("=")[2] or w for w in step.arguments if len(w) > 1 and step.own)
    outside = [n for n in ran.noted if n.startswith("outside")]
    outside = [n for n in outside if not n.partition("'")[2].startswith(named)]
    if outside:
        found.append(("outside", outside[0]))
    if ran.code != LEAVES:  # what was ended before its time could not clean up
        refused = ran.code == 2 or bool(found)
        left = sorted(
            path for path in after.keys() - before.keys()
            if _PART.search(path) or not _allowed(path, () if refused else step.writes)
        )  # fmt: skip
        if left and ran.code >= 0:
            found.append(("left behind", left[0]))
    return found


def _allowed(path: str, writes: tuple[str, ...]) -> bool:
    if path.startswith(("home/", _ONNX)) or path.endswith(_RECORD):
        return True
    # what is named, what lies in it, and the folders above it
    named = [name for name in writes if name]
    return any(f"{path}/".startswith(f"{n}/") or n.startswith(f"{path}/") for n in named)


def last_frame(trace: str) -> str:
    """Return what a traceback ended in: file and function of this project, and the error."""
    frames = re.findall(r'File "([^"]*)", line (\d+), in (\S+)', trace)
    ours = [
        f
        for f in frames
        if re.search(r"/(nas|search_spaces|surrogates)/", f[0]) and "site-packages" not in f[0]
    ]
    file, _, function = (ours or frames or [("?", "0", "?")])[-1]
    short = re.sub(r"^.*/(?=(nas|search_spaces|surrogates)/)", "", file)
    errors = re.findall(
        r"^([A-Za-z_][\w.]*(?:Error|Exception|Warning|Interrupt|Exit|NotFound|Failed|Invalid\w*)?)(?::|$)",
        trace,
        re.M,
    )
    errors = [e for e in errors if e not in ("Traceback",)]
    return f"{short}:{function} {errors[-1] if errors else '?'}"


def judge_victim(verdict: Verdict, victim: tuple[str, str]) -> None:
    """Add that the folder beside was touched, if its digests before and after differ."""
    if victim[0] != victim[1]:
        verdict.faults.append(("outside", f"{VICTIM} changed"))
    if verdict.faults:
        verdict.outcome = "fault"
