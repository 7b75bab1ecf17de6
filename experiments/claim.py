"""The claim of FlexiBERT: fewer parameters than BERT-Mini, and a better GLUE score?

Published: FlexiBERT-Mini has 3 % fewer parameters and 8.9 points more. Here BERT-Mini,
FlexiBERT-Mini and the best architecture of a search, none larger than BERT-Mini, are trained by
one recipe: same tokenizer, corpus, token budget and fine-tuning, the same seeds.

    python experiments/claim.py --data GLUE --corpus books.txt.xz wikipedia.txt.xz --to runs/claim
    python experiments/claim.py --config experiments/claim/gpu.yaml --data … --corpus … --to …

The second line is the same at the size of one GPU. The search comes first, or name a finished one
of the same data with `--search`. Every training is a row of `claim.csv` when it is done; a row that
is there is not made again, and one that was cut off continues.
"""

import argparse
import csv
import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from nas.config import make_experiment
from nas.data.prepared import PreparedData
from nas.evaluation.majority import majority_score
from nas.runs.directory import open_run
from nas.search.driver import resume, start
from nas.training.preparing import experiment_recipe, prepare_data
from nas.training.recipe import Recipe
from nas.training.trial import run_trial
from search_spaces import Architecture, count_parameters, named_architecture
from search_spaces.errors import NasError

BASELINE, PUBLISHED, FOUND = "bert-mini", "flexibert-mini", "found"
# for --tiny: the same steps in a minute
TINY = {
    "pretrain_tokens": 4_096, "pretrain_batch": 8, "corpus_tokens": 50_000, "block_length": 32,
    "max_length": 32, "max_train_examples": 32, "max_dev_examples": 32, "vocabulary_size": 500,
    "finetune_epochs": 1, "finetune_steps": 1,
}  # fmt: skip


def search(settings: dict[str, Any], directory: Path) -> None:
    """Run the search among what is no larger than BERT-Mini, or go on with it if it was cut off."""
    if not (directory / "run.db").is_file():
        recipe = experiment_recipe(make_experiment(settings))
        largest = count_parameters(
            named_architecture(BASELINE),
            vocabulary_size=recipe.vocabulary_size,
            max_length=max(recipe.max_length, recipe.block_length),
            positions=recipe.positions,
        )
        bounded = {**settings, "constraints": [f"parameters<={largest}"]}
        run, reason = start(make_experiment(bounded), directory, say=print)
        run.close()
    elif open_run(directory).journal.meta("ended") not in ("trials", "time"):
        run, reason = resume(directory, say=print)
        run.close()
    else:
        return
    print(f"The search ended: {reason}.", flush=True)


def train(
    models: dict[str, Architecture],
    seeds: int,
    recipe: Recipe,
    data: PreparedData,
    to: Path,
) -> None:
    """Train what is not in the table yet, seed by seed, and write each row at once."""
    table = to / "claim.csv"
    fields = ["model", "seed", "hash", "parameters", "latency_ms", "glue", *data.tasks]
    fields += ["validation_loss", "tokens", "precision", "seconds"]
    done = pd.read_csv(table) if table.exists() else pd.DataFrame(columns=fields)
    made = set(done[["hash", "seed"]].itertuples(index=False, name=None))
    with table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields)
        if not made:
            writer.writeheader()
        for seed in range(seeds):
            for name, architecture in models.items():
                if (architecture.hash, seed) in made:
                    continue
                state = to / "state" / f"{name}-{seed}"
                # one seed for all models: the same order, masks and held-out text
                result = run_trial(architecture, recipe, data, seed=seed, checkpoint=state)
                shutil.rmtree(state, ignore_errors=True)
                writer.writerow(
                    {
                        "model": name,
                        "seed": seed,
                        "hash": architecture.hash,
                        "parameters": int(result.costs["parameters"]),
                        "latency_ms": round(result.costs["latency_ms"], 3),
                        **{task: round(score, 5) for task, score in result.scores.items()},
                        "validation_loss": round(result.details["validation_loss"], 4),
                        "tokens": int(result.details["pretrain_tokens"]),
                        "precision": result.details["precision"],
                        "seconds": round(result.seconds, 1),
                    }  # fmt: skip
                )
                file.flush()
                print(f"{name} {seed}: {result.scores['glue']:.4f}", flush=True)


def report(rows: pd.DataFrame, floors: dict[str, float]) -> str:
    """The table: parameters and points by task, means and standard deviations over seeds."""
    tasks = list(floors)
    seeds = rows["seed"].nunique()
    lines = [
        f"{seeds} seeds, {len(rows)} trainings, {rows['tokens'].iloc[0]:,} tokens each. GLUE in "
        "points, mean and standard deviation over seeds.",
        "",
        f"| model | parameters | {' | '.join(tasks)} | mean | − BERT-Mini (s.e.) | loss |",
        "|---" * (len(tasks) + 5) + "|",
        f"| majority class | | {' | '.join(f'{100 * floors[task]:.1f}' for task in tasks)} | "
        f"{100 * sum(floors.values()) / len(floors):.1f} | | |",
    ]
    base = rows[rows["model"] == BASELINE].set_index("seed")
    for name in dict.fromkeys(rows["model"]):
        part = rows[rows["model"] == name].set_index("seed")
        share = part["parameters"].iloc[0] / base["parameters"].iloc[0] - 1
        difference = 100 * (part["glue"] - base["glue"]).dropna()
        against = "" if name == BASELINE else f"{difference.mean():+.2f}"
        if against and len(difference) > 1:
            against += f" ({difference.sem():.2f})"
        cells = [_spread(100 * part[task]) for task in (*tasks, "glue")]
        lines.append(
            f"| {name} | {part['parameters'].iloc[0]:,} ({share:+.1%}) | {' | '.join(cells)} | "
            f"{against} | {part['validation_loss'].mean():.3f} |"
        )
    return "\n".join(lines)


def _spread(values: pd.Series) -> str:
    return f"{values.mean():.1f}" + (f" ±{values.std(ddof=1):.1f}" if len(values) > 1 else "")


def main() -> None:
    """Search, train what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="directory of official GLUE files, or hub")
    parser.add_argument("--corpus", nargs="+", required=True)
    parser.add_argument(
        "--config", type=Path, default=Path(__file__).parent / "claim" / "eight.yaml"
    )
    parser.add_argument("--search", type=Path, help="a finished search to take the best of")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="almost no training: a dry run")
    parser.add_argument("--to", type=Path, default=Path("runs/claim"))
    chosen = parser.parse_args()
    config = yaml.safe_load(chosen.config.read_text(encoding="utf-8"))
    source = {"data": chosen.data, "corpus": chosen.corpus}
    tiny = TINY if chosen.tiny else {}
    chosen.to.mkdir(parents=True, exist_ok=True)
    directory = chosen.search or chosen.to / "search"
    if chosen.search is None:
        changes = {"trials": 2, "execution": {"engine": "inline"}} if chosen.tiny else {}
        recipe = {**config["training"], **config["search"].get("recipe", {}), **tiny}
        search({**config["search"], **source, **changes, "recipe": recipe}, directory)
    best = Architecture.from_dict(open_run(directory).pick("best")["architecture"])
    tokenizer = str(directory / "data" / "tokenizer.json")
    plan = make_experiment(
        {**source, "recipe": {**config["training"], **tiny, "tokenizer": tokenizer}}
    )
    recipe = experiment_recipe(plan)
    data = prepare_data(plan, recipe)
    recipe = dataclasses.replace(recipe, tasks=tuple(data.tasks))
    models = {name: named_architecture(name) for name in (BASELINE, PUBLISHED)}
    models[FOUND] = best
    print(f"Found: {best.describe()}", flush=True)
    train(models, chosen.seeds, recipe, data, chosen.to)
    floors = {name: majority_score(name, splits) for name, splits in data.tasks.items()}
    text = report(pd.read_csv(chosen.to / "claim.csv"), floors)
    text += f"\n\nFound: {best.describe()}"
    (chosen.to / "table.md").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}\n\nRows: {chosen.to / 'claim.csv'}")


if __name__ == "__main__":
    try:
        main()
    except NasError as error:
        raise SystemExit(f"Error: {error}") from None
