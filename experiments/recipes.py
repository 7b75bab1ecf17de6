"""Each idea of a recipe against the plain one on glue-mini, in equal seconds of a processor.

    python experiments/recipes.py --seeds 3 --until 10:00

Every entry is trained as an architecture's own choice, so that pre-training gets the seconds that
the plain recipe takes (docs/recipes.md). Seeds are paired: each entry's GLUE minus that of the
plain recipe with the same seed. Rows go to experiments/recipes/rows.csv as they come, and a row
that is there is not trained again. Prints the table of what is there.
"""

import argparse
import csv
import dataclasses
import statistics
import time
from datetime import datetime
from pathlib import Path

import torch
from glue_mini_facts import attention

from nas.config import Experiment
from nas.training.preparing import experiment_recipe, prepare_data
from nas.training.recipe import Recipe
from nas.training.trial import run_trial
from search_spaces import Architecture

ROWS = Path(__file__).parent / "recipes" / "rows.csv"
COLUMNS = (
    "entry", "seed", "glue", "validation_loss", "tokens", "pretrain_cpu_seconds", "cpu_seconds",
    "training_memory_mb",
)  # fmt: skip
PLAIN = "plain"
ENTRIES: dict[str, dict[str, object]] = {
    PLAIN: {},
    "muon": {"optimizer": "muon"},
    "stableadamw": {"optimizer": "stableadamw"},
    "wsd": {"schedule": "wsd"},
    "cosine": {"schedule": "cosine"},
    "rtd": {"objective": "rtd"},
    "mlm+wso": {"objective": "mlm+wso"},
    "fsam, fine-tuning": {"finetune_optimizer": "fsam"},
    "short blocks": {"short_blocks": 0.5},
    "falling mask rate": {"objective": "mlm(final_rate=0.15)"},
    "z-loss": {"objective": "mlm(z_loss=0.0001)"},
    "gradnormlorp": {"optimizer": "gradnormlorp"},
    "adahessian": {"optimizer": "adahessian"},
    "sam": {"optimizer": "sam"},
    "fsam": {"optimizer": "fsam"},
    "rtd > contrastive+rtd": {"objective": "rtd > contrastive+rtd", "pretrain_dropout": 0.1},
    "mlm+sso": {"objective": "mlm+sso"},
    "mlm+nsp": {"objective": "mlm+nsp"},
    "mlm+e2s2": {"objective": "e2s2+mlm"},
    "e2s2 with a decoder": {"objective": "e2s2(decoder=1)"},
    "mosaic": {"schedule": "mosaic"},
    "rtd, shared": {"objective": "rtd(sharing=shared)"},
    "rtd, apart": {"objective": "rtd(sharing=none)"},
    "variation sets": {"augmentation": "variation-sets"},
    "sift": {"finetuning": "sift"},
    "lora": {"finetuning": "lora"},
    "meft": {"finetuning": "meft"},
    "multi-task": {"finetuning": "multi-task"},
    "self-calibrated": {"finetuning": "self-calibrated"},
    "preference heads": {"finetuning": "preference-heads"},
    "gradnormlorp, 8 bits": {"optimizer": "gradnormlorp(bits=8)"},
}


def train(entry: str, seed: int, recipe: Recipe, data: object) -> dict[str, object]:
    """Return the row of one entry and seed."""
    chosen = ENTRIES[entry]
    architecture = Architecture(attention(2, 64, 96).layers, recipe=chosen)
    opened = dataclasses.replace(recipe, open={name: (value,) for name, value in chosen.items()})
    began, marks = time.process_time(), {}

    def progress(stage: str, share: float) -> None:
        if share == 0.0:
            marks.setdefault(stage, time.process_time())

    found = run_trial(architecture, opened, data, seed=seed, progress=progress)
    first_task = min(value for name, value in marks.items() if name in found.scores)
    return {
        "entry": entry,
        "seed": seed,
        "glue": found.scores["glue"],
        "validation_loss": found.details["validation_loss"],
        "tokens": int(found.details["pretrain_tokens"]),
        "pretrain_cpu_seconds": round(first_task - marks["pretrain"], 1),
        "cpu_seconds": round(time.process_time() - began, 1),
        "training_memory_mb": round(found.details["training_memory_mb"], 2),
    }


def read() -> list[dict[str, str]]:
    """Return the rows that are there."""
    if not ROWS.is_file():
        return []
    with ROWS.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(row: dict[str, object]) -> None:
    """Add a row."""
    ROWS.parent.mkdir(exist_ok=True)
    new = not ROWS.is_file()
    with ROWS.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def table(rows: list[dict[str, str]]) -> str:
    """Return the table: differences to the plain recipe with standard errors, by entry."""
    plain = {row["seed"]: row for row in rows if row["entry"] == PLAIN}
    lines = [
        "| entry | pairs | GLUE − plain | | tokens (×1000) | seconds | memory (MB) |",
        "|---|---|---|---|---|---|---|",
    ]
    for entry in ENTRIES:
        own = [row for row in rows if row["entry"] == entry and row["seed"] in plain]
        if not own:
            continue
        gains = [float(row["glue"]) - float(plain[row["seed"]]["glue"]) for row in own]
        mean = statistics.mean(gains)
        verdict, error = "too few pairs", ""
        if len(gains) > 1:
            deviation = statistics.stdev(gains) / len(gains) ** 0.5
            error = f" ± {deviation:.3f}"
        if len(gains) > 2:
            verdict = "within noise" if abs(mean) <= 2 * deviation else "beyond 2 errors"
        shown = f"{mean:+.3f}{error}"
        if entry == PLAIN:
            shown, verdict = f"{statistics.mean(float(r['glue']) for r in own):.3f} itself", ""
        tokens, seconds, memory = (
            statistics.mean(float(row[name]) for row in own)
            for name in ("tokens", "cpu_seconds", "training_memory_mb")
        )
        lines.append(
            f"| {entry} | {len(own)} | {shown} | {verdict} | {tokens / 1000:.0f} | {seconds:.0f} "
            f"| {memory:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--until", help="begin nothing after this time of day, such as 10:00")
    given = options.parse_args()
    torch.set_num_threads(1)
    experiment = Experiment()
    recipe = dataclasses.replace(experiment_recipe(experiment), device="cpu")
    data = prepare_data(experiment, recipe)
    done = {(row["entry"], int(row["seed"])) for row in read()}
    for seed in range(given.seeds):
        for entry in ENTRIES:
            late = given.until and datetime.now().strftime("%H:%M") >= given.until
            if not late and (entry, seed) not in done:
                write(train(entry, seed, recipe, data))
    print(table(read()))


if __name__ == "__main__":
    main()
