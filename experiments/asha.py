"""ASHA against full fidelity: the same best encoder for a third of the training tokens?

Each seed is searched twice on `glue-mini`, once training every architecture to the end, once with
`fidelity: asha`; each search is a run directory, and each (seed, mode) a row of a CSV file. A row
that is there is not made again, and a search that was cut off is resumed.

    python experiments/asha.py --to runs/asha
"""

import argparse
import csv
import statistics
from pathlib import Path

from nas.config import make_experiment
from nas.runs.directory import Run, open_run
from nas.search.driver import resume, start

MODES = ("full", "asha")
DECAY = 0.3
COLUMNS = ("seed", "mode", "best", "tokens", "seconds", "architectures", "at_full", "hash")


def settings(seed: int, mode: str, arguments: argparse.Namespace) -> dict:
    """Return the experiment of one row."""
    # the schedule that a promotion can continue, on both sides
    recipe = {"preset": "glue-mini", "pretrain_decay": DECAY}
    recipe["pretrain_tokens"] = arguments.tokens
    if arguments.tiny:
        recipe.update(pretrain_tokens=3000, max_train_examples=64)
        recipe.update(finetune_epochs=1, finetune_steps=1)
    return {
        "space": "flexibert-micro",
        "policy": arguments.policy,
        "objectives": {"glue": "max"},
        "tasks": ["sst2", "rte"] if arguments.tiny else arguments.tasks,
        "trials": arguments.trials,
        "seed": seed,
        "fidelity": mode,
        "fidelities": arguments.fidelities,
        "reduction": arguments.reduction,
        "recipe": recipe,
        "execution": {"engine": arguments.engine},
    }


def trained_tokens(run: Run) -> float:
    """Return the pre-training tokens of all trials.

    A promoted one adds what is new, and the decay of the rung below, which it does not continue.
    """
    rows = {record["trial"]: record for record in run.journal.trials()}
    share = 0.0
    for row in rows.values():
        below = rows.get(row["continues"])
        if row["status"] == "done":
            share += row["fidelity"] - (below["fidelity"] * (1 - DECAY) if below else 0.0)
    return share * run.experiment.recipe["pretrain_tokens"]


def search(seed: int, mode: str, arguments: argparse.Namespace) -> dict:
    """Run or continue one search; return its row."""
    directory = arguments.to / f"{mode}-{seed}"
    if (directory / "run.db").is_file():
        run, reason = resume(directory, say=print)
    else:
        run, reason = start(make_experiment(settings(seed, mode, arguments)), directory, say=print)
    if reason != "trials":
        raise SystemExit(f"{directory} ended with {reason!r}; run this script again to go on.")
    run.close()
    run = open_run(directory)
    best, done = run.pick("best"), run.finished()
    row = {
        "seed": seed,
        "mode": mode,
        "best": best["glue"],
        "tokens": trained_tokens(run),
        "seconds": sum(r["spent_seconds"] or 0 for r in run.journal.trials()),
        "architectures": run.trials()["hash"].nunique(),
        "at_full": len(done),
        "hash": best["hash"][:10],
    }
    run.close()
    return row


def main() -> None:
    """Make the rows that are missing, then print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=Path("runs/asha"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=960_000, help="Of pre-training, at full.")
    parser.add_argument("--fidelities", type=float, nargs="+", default=[0.18, 1.0])
    parser.add_argument("--reduction", type=float, default=6.0)
    # the same architectures on both sides, so that the difference is ASHA's alone
    parser.add_argument("--policy", default="random")
    parser.add_argument("--tasks", default="cola,sst2,stsb,mnli")
    parser.add_argument("--engine", default="inline", choices=("ray", "inline"))
    parser.add_argument("--tiny", action="store_true", help="Almost no training: a dry run.")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    file = arguments.to / "asha.csv"
    rows = list(csv.DictReader(file.open())) if file.is_file() else []
    made = {(int(row["seed"]), row["mode"]) for row in rows}
    for seed in arguments.seeds:
        for mode in MODES:
            if (seed, mode) in made:
                continue
            row = search(seed, mode, arguments)
            with file.open("a", newline="") as out:
                writer = csv.DictWriter(out, COLUMNS)
                if not rows:
                    writer.writeheader()
                writer.writerow(row)
            rows.append({name: str(value) for name, value in row.items()})
            print(row, flush=True)
    report(rows)


def report(rows: list[dict]) -> None:
    """Print the median of each figure, and of the differences within a seed."""
    by_seed: dict[str, dict[str, dict]] = {}
    for row in rows:
        by_seed.setdefault(row["seed"], {})[row["mode"]] = row
    pairs = [pair for pair in by_seed.values() if set(pair) == set(MODES)]
    for mode in MODES:
        best = statistics.median(float(pair[mode]["best"]) for pair in pairs)
        tokens = statistics.median(float(pair[mode]["tokens"]) for pair in pairs)
        print(f"{mode:<6} best {best:.4f}, {tokens:,.0f} tokens")
    gain = statistics.median(float(p["asha"]["best"]) - float(p["full"]["best"]) for p in pairs)
    share = statistics.median(
        float(p["asha"]["tokens"]) / float(p["full"]["tokens"]) for p in pairs
    )
    print(f"asha against full: best {gain:+.4f}, {share:.3f} of the tokens; {len(pairs)} seeds")


if __name__ == "__main__":
    main()
