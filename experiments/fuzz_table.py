"""What strange input does at each door, by a seeded fuzzer; prints a table.

    python experiments/fuzz_table.py --cases 300
    python experiments/fuzz_table.py --root BEFORE --cases 300 --to before.csv
    python experiments/fuzz_table.py --door run --seeds 48      # one case again, with its story

A case is valid material, changed a little, and the commands that get it, each in a guarded process;
`tests/faults/fuzzer` has the doors and what counts as a fault. `--root` takes the packages of
another checkout, so that two versions meet the same cases.
"""

import argparse
import csv
import sys
import tempfile
from collections import Counter
from pathlib import Path

SHM = Path("/dev/shm")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "faults"))

from fuzzer.doors import NAMES  # noqa: E402
from fuzzer.judge import KINDS, Verdict  # noqa: E402
from fuzzer.session import Session  # noqa: E402

COLUMNS = ("door", "inputs", "refused", "accepted", "not followed", "faulty", *KINDS, "slowest")


def row(door: str, verdicts: list[Verdict]) -> dict[str, object]:
    """Return the figures of a door: cases, and how many of them had each kind of fault."""
    outcomes = Counter(v.outcome for v in verdicts)
    kinds = Counter(kind for v in verdicts for kind in {kind for kind, _ in v.faults})
    return {
        "door": door,
        "inputs": len(verdicts),
        "refused": outcomes["refused"],
        "accepted": outcomes["accepted"],
        "not followed": outcomes["leaves"],
        "faulty": outcomes["fault"],
        **{kind: kinds[kind] for kind in KINDS},
        "slowest": round(max((v.slowest for v in verdicts), default=0.0), 1),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--root", type=Path, default=ROOT, help="the checkout to strike")
    options.add_argument("--door", action="append", choices=(*NAMES, "planted"))
    options.add_argument("--cases", type=int, default=300, help="for each door")
    options.add_argument("--seeds", help="instead: these, such as 48 or 40-60")
    options.add_argument("--work", type=Path, help="keep the folders of faulty cases here")
    options.add_argument("--to", type=Path, help="write a CSV, too")
    options.add_argument("--quiet", action="store_true", help="no stories")
    chosen = options.parse_args()
    first, _, last = (chosen.seeds or f"0-{chosen.cases}").partition("-")
    seeds = range(int(first), int(last) if last else int(first) + 1)
    rows = []
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS), flush=True)
    with (
        # in memory where there is such a folder: a search waits for the disk at every decision
        tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder,
        Session(chosen.work or Path(folder), chosen.root.resolve()) as session,
    ):
        for door in chosen.door or NAMES:
            verdicts = []
            for verdict in session.run(door, seeds):
                verdicts.append(verdict)
                if verdict.faults and not chosen.quiet:
                    print(verdict.story(), file=sys.stderr, flush=True)
            rows.append(row(door, verdicts))
            print("| " + " | ".join(str(v) for v in rows[-1].values()) + " |", flush=True)
    if len(rows) > 1:
        total = {n: sum(r[n] for r in rows) for n in COLUMNS[1:-1]}
        total = {"door": "all", **total, "slowest": max(r["slowest"] for r in rows)}
        rows.append(total)
        print("| " + " | ".join(map(str, total.values())) + " |")
    if chosen.to:
        with chosen.to.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    sys.exit(any(r["faulty"] for r in rows))


if __name__ == "__main__":
    main()
