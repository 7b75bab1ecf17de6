"""A search with weight inheritance beside the same search without: tokens, seconds, best score.

    python experiments/inherited_search.py --to runs/inherited

Every seed is searched twice on `glue-mini` with the same number of trials; with inheritance, a
trial starts from the finished one whose layers share most with its, and pre-trains a fifth of the
tokens. Each search is a run directory and a row of a CSV file. A row that is there is not made
again, and a search that was cut off is resumed.
"""

import argparse
import csv
from pathlib import Path

import pandas as pd

from nas.config import make_experiment
from nas.runs.directory import open_run
from nas.search.driver import resume, start

COLUMNS = ("seed", "inheritance", "best", "median", "tokens", "seconds", "trials", "inherited")
TINY = {
    "pretrain_tokens": 3000, "max_train_examples": 64, "finetune_epochs": 1, "finetune_steps": 1,
}  # fmt: skip


def search(seed: int, arguments: argparse.Namespace, *, inheritance: bool) -> dict:
    """Run or continue one search; return its row."""
    directory = arguments.to / f"{'inherited' if inheritance else 'scratch'}-{seed}"
    settings = {
        "space": "flexibert-micro",
        "policy": arguments.policy,
        "objectives": {"glue": "max"},
        "trials": arguments.trials,
        "seed": seed,
        "inheritance": inheritance,
        "recipe": {"preset": "glue-mini", **(TINY if arguments.tiny else {})},
        "execution": {"engine": "inline"},
    }
    if (directory / "run.db").is_file():
        run, reason = resume(directory, say=print)
    else:
        run, reason = start(make_experiment(settings), directory, say=print)
    run.close()
    if reason != "trials":
        raise SystemExit(f"{directory} ended with {reason!r}; run this script again to go on.")
    done = [r for r in open_run(directory).journal.trials() if r["status"] == "done"]
    scores = pd.Series([r["scores"]["glue"] for r in done])
    return {
        "seed": seed,
        "inheritance": inheritance,
        "best": round(scores.max(), 5),
        "median": round(scores.median(), 5),
        "tokens": int(sum(r["details"]["pretrain_tokens"] for r in done)),
        "seconds": round(sum(r["seconds"] for r in done), 1),
        "trials": len(done),
        "inherited": sum("inherited_share" in r["details"] for r in done),
    }


def main() -> None:
    """Make the rows that are missing, then print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=Path("runs/inherited"))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--policy", default="boshnas")
    parser.add_argument("--tiny", action="store_true", help="almost no training: a dry run")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    file = arguments.to / "inherited.csv"
    made = set()
    if file.is_file():
        made = set(pd.read_csv(file)[["seed", "inheritance"]].itertuples(index=False, name=None))
    for seed in range(arguments.seeds):
        for inheritance in (False, True):
            if (seed, inheritance) in made:
                continue
            row = search(seed, arguments, inheritance=inheritance)
            new = not file.is_file()
            with file.open("a", newline="", encoding="utf-8") as out:
                writer = csv.DictWriter(out, COLUMNS)
                if new:
                    writer.writeheader()
                writer.writerow(row)
    rows = pd.read_csv(file)
    print(rows.to_string(index=False))
    print(rows.groupby("inheritance")[["best", "median", "tokens", "seconds"]].mean().to_string())


if __name__ == "__main__":
    main()
