"""Whether what parts are worth and take, measured before a search, foretells distilled scores.

    python experiments/prior_of_parts.py --checkpoint DIR --data GLUE

The students of `from_checkpoint/students.csv` are distilled cuts of the same checkpoint. Printed
are, for each task, the rank correlations of their scores with the sums of parts (the prior of
`prior: true`) and with the parameters of their layers, and of their share of the teacher's latency
with the sums of milliseconds; then each student. Sums are of the checkpoint as it came.
"""

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from nas.data.preparation import prepare_tasks
from nas.data.source import load_source
from nas.data.tokenizer import Tokenizer
from nas.search.measured_prior import measured_parts
from nas.teachers.checkpoint import read_checkpoint
from nas.teachers.space import teacher_space
from nas.training.recipe import RECIPES
from search_spaces import Architecture, count_parameters, load_space
from surrogates.models.prior_mean import AdditivePrior

ROWS = Path(__file__).parent / "from_checkpoint" / "students.csv"
LENGTH = 48


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", default=".")
    options = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint = read_checkpoint(options.checkpoint)
    with ROWS.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["distillation"].startswith("hidden")]
    heads, inner = (sorted({int(n) for r in rows for n in r[k].split()}) for k in KEYS)
    definition = {**teacher_space(checkpoint.architecture), "first": []}
    space = load_space({**definition, "heads": heads, "feedforward_widths": inner})
    source, _ = load_source(options.data, tasks=["stsb"], cache_directory=options.work, seed=0)
    tokenizer = Tokenizer.from_json(checkpoint.tokenizer_json)
    data = prepare_tasks(source, tokenizer, max_length=LENGTH, max_train_examples=1000)
    recipe = replace(RECIPES["checkpoint"], tasks=("stsb",), max_length=LENGTH, block_length=LENGTH)
    measured = measured_parts(checkpoint, data, recipe, space)
    score, latency = AdditivePrior(measured.score), AdditivePrior(measured.latency)
    whole = latency.raw(checkpoint.architecture)
    for task in sorted({row["task"] for row in rows}):
        own = [row for row in rows if row["task"] == task]
        cuts = [architecture(row) for row in own]
        reached = [float(row["score"]) for row in own]
        size = [count_parameters(a, vocabulary_size=1) for a in cuts]
        taken = [float(row["latency_share"]) for row in own]
        sums = [score.raw(a) for a in cuts]
        shares = [latency.raw(a) / whole for a in cuts]
        print(
            f"{task}, {len(own)} students: score with sums of parts {rank(sums, reached):.2f}, "
            f"with parameters {rank(size, reached):.2f}; "
            f"latency with sums {rank(shares, taken):.2f}"
        )
        for row, worth, share in sorted(
            zip(own, sums, shares, strict=True), key=lambda found: found[1]
        ):
            print(
                f"  {row['layers']} layers, heads {row['heads']}, neurons {row['feedforward']}: "
                f"sum {worth:.2f}, score {row['score']}; latency {share:.2f}, "
                f"measured {row['latency_share']}"
            )


KEYS = ("heads", "feedforward")


def rank(a: list[float], b: list[float]) -> float:
    """Return the rank correlation; NaN of fewer than three."""
    return float(spearmanr(a, b).statistic) if len(a) > 2 else float(np.nan)


def architecture(row: dict[str, str]) -> Architecture:
    """Return a student's architecture."""
    heads, inner = ([int(n) for n in row[key].split()] for key in KEYS)
    return Architecture.from_dict(
        {
            "l": len(heads),
            "o": [["sa_sdp_32"] * n for n in heads],
            "h": [384] * len(heads),
            "f": [[n] for n in inner],
        }
    )


if __name__ == "__main__":
    main()
