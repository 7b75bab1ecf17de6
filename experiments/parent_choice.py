"""Which measure of likeness picks the best parent to inherit from?

Claim: overlap of the layers alone picks better than overlap of all parameters.

    python experiments/parent_choice.py --to experiments/inheritance

Children of `flexibert-micro` (half of each set sampled, half mutations of trained parents) are
started from every trained parent in turn and pre-trained for a thirteenth of the budget. A measure
is as good as the loss of the parent it picks is near that of the best one. Parents are those of
`inheritance.py`, trained when they are missing. Each loss is a row of `choice.csv` as soon as it is
there, and what is there is not run again.
"""

import argparse
import csv
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from inheritance import train_parent
from scipy.stats import spearmanr

from nas.config import make_experiment
from nas.data.prepared import PreparedData
from nas.models.heads import MaskedLanguageHead
from nas.models.overlap import layer_overlap, overlap
from nas.models.transfer import Inheritance, inherit_weights
from nas.training.preparing import experiment_recipe, prepare_data
from nas.training.pretrain import pretrain
from nas.training.recipe import Recipe
from nas.training.seeds import named_seed, random_state, thread_count
from nas.training.trial import build_encoder
from nas.training.watch import Watch
from search_spaces import Architecture, load_space

SPACE = "flexibert-micro"
TOKENS = 24_000
SETS = {"first": (77, 5, 8, 6), "second": (99, 99, 5, 7)}  # seeds of both halves, their sizes
FIELDS = ("set", "child", "parent", "loss")
MEASURES: dict[str, Callable[[Architecture, Architecture], float]] = {
    "overlap": overlap,
    "overlap, 8,000 token ids": lambda a, b: overlap(a, b, vocabulary_size=8_000),
    "overlap of the layers": layer_overlap,
}


def choose_children(parents: list[Architecture]) -> list[tuple[str, Architecture]]:
    """Return the children, each with the name of its set."""
    space, children = load_space(SPACE), []
    trained = space.sample(16, seed=0)
    for name, (seed, own_seed, sampled, mutated) in SETS.items():
        rng = np.random.default_rng(own_seed)
        fresh = [a for a in space.sample(40, seed=seed) if a not in trained][:sampled]
        mutations = [space.mutate(parents[rng.integers(len(parents))], rng) for _ in range(mutated)]
        children += [(name, child) for child in fresh + mutations]
    return children


def loss_from(
    parent: Architecture, weights: Path, child: Architecture, recipe: Recipe, data: PreparedData
) -> float:
    """Return the validation loss of a child after a little pre-training."""
    with thread_count(1), random_state(named_seed(0, "weights")):
        encoder = build_encoder(child, recipe, data.vocabulary_size, data.tokenizer_json)
        head = MaskedLanguageHead(encoder)
        tensors = Inheritance(parent, weights).read()
        seed = named_seed(0, "inherit")
        inherit_weights(encoder, child, parent, tensors, head=head, seed=seed)
        return pretrain(
            encoder,
            head,
            data.pretrain,
            data.validation,
            recipe,
            vocabulary_size=data.vocabulary_size,
            seed=named_seed(0, "pretrain"),
            watch=Watch(None, None),
        ).validation_loss


def measure(parents: list[Architecture], to: Path, minutes: float) -> None:
    """Train what is not in the table yet."""
    table = to / "choice.csv"
    done = set()
    if table.exists():
        done = set(pd.read_csv(table)[["child", "parent"]].itertuples(index=False, name=None))
    plan = make_experiment({"space": SPACE, "data": "glue-mini"})
    whole = experiment_recipe(plan)
    data = prepare_data(plan, whole)
    short = dataclasses.replace(whole, pretrain_tokens=TOKENS)
    stop = time.monotonic() + 60 * minutes
    with table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        if not done:
            writer.writeheader()
        for name, child in choose_children(parents):
            for parent in parents:
                if parent == child or (child.hash, parent.hash) in done:
                    continue
                if time.monotonic() > stop:
                    print("The time is up; start again to go on.")
                    return
                weights = to / "parents" / f"{parent.hash}.safetensors"
                train_parent(parent, whole, data, weights)
                loss = loss_from(parent, weights, child, short, data)
                row = {"set": name, "child": child.hash, "parent": parent.hash}
                writer.writerow({**row, "loss": round(loss, 4)})
                file.flush()


def report(rows: pd.DataFrame, parents: list[Architecture]) -> str:
    """The table: how well each measure orders parents, and what its choice costs in loss."""
    children = {child.hash: child for _, child in choose_children(parents)}
    by_hash = {parent.hash: parent for parent in parents}
    lines = [
        "| chosen by | set | children | rank correlation with the loss | loss above the best |"
    ]
    lines.append("|---|---|---|---|---|")
    choices = {**MEASURES, "any parent, mean": None}
    for words, value in choices.items():
        for name, part in rows.groupby("set", sort=False):
            ranks, costs = [], []
            for child, group in part.groupby("child", sort=False):
                if len(group) < 5 or child not in children:
                    continue
                losses = group["loss"].to_numpy()
                if value is None:
                    costs.append(losses.mean() - losses.min())
                    continue
                near = np.array([value(children[child], by_hash[p]) for p in group["parent"]])
                ranks.append(spearmanr(near, -losses)[0])
                costs.append(losses[near.argmax()] - losses.min())
            rank = f"{np.mean(ranks):.2f}" if ranks else ""
            lines.append(f"| {words} | {name} | {len(costs)} | {rank} | {np.mean(costs):.3f} |")
    return "\n".join(lines)


def main() -> None:
    """Train what is missing, print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--parents", nargs="*", help="hashes of those to use, if not all sixteen")
    options.add_argument("--minutes", type=float, default=float("inf"), help="0: only the table")
    options.add_argument("--to", type=Path, default=Path("experiments/inheritance"))
    chosen = options.parse_args()
    parents = load_space(SPACE).sample(16, seed=0)
    if chosen.parents:
        parents = [a for a in parents if a.hash.startswith(tuple(chosen.parents))]
    if chosen.minutes > 0:
        measure(parents, chosen.to, chosen.minutes)
    print(report(pd.read_csv(chosen.to / "choice.csv"), parents))


if __name__ == "__main__":
    main()
