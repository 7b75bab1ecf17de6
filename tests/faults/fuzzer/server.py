"""The process that has everything imported: reads lines "DOOR SEED LIMITS", writes verdicts.

python -m fuzzer.server FOLDER
"""

import dataclasses
import json
import os
import shutil
import sys
import traceback
from pathlib import Path
from random import Random

from fuzzer.bases import GOLDEN
from fuzzer.cases import DOORS
from fuzzer.guard import LEAVES, LIMITS, run_command
from fuzzer.judge import Verdict, digest, faults_of, judge_victim, snapshot
from fuzzer.planted import plant
from fuzzer.values import CANARY, VICTIM
from fuzzer.warmth import warm_up

_CANARY = """import os, pathlib
pathlib.Path(os.environ["FUZZ_EVIDENCE"]).write_text("imported")
class Space: ...
def measure(architecture, *_): return {"scores": {"glue": 0.5}, "costs": {}}
"""


def run_case(name: str, seed: int, work: Path) -> Verdict:
    """Make a case and run its commands; its folder stays where it has a fault."""
    door, verdict = DOORS[name], Verdict(name, seed)
    place = work / f"{name}-{seed}"
    shutil.rmtree(place, ignore_errors=True)
    folder, logs = place / "case", place / "logs"
    for new in (folder / VICTIM, folder / "home", folder / "tmp", logs):
        new.mkdir(parents=True)
    for i in range(3):
        (folder / VICTIM / f"{i}.safetensors").write_text("precious")
    (folder / f"{CANARY}.py").write_text(_CANARY)
    shutil.copy(GOLDEN / "tiny.yaml", folder)
    evidence = place / "evidence"
    os.environ |= {
        "FUZZ_EVIDENCE": str(evidence), "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"),
        "XDG_STATE_HOME": str(folder / "home"), "FUZZ_SEED": str(seed),
    }  # fmt: skip
    steps = door.make(Random(f"{name}/{seed}"), folder)
    precious = digest(folder / VICTIM)
    refused = False
    for number, step in enumerate(steps):
        if step.after == "accepted" and refused:
            continue
        before = snapshot(folder)
        ran = run_command(list(step.arguments), folder, logs, real=step.real)
        after = snapshot(folder)
        refused = ran.code in (2, LEAVES)
        verdict.commands.append((" ".join(step.arguments), ran.code))
        verdict.seconds += ran.seconds
        verdict.slowest = max(verdict.slowest, ran.seconds)
        new = faults_of(step, ran, before, after)
        if evidence.exists() and not (door.imports or "--trust" in step.arguments):
            new.append(("imported", "a module that data names"))
        evidence.unlink(missing_ok=True)
        if (new and not verdict.faults) or not number:
            verdict.detail = ran.crash or ran.err or ran.out
        verdict.faults += new
        if number == 0 and ran.code in (2, LEAVES):
            verdict.outcome = "refused" if ran.code == 2 else "leaves"
        if new:
            break
    judge_victim(verdict, (precious, digest(folder / VICTIM)))
    if not verdict.faults and not os.environ.get("FUZZ_KEEP"):
        shutil.rmtree(place, ignore_errors=True)
    return verdict


def main() -> None:
    """Serve until the input ends."""
    work = Path(sys.argv[1]).resolve()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import fuzzer.doors  # noqa: F401  registers them

    warm_up()
    plant()
    for line in sys.stdin:
        name, seed, limits = line.split(maxsplit=2)
        usual = dict(LIMITS)
        LIMITS.update(json.loads(limits))
        try:
            answer = dataclasses.asdict(run_case(name, int(seed), work))
        except Exception:  # noqa: BLE001  of this fuzzer itself
            answer = {"door": name, "seed": int(seed), "broken": traceback.format_exc()}
        LIMITS.update(usual)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
