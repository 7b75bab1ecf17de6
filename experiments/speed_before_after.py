"""What two versions of the code take for the same work, in CPU seconds; writes a CSV.

    OMP_NUM_THREADS=1 python experiments/speed_before_after.py BEFORE AFTER --out speed.csv
    OMP_NUM_THREADS=1 python experiments/speed_before_after.py BEFORE AFTER --only library --pairs 9

BEFORE and AFTER are two checkouts; the packages of each are imported from there, one after the
other in turns, so that a slow minute of the machine meets both. Of each the least and the median of
the turns are kept: the least is what the work takes when nothing disturbs it.

Groups: `library` (calls of the space package), `policies` (asks after 100 results), `commands`
(whole processes, and the processes they start) and `scale` (`nas benchmark spaces`).
"""

import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve()
OLD_RUN = HERE.parent.parent / "tests" / "golden" / "old_run"
COMMANDS = {
    "nas --help": (),
    "nas space list": ("space", "list"),
    "nas space show flexibert-micro": ("space", "show", "flexibert-micro"),
    "nas space show flexibert-2": ("space", "show", "flexibert-2"),
    "nas report": ("report", "RUN"),
}
SCALE = {
    "nas benchmark spaces --largest 1e5": (
        "benchmark", "spaces", "--quick", "--largest", "1e5", "--threads", "1",
    ),
}  # fmt: skip
POLICIES, TOLD, ASKED = ("tpe", "nsga2", "forest", "boshnas"), 100, (1, 16)
REPEATS = 3


def library() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield calls of the space package, by name."""
    from search_spaces import (
        Architecture,
        count_flops,
        count_parameters,
        encode,
        load_space,
        pairwise_distances,
    )

    for name in ("flexibert-micro", "flexibert-2"):
        space = load_space(name)
        drawn = space.sample(400, seed=3)
        written = [architecture.to_dict() for architecture in drawn]
        yield f"{name}: sample", lambda n=name: load_space(n).sample(2000, seed=5)
        yield (
            f"{name}: from_dict, hash",
            lambda w=written: [Architecture.from_dict(d).hash for d in w],
        )
        yield f"{name}: contains", lambda s=space, d=drawn: [a in s for a in d]
        yield (
            f"{name}: count_parameters",
            lambda d=drawn: [count_parameters(a, vocabulary_size=1000) for a in d],
        )
        yield (
            f"{name}: count_flops",
            lambda d=drawn: [count_flops(a, length=128, vocabulary_size=1000) for a in d],
        )
        yield f"{name}: neighbours", lambda s=space, d=drawn: [s.neighbours(a) for a in d[:4]]
        yield f"{name}: mutate, crossover", lambda s=space, d=drawn: _offspring(s, d)
        yield f"{name}: distances", lambda d=drawn: pairwise_distances(d)
        yield f"{name}: graph", lambda d=drawn: [a.graph() for a in d[:40]]
        for encoding in ("features", "one-hot"):
            yield f"{name}: encode {encoding}", lambda d=drawn, e=encoding: encode(d, e)


def _offspring(space, drawn) -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    for a, b in zip(drawn[:100], drawn[100:200], strict=True):
        space.mutate(space.crossover(a, b, rng), rng)


def policies() -> Iterator[tuple[str, float]]:
    """Yield the CPU seconds of the first and of a later ask of each policy."""
    from policy_speed import many_results

    for name in POLICIES:
        many_results(name, 20, 4)  # load what is imported once
        for asked in ASKED:
            first, later = many_results(name, TOLD, asked)
            yield f"{name}: first ask of {asked}", first
            yield f"{name}: later ask of {asked}", later


def measure(group: str, only: str) -> dict[str, float]:
    """Return CPU seconds by name, measured in this process."""
    if group == "policies":
        return dict(policies())
    found = {}
    for name, call in library():
        if only in name:
            call()
            seconds = []
            for _ in range(REPEATS):
                begun = time.process_time()
                call()
                seconds.append(time.process_time() - begun)
            found[name] = min(seconds)
    return found


def _run(root: Path, arguments: list[str]) -> tuple[str, float]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=tempfile.gettempdir(),
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.stdout, spent


def turn(root: Path, group: str, only: str) -> dict[str, float]:
    """Return the CPU seconds of a group with the packages of one checkout."""
    if group in ("library", "policies"):
        out, _ = _run(root, [str(HERE), "--inside", group, "--only", group, "--named", only])
        return json.loads(out.splitlines()[-1])
    found = {}
    for name, arguments in (COMMANDS if group == "commands" else SCALE).items():
        if only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            if "RUN" in arguments:
                shutil.copytree(OLD_RUN, run)
            given = [str(run) if a == "RUN" else a for a in arguments]
            found[name] = _run(root, ["-m", "nas", *given])[1]
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("roots", nargs="*", type=Path, metavar="ROOT")
    options.add_argument("--only", default="library,policies,commands,scale")
    options.add_argument("--named", default="", help="measure only what has this in its name")
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--out", type=Path)
    options.add_argument("--inside", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.inside:
        print(json.dumps(measure(chosen.inside, chosen.named)))
        return
    before, after = (root.resolve() for root in chosen.roots)
    rows = [("what", "before", "after", "ratio", "least_before", "least_after", "least_ratio")]
    for group in chosen.only.split(","):
        turns = [
            (turn(before, group, chosen.named), turn(after, group, chosen.named))
            for _ in range(chosen.pairs)
        ]
        for name in turns[0][0]:
            sides = [[pair[side][name] for pair in turns] for side in (0, 1)]
            numbers: list[float] = []
            for of in (median, min):
                a, b = (of(side) for side in sides)
                numbers += [a, b, b / a]
            rows.append((name, *(f"{number:.4g}" for number in numbers)))
            print(f"{name:<44}" + "".join(f"{number:>9.4g}" for number in numbers), flush=True)
    if chosen.out:
        with chosen.out.open("w", newline="") as file:
            csv.writer(file).writerows(rows)


if __name__ == "__main__":
    main()
