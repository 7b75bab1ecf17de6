"""AdaHessian against AdamW: steps and seconds of a processor to the same loss.

    python experiments/adahessian.py --seeds 5 --table NAS_BENCH_BERT

Two fits. "surrogate": the natural-parameter networks of BOSHNAS on 64 trained encoders, drawn by
the seed from the table (without one, encoders of flexibert-micro and a made-up score), the whole
batch in each step; the loss to reach is that of AdamW as the surrogate has it after its 200 steps.
"encoder": masked tokens of glue-mini in two layers of attention 64 wide; the loss to reach is
AdamW's on text held out after 300 steps at its best rate. Each optimizer has the best of its rates
by seed 0, which is not counted, and may take twice as many steps. Validation is not timed. Rows go
to experiments/adahessian/rows.csv as they come, and a row that is there is not made again. Prints
the table of what is there; takes five minutes of one core.
"""

import argparse
import csv
import dataclasses
import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from glue_mini_facts import attention
from torch import Tensor

from nas.benchmarks.tables import read_table
from nas.config import Experiment
from nas.models.outputs import make_output
from nas.training.loop import split_by_decay
from nas.training.objectives.mlm import MaskedTokens
from nas.training.optimizers import OPTIMIZERS
from nas.training.preparing import experiment_recipe, prepare_data
from nas.training.trial import build_encoder
from search_spaces import FiniteSpace, load_space
from surrogates.boshnas.network_model import DECAY, MEMBERS, RATE, STEPS
from surrogates.boshnas.npn import NaturalParameterNetwork, gaussian_loss
from surrogates.features.columns import Featurizer

ROWS = Path(__file__).parent / "adahessian" / "rows.csv"
COLUMNS = (
    "fit", "optimizer", "rate", "seed", "target", "steps", "cpu_seconds", "ms_a_step", "least_loss"
)  # fmt: skip
TOLD = 64
BATCH, ENCODER_STEPS, LOOK_EVERY = 16, 300, 10
MOST = 2  # times the steps that AdamW has
# AdaHessian's settings: as shipped, its rate is 75 times that of the recipe
SETTINGS = {"adamw": {}, "adahessian": {"power": 1.0, "block": 0, "rate": 75.0}}
RATES = {
    "surrogate": {"adamw": (1e-2, 3e-2, 0.1), "adahessian": (1.3e-3, 4e-3, 1.3e-2, 4e-2)},
    "encoder": {"adamw": (2e-3, 4e-3, 8e-3), "adahessian": (5e-4, 1e-3, 2e-3, 4e-3)},
}
# a training: a loss before each step, the parameters that decay and the others, and what is judged
Training = tuple[Iterator[Callable[[], Tensor]], list, list, Callable[[], float]]


@cache
def told(table: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Return features and standardised scores of all encoders there are."""
    if table is None:
        space = load_space("flexibert-micro")
        architectures = space.sample(4 * TOLD, seed=0)
        rows = Featurizer(space)(architectures)
        scores = np.tanh(rows @ np.random.default_rng(0).normal(size=rows.shape[1]))
    else:
        found = read_table(table)
        rows = Featurizer(FiniteSpace(found.architectures))(found.architectures)
        scores = found.column("glue")
    return rows, (scores - scores.mean()) / scores.std()


def surrogate(seed: int, table: Path | None) -> Training:
    """Return the fit of the networks; the loss judged is that of the step."""
    rows, scores = told(table)
    chosen = np.random.default_rng(seed).permutation(len(rows))[:TOLD]
    inputs, wanted = torch.as_tensor(rows[chosen]), torch.as_tensor(scores[chosen])
    generator = torch.Generator().manual_seed(seed)
    network = NaturalParameterNetwork(
        rows.shape[1], members=MEMBERS, bounded=False, generator=generator
    )

    def loss() -> Tensor:
        mean, variance = network(inputs)
        return gaussian_loss(mean, variance + 1e-3, wanted, 1.0) / wanted.numel() / MEMBERS

    return itertools.repeat(loss), list(network.parameters()), [], lambda: float(loss().detach())


@cache
def data() -> tuple:
    experiment = Experiment()
    recipe = dataclasses.replace(experiment_recipe(experiment), device="cpu")
    return recipe, prepare_data(experiment, recipe)


def encoder(seed: int) -> Training:
    """Return the pre-training of an encoder; the loss judged is that of text held out."""
    recipe, prepared = data()
    torch.manual_seed(seed)
    model = build_encoder(attention(2, 64, 96), recipe, prepared.vocabulary_size).train()
    head, term = make_output(model), MaskedTokens(0.15)
    stream = term.batches(
        prepared.pretrain,
        batch_size=BATCH,
        vocabulary_size=prepared.vocabulary_size,
        seed=seed,
        start=0,
    )
    judged = prepared.validation[:64]

    def held_out() -> float:
        found = term.validation_loss(
            model, head, judged, vocabulary_size=prepared.vocabulary_size, precision="fp32"
        )
        model.train()
        head.train()
        return found

    device = torch.device("cpu")
    losses = (
        lambda batch=batch: sum(term.losses(model, head, batch, device, "fp32", 1))
        for batch in stream
    )
    return losses, *split_by_decay([model, head]), held_out


FITS = {
    "surrogate": (surrogate, STEPS, 1, DECAY),
    "encoder": (encoder, ENCODER_STEPS, LOOK_EVERY, 0.01),
}


def train(
    fit: str, make: Callable[[int], Training], name: str, rate: float, seed: int, target: float
) -> dict[str, object]:
    """Train until the loss is at the target, or for `MOST` times the steps; return the row."""
    _, steps, every, decay = FITS[fit]
    losses, decayed, kept, judge = make(seed)
    optimizer = OPTIMIZERS[name](
        decayed, kept, learning_rate=rate, weight_decay=decay, **SETTINGS[name]
    )
    backward = getattr(optimizer, "backward", Tensor.backward)
    most = steps if target == -math.inf else MOST * steps
    seconds, reached, least = 0.0, None, math.inf
    for step in range(1, most + 1):
        share = min(1.0, step / (0.1 * steps)) if fit == "encoder" else 1.0  # a warm-up
        for group in optimizer.param_groups:
            group["lr"] = share * rate
        loss = next(losses)
        began = time.process_time()
        if name == "adahessian":
            with optimizer.kernels():
                backward(loss())
        else:
            backward(loss())
        torch.nn.utils.clip_grad_norm_([*decayed, *kept], 1.0 if fit == "encoder" else math.inf)
        optimizer.step()
        optimizer.zero_grad()
        seconds += time.process_time() - began
        if step % every == 0:
            found = judge()
            if not math.isfinite(found):
                break
            least = min(least, found)
            if found <= target:
                reached = step
                break
    return {
        "fit": fit, "optimizer": name, "rate": rate, "seed": seed,
        "target": "" if target == -math.inf else round(target, 5),
        "steps": "" if reached is None else reached, "cpu_seconds": round(seconds, 3),
        "ms_a_step": round(1e3 * seconds / step, 3), "least_loss": round(least, 5),
    }  # fmt: skip


def read() -> list[dict[str, str]]:
    """Return the rows that are there."""
    if not ROWS.is_file():
        return []
    with ROWS.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rows_of(fit: str, make: Callable[[int], Training], seeds: int) -> None:
    """Make the rows of a fit that are not there: targets first, then rates, then seeds."""

    def row(name: str, rate: float, seed: int, target: float) -> dict[str, object]:
        for one in read():
            same = one["fit"] == fit and one["optimizer"] == name and int(one["seed"]) == seed
            if (
                same
                and float(one["rate"]) == rate
                and (one["target"] == "") == (target == -math.inf)
            ):
                return one
        found = train(fit, make, name, rate, seed, target)
        new = not ROWS.is_file()
        ROWS.parent.mkdir(exist_ok=True)
        with ROWS.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(found)
        return found

    rates = RATES[fit]

    def wanted(seed: int) -> float:
        """Return the loss that AdamW reaches with its steps at the rate that is its own."""
        own = RATE if fit == "surrogate" else best["adamw"]
        return float(row("adamw", own, seed, -math.inf)["least_loss"])

    def cost(one: dict[str, object]) -> tuple[bool, float, float]:
        reached = one["steps"] != ""
        return (not reached, float(one["steps"] or 0), float(one["least_loss"]))

    best = {
        "adamw": min(
            rates["adamw"], key=lambda r: float(row("adamw", r, 0, -math.inf)["least_loss"])
        )
    }
    for name, listed in rates.items():
        best[name] = min(listed, key=lambda r: cost(row(name, r, 0, wanted(0))))  # noqa: B023
    for seed in range(1, seeds + 1):
        target = wanted(seed)
        for name in rates:
            row(name, best[name], seed, target)


def table() -> str:
    """Return the table: steps and seconds to the same loss, means over seeds but the first."""
    lines = [
        "| fit | optimizer | rate | reached | steps | CPU seconds | ms a step |",
        "|---|---|---|---|---|---|---|",
    ]
    counted = [r for r in read() if r["target"] and int(r["seed"])]
    for fit, name in itertools.product(FITS, SETTINGS):
        own = [r for r in counted if r["fit"] == fit and r["optimizer"] == name]
        if not own:
            continue
        there = [r for r in own if r["steps"]]
        steps, seconds = (_mean([float(r[key]) for r in there]) for key in ("steps", "cpu_seconds"))
        pace = statistics.mean(float(r["ms_a_step"]) for r in own)
        lines.append(
            f"| {fit} | {name} | {own[0]['rate']} | {len(there)} of {len(own)} | {steps} "
            f"| {seconds} | {pace:.2f} |"
        )
    return "\n".join(lines)


def _mean(values: list[float]) -> str:
    if len(values) < 2:
        return "".join(f"{value:.3g}" for value in values)
    error = statistics.stdev(values) / len(values) ** 0.5
    return f"{statistics.mean(values):.3g} ± {error:.2g}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=5, help="that are counted")
    options.add_argument("--table", type=Path, help="of trained encoders, a JSON object a line")
    given = options.parse_args()
    torch.set_num_threads(1)
    rows_of("surrogate", partial(surrogate, table=given.table), given.seeds)
    rows_of("encoder", encoder, min(given.seeds, 3))
    print(table())


if __name__ == "__main__":
    main()
