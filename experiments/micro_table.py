"""A table of trained encoders of modern kinds: drawn over everything-micro, trained on glue-mini.

    python experiments/micro_table.py train --architectures 200 --seeds 2 --until 14:00
    python experiments/micro_table.py noise

Rows go to experiments/tables/everything_micro.jsonl in the format of `nas benchmark policies`, one
training a line, as they come; a row that is there is not trained again. The space of
`tables/everything-micro-recipes.yaml` is everything-micro with three fields of the recipe open;
architectures are its first samples by one seed, each kind of every slot as likely as the space has
it. Tasks are those whose scores can be told apart at this budget (SST-2, STS-B, MNLI);
`validation_loss` is of masked language modelling. `noise` prints what share of the variance lies
between architectures, and which choices go with the score.
"""

import argparse
import json
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import torch

from nas.config import Experiment
from nas.training.preparing import experiment_recipe, prepare_data
from nas.training.trial import run_trial
from search_spaces import Architecture, load_space
from search_spaces.architectures.facts import Columns
from search_spaces.architectures.features import encode_features, feature_names

HERE = Path(__file__).parent / "tables"
SPACE = HERE / "everything-micro-recipes.yaml"
ROWS = HERE / "everything_micro.jsonl"
TASKS = ("sst2", "stsb", "mnli")
DRAW = 2026  # the seed of the architectures; those of training count from 0


def read() -> list[dict]:
    """Return the rows that are there."""
    if not ROWS.is_file():
        return []
    return [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]


def train(options: argparse.Namespace) -> None:
    """Train what is missing, as long as there is time: all architectures with a seed, then next."""
    torch.set_num_threads(1)
    space = load_space(SPACE)
    drawn = space.sample(options.architectures, seed=DRAW)
    opened = {"pretrain_learning_rate": [1e-3, 2e-3, 4e-3], "schedule": ["linear", "wsd"]}
    opened["finetune_learning_rate"] = [5e-4, 1e-3, 2e-3]
    experiment = Experiment(tasks=TASKS, recipe=opened)
    recipe = experiment_recipe(experiment)
    data = prepare_data(experiment, recipe)
    done = {(row["architecture_hash"], row["seed"]) for row in read()}
    for block in range(0, len(drawn), 20):  # pairs come early, so that noise can be told
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            for architecture in drawn[block : block + 20]:
                if (architecture.hash, seed) in done:
                    continue
                if options.until and datetime.now().strftime("%H:%M") >= options.until:
                    return
                append(row_of(architecture, recipe, data, seed))


def row_of(architecture: Architecture, recipe, data, seed: int) -> dict:
    """Return one training as a row."""
    began = time.process_time()
    found = run_trial(architecture, recipe, data, seed=seed)
    return {
        "architecture_hash": architecture.hash,
        "seed": seed,
        "architecture": architecture.to_dict(),
        "scores": {name: round(value, 5) for name, value in found.scores.items()},
        "validation_loss": round(found.details["validation_loss"], 5),
        "parameters": found.costs["parameters"],
        "flops": found.costs["flops"],
        "seconds": round(time.process_time() - began, 1),
    }


def append(row: dict) -> None:
    """Add a row."""
    with ROWS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def noise() -> None:
    """Print how much of each column's variance lies between architectures, and what goes along."""
    rows = read()
    pairs: dict[str, list[dict]] = {}
    for row in rows:
        pairs.setdefault(row["architecture_hash"], []).append(row)
    twice = [own for own in pairs.values() if len(own) > 1]
    print(f"{len(pairs)} architectures, {len(rows)} trainings, {len(twice)} with two seeds")
    if len(twice) < 3:
        return
    print(f"{'column':<18}{'mean':>8}{'sd':>8}{'seed sd':>9}{'between':>9}")
    mean_score = "glue" if "glue" in rows[0]["scores"] else "score"
    for name in (*TASKS, mean_score, "validation_loss"):
        values = np.array([[column(row, name) for row in own[:2]] for own in twice])
        within = ((values[:, 0] - values[:, 1]) ** 2).mean() / 2
        whole = values.var(ddof=1)
        share = max(0.0, 1 - within / whole)
        print(f"{name:<18}{values.mean():8.3f}{whole**0.5:8.3f}{within**0.5:9.3f}{share:9.2f}")
    matters([own[0] for own in pairs.values()], pairs, mean_score)


def column(row: dict, name: str) -> float:
    """Return a score or a number of a row."""
    return row["scores"][name] if name in row["scores"] else row[name]


def matters(rows: list[dict], pairs: dict[str, list[dict]], score: str) -> None:
    """Print what each group of choices explains of the mean score, by leave-one-out ridge."""
    architectures = [Architecture.from_dict(row["architecture"]) for row in rows]
    target = np.array(
        [np.mean([column(r, score) for r in pairs[row["architecture_hash"]]]) for row in rows]
    )
    deepest = max(len(a) for a in architectures)
    columns = Columns.among(architectures)
    values = encode_features(architectures, deepest, columns)
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(feature_names(deepest, columns)):
        if not name.startswith("layer "):  # the means over layers say it
            groups.setdefault(name.removeprefix("mean ").partition("=")[0], []).append(i)
    print(f"\n{'group':<34}{'R² alone':>10}")
    found = {name: explained(values[:, own], target) for name, own in groups.items()}
    found["all"] = explained(values[:, sorted(sum(groups.values(), []))], target)
    for name, share in sorted(found.items(), key=lambda pair: -pair[1]):
        print(f"{name:<34}{share:10.2f}")


def explained(values: np.ndarray, target: np.ndarray) -> float:
    """Return leave-one-out R² of a ridge regression, the best of a few strengths."""
    kept = values[:, values.std(0) > 0]
    if not kept.size:
        return 0.0
    scaled = (kept - kept.mean(0)) / kept.std(0)
    best = -np.inf
    for strength in (1, 10, 100, 1000):
        hat = scaled @ np.linalg.solve(
            scaled.T @ scaled + strength * np.eye(scaled.shape[1]), scaled.T
        )
        hat = hat + 1 / len(target)
        rest = (target - target.mean() - (hat - 1 / len(target)) @ (target - target.mean())) / (
            1 - np.diag(hat)
        )
        best = max(best, 1 - (rest**2).sum() / ((target - target.mean()) ** 2).sum())
    return best


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("what", choices=("train", "noise"))
    options.add_argument("--architectures", type=int, default=200)
    options.add_argument("--seeds", type=int, default=2)
    options.add_argument("--first-seed", type=int, default=0)
    options.add_argument("--until", help="begin nothing after this time of day, such as 10:00")
    given = options.parse_args()
    if given.what == "train":
        train(given)
    else:
        noise()


if __name__ == "__main__":
    main()
