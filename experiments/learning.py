"""How well each mixer and each feed-forward learns alone: two layers on glue-mini, beside BERT.

    python experiments/learning.py --seeds 3 --until 10:00

Every kind stands alone in all heads, or in both feed-forwards, of an encoder 64 wide. Its rate of
pre-training is the best of three with one seed, then come fresh seeds at that rate. The same goes
for BERT of equal parameters: two layers of attention whose feed-forward is as wide as makes up the
difference. Rows go to experiments/learning/rows.csv as they come, and a row that is there is not
trained again. `--share` is the share of the default's tokens; `--layers 4` the deeper encoder.
"""

import argparse
import csv
import statistics
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import torch

from nas.benchmarks.mixers import feedforward_kinds, mixer_kinds
from nas.config import Experiment
from nas.training.preparing import experiment_recipe, prepare_data
from nas.training.trial import run_trial
from search_spaces import Architecture, count_parameters
from search_spaces.architectures.layers import Head, Layer
from search_spaces.parts import read_kind

ROWS = Path(__file__).parent / "learning" / "rows.csv"
COLUMNS = (
    "kind", "side", "layers", "share", "rate", "seed", "glue", "parameters", "cpu_seconds"
)  # fmt: skip
RATES = (1e-3, 2e-3, 4e-3)
WIDTH, HEADS, INNER = 64, 4, 128
FIRST_SEED = 0  # chooses the rate, and is not counted


def encoder(kind: str, layers: int) -> Architecture:
    """Return the encoder of one kind of head or of feed-forward."""
    if kind in mixer_kinds():
        head, parts = Head(*read_kind(kind), WIDTH // HEADS), {}
    else:
        head, parts = Head("sa", "sdp", WIDTH // HEADS), {"feedforward": kind}
    return Architecture([Layer(WIDTH, (head,) * HEADS, (INNER,), parts)] * layers)


def bert_of_equal_size(architecture: Architecture, vocabulary_size: int) -> Architecture:
    """Return BERT of as many layers, its feed-forward as wide as makes parameters equal."""
    wanted = count_parameters(architecture, vocabulary_size=vocabulary_size)
    head = Head("sa", "sdp", WIDTH // HEADS)

    def bert(inner: int) -> Architecture:
        return Architecture([Layer(WIDTH, (head,) * HEADS, (inner,))] * len(architecture))

    def miss(inner: int) -> int:
        return abs(count_parameters(bert(inner), vocabulary_size=vocabulary_size) - wanted)

    return bert(min(range(8, 4096, 8), key=miss))


def read_rows() -> list[dict[str, str]]:
    """Return the rows that are there."""
    if not ROWS.exists():
        return []
    with open(ROWS, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def append(row: dict[str, object]) -> None:
    """Add a row to the file."""
    ROWS.parent.mkdir(exist_ok=True)
    new = not ROWS.exists()
    with open(ROWS, "a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def rows_of(rows: list[dict[str, str]], kind: str, side: str, options: argparse.Namespace):
    """Return the rows of one encoder as (rate, seed) to GLUE."""
    return {
        (float(row["rate"]), int(row["seed"])): float(row["glue"])
        for row in rows
        if (row["kind"], row["side"]) == (kind, side)
        and int(row["layers"]) == options.layers
        and float(row["share"]) == options.share
    }


def table(rows: list[dict[str, str]], options: argparse.Namespace) -> None:
    """Print the mean over fresh seeds of each kind and of BERT, with standard errors."""
    print(f"{'kind':<24}{'GLUE':>16}{'BERT':>16}{'difference':>18}{'seeds':>7}")
    for kind in dict.fromkeys(row["kind"] for row in rows):
        cells, found = [], []
        for side in ("kind", "bert"):
            scores = rows_of(rows, kind, side, options)
            chosen = best_rate(scores)
            own = [s for (rate, seed), s in scores.items() if seed != FIRST_SEED and rate == chosen]
            found.append(own)
            cells.append(mean_and_error(own))
        if all(len(own) > 1 for own in found):
            error = sum(statistics.variance(own) / len(own) for own in found) ** 0.5
            difference = statistics.mean(found[0]) - statistics.mean(found[1])
            cells.append(f"{difference:+.3f} ± {error:.3f}")
        else:
            cells.append("")
        print(f"{kind:<24}{cells[0]:>16}{cells[1]:>16}{cells[2]:>18}{len(found[0]):>7}")


def mean_and_error(scores: list[float]) -> str:
    """Return a mean with its standard error, as text."""
    if len(scores) < 2:
        return f"{scores[0]:.3f}" if scores else ""
    return f"{statistics.mean(scores):.3f} ± {statistics.stdev(scores) / len(scores) ** 0.5:.3f}"


def best_rate(scores: dict[tuple[float, int], float]) -> float | None:
    """Return the best rate of the first seed; None unless all were tried."""
    tried = {rate: scores[rate, FIRST_SEED] for rate in RATES if (rate, FIRST_SEED) in scores}
    return max(tried, key=tried.__getitem__) if len(tried) == len(RATES) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--kinds", help="separated by spaces; all without")
    parser.add_argument("--until", help="HH:MM, no trial is begun after it")
    parser.add_argument("--table", action="store_true", help="train nothing")
    options = parser.parse_args()
    kinds = options.kinds.split() if options.kinds else [*mixer_kinds(), *feedforward_kinds()]
    if not options.table:
        train_all(kinds, options)
    table(read_rows(), options)


def train_all(kinds: list[str], options: argparse.Namespace) -> None:
    """Train what is missing, each kind and its BERT in turn, as long as there is time."""
    torch.set_num_threads(1)
    experiment = Experiment()
    recipe = experiment_recipe(experiment)
    data = prepare_data(experiment, recipe)
    vocabulary = data.vocabulary_size
    for kind in kinds:
        own = encoder(kind, options.layers)
        sides = {"kind": own, "bert": bert_of_equal_size(own, vocabulary)}
        for side, architecture in sides.items():
            for number in range(len(RATES) + options.seeds):
                scores = rows_of(read_rows(), kind, side, options)
                if number < len(RATES):
                    rate, seed = RATES[number], FIRST_SEED
                else:
                    rate, seed = best_rate(scores), number - len(RATES) + 1
                if (rate, seed) in scores:
                    continue
                if options.until and datetime.now().strftime("%H:%M") >= options.until:
                    return
                begin = time.process_time()
                used = replace(recipe, pretrain_learning_rate=rate)
                result = run_trial(architecture, used, data, seed=seed, fidelity=options.share)
                append(
                    {
                        "kind": kind,
                        "side": side,
                        "layers": options.layers,
                        "share": options.share,
                        "rate": rate,
                        "seed": seed,
                        "glue": round(result.scores["glue"], 5),
                        "parameters": count_parameters(architecture, vocabulary_size=vocabulary),
                        "cpu_seconds": round(time.process_time() - begin, 1),
                    }
                )


if __name__ == "__main__":
    main()
