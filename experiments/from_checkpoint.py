"""Cuts of a trained encoder, taught by it: what they keep of its score at which latency.

    python experiments/from_checkpoint.py teacher --checkpoint DIR --data GLUE --tasks mrpc,stsb
    python experiments/from_checkpoint.py students --checkpoint DIR --data GLUE --tasks mrpc,stsb
    python experiments/from_checkpoint.py untrained --checkpoint DIR --data GLUE

The teacher is fine-tuned once a task and seed and kept under `--work`. Each row of
`from_checkpoint/students.csv` is one student of one task and seed: a cut of the teacher (layers
evenly chosen or by score, heads and feed-forward as written), distilled with the recipe of a search
or with plain fine-tuning, its score beside the teacher's, processor seconds, and its latency as a
share of the teacher's, measured in turns, batch 1, 32 tokens, one thread. Rows that are there are
not made again; `--rows` names another file. Rows of `students_answers.csv` are of the choice of
heads and layers by the task's answers, those of `students.csv` of the one before. Kinds of rows:

- `even`: evenly chosen whole layers, distilled: what a person does in an afternoon;
- `plain`: the same layers, fine-tuned without a teacher;
- `cut`: heads and feed-forwards of all layers cut alike, refitted, distilled;
- `gradual`: the same sizes, reached in `--steps` by the smallest weights, without a refit, with as
  many passes of the same distillation in all: gradual structured pruning, the usual baseline;
- `searched`: an architecture that a search found (`--architectures FILE`, a JSON text a line).

`untrained` prints what cuts keep before any training: the rank correlation of STS-B's scores (rows
700 to 1,000 of its development part) with the cosine of mean embeddings, cut and refitted.
"""

import argparse
import csv
import json
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from nas.data.batches import batches
from nas.data.encoding import encode_split
from nas.data.preparation import prepare_tasks
from nas.data.source import load_source
from nas.data.tables import Split
from nas.data.tokenizer import Tokenizer
from nas.evaluation.cost import measure_latency
from nas.evaluation.suites.glue import glue_task
from nas.models.encoder import Encoder
from nas.teachers.calibration import calibrate
from nas.teachers.checkpoint import read_checkpoint
from nas.teachers.extraction import extract
from nas.teachers.lessons import Lessons
from nas.training.budget import Budget
from nas.training.device import choose_precision
from nas.training.recipe import Recipe
from nas.training.task_runs import TaskTraining
from nas.training.teaching import make_teacher
from nas.training.trial import model_options
from nas.training.watch import Watch
from search_spaces import Architecture
from search_spaces.parts import Part

HERE = Path(__file__).parent / "from_checkpoint"
COLUMNS = (
    "kind", "task", "seed", "layers", "heads", "feedforward", "kept", "epochs", "rate",
    "distillation", "score", "teacher", "latency_share", "cpu_seconds", "hash",
)  # fmt: skip
# Points of the space at about a half, a quarter and a tenth of the teacher's latency.
POINTS = {
    "even": [(3, 12, 1536), (2, 12, 1536), (1, 12, 1536)],
    "plain": [(3, 12, 1536)],
    "cut": [(6, 12, 384), (6, 9, 576), (4, 12, 768), (3, 12, 384), (4, 6, 384), (2, 6, 192)],
}
POINTS["gradual"] = POINTS["cut"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("teacher", "students", "untrained"))
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--data", required=True, help="official GLUE files")
    parser.add_argument("--tasks", default="cola,mrpc,rte,sst2,stsb")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--kinds", default="even,cut")
    parser.add_argument("--epochs", default="6")
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--distillation", default="hidden")
    parser.add_argument("--steps", type=int, default=4, help="of gradual pruning")
    parser.add_argument("--points", help="such as 6:12:384,3:12:384 instead of the kinds' own")
    parser.add_argument("--architectures", type=Path)
    parser.add_argument("--rows", default="students.csv", help="the file rows go to")
    parser.add_argument("--work", type=Path, default=Path("from-checkpoint-work"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.what == "untrained":
        untrained(options)
        return
    for seed in map(int, options.seeds.split(",")):
        for task in options.tasks.split(","):
            with_task(options, task, seed)


def with_task(options: argparse.Namespace, task: str, seed: int) -> None:
    """Make the teacher of one task and seed, and its students."""
    checkpoint = read_checkpoint(options.checkpoint)
    recipe = Recipe.from_dict(
        {"preset": "checkpoint", "tasks": [task], "distillation": options.distillation}
    )
    source, _ = load_source(
        options.data, tasks=[task], cache_directory=str(options.work), seed=seed
    )
    data = prepare_tasks(
        source,
        Tokenizer.from_json(checkpoint.tokenizer_json),
        max_length=recipe.max_length,
        max_train_examples=recipe.max_train_examples,
        seed=seed,
    )
    folder = options.work / f"{task}-{seed}"
    make_teacher(folder, checkpoint, data, recipe, seed=seed, say=print)
    if options.what == "teacher":
        return
    rows = read_rows(options.rows)
    for kind, architecture in wanted(options):
        for epochs in map(int, options.epochs.split(",")):
            own = replace(recipe, finetune_epochs=epochs, finetune_learning_rate=options.rate)
            if kind == "plain":
                own = replace(own, slots={})
            if kind == "gradual":
                own = in_steps(own, options.steps)
            row = {
                "kind": kind, "task": task, "seed": seed, "epochs": epochs, "rate": options.rate,
                "distillation": own.slots.get("distillation", "none"), "hash": architecture.hash,
            }  # fmt: skip
            if any(all(old[k] == str(v) for k, v in row.items()) for old in rows):
                continue
            place = even(folder, len(architecture.layers)) if kind in ("even", "plain") else folder
            own_data = replace(data, teacher=place)
            found = student(architecture, own, own_data, seed, magnitude=kind == "gradual")
            teacher = Lessons(folder).scores()[task]
            append({**row, **found, "teacher": round(teacher, 4)}, options.rows)


def untrained(options: argparse.Namespace) -> None:
    """Print what cuts of all layers alike keep of a similarity that nobody trained."""
    checkpoint = read_checkpoint(options.checkpoint)
    tokenizer = Tokenizer.from_json(checkpoint.tokenizer_json)
    source, _ = load_source(options.data, tasks=["stsb"], cache_directory=str(options.work), seed=0)
    data = prepare_tasks(source, tokenizer, max_length=128)
    whole = checkpoint.build(max_length=128, pooling="mean").eval()
    text = islice(batches(data.tasks["stsb"]["train"], batch_size=32, seed=0), 24)
    worth = calibrate(whole, text)
    (dev,) = source["stsb"].dev.values()
    rows = slice(700, 1000)

    def embed(encoder: Encoder, texts: list[str]) -> torch.Tensor:
        split = encode_split(tokenizer, Split(texts, None, None), 128)
        found = torch.zeros(len(texts), encoder.width)
        with torch.inference_mode():
            for batch in batches(split, batch_size=64, shuffle=False):
                hidden = encoder(batch.tokens, batch.keep, batch.token_types)
                real = batch.keep[:, :, None].float()
                found[batch.rows] = (hidden * real).sum(1) / real.sum(1)
        return torch.nn.functional.normalize(found)

    def correlation(encoder: Encoder) -> float:
        both = [embed(encoder, list(side[rows])) for side in (dev.first, dev.second)]
        return float(spearmanr((both[0] * both[1]).sum(1).numpy(), dev.labels[rows]).statistic)

    print(f"whole {correlation(whole):.3f}")
    for heads, inner in ((12, 768), (12, 384), (6, 1536), (6, 768)):
        architecture, values = cut(6, heads, inner), []
        for refit in (False, True):
            started = time.process_time()
            weights = extract(architecture, whole.state_dict(), worth, range(6), refit=refit)
            seconds = time.process_time() - started
            encoder = Encoder(
                architecture, checkpoint.vocabulary_size, max_length=128, dropout=0.0
            ).eval()
            encoder.load_state_dict(weights)
            values.append(f"{correlation(encoder):.3f}")
        kept = f"{heads} heads, {inner} neurons"
        print(f"{kept}: cut {values[0]}, refitted {values[1]} ({seconds:.2f} s)")


def wanted(options: argparse.Namespace) -> list[tuple[str, Architecture]]:
    if options.architectures:
        lines = options.architectures.read_text(encoding="utf-8").splitlines()
        return [("searched", Architecture.from_dict(json.loads(line))) for line in lines if line]
    found = []
    for kind in options.kinds.split(","):
        points = POINTS[kind]
        if options.points:
            points = [tuple(map(int, p.split(":"))) for p in options.points.split(",")]
        found += [(kind, cut(*point)) for point in points]
    return found


def cut(layers: int, heads: int, inner: int, width: int = 384, head: int = 32) -> Architecture:
    """Return an encoder with layers that are alike."""
    return Architecture.from_dict(
        {
            "l": layers,
            "o": [[f"sa_sdp_{head}"] * heads] * layers,
            "h": [width] * layers,
            "f": [[inner]] * layers,
        }
    )


def even(folder: Path, layers: int) -> Path:
    """Return a copy of a teacher's folder whose cuts keep evenly chosen layers."""
    place = folder.parent / f"{folder.name}-even"
    place.mkdir(exist_ok=True)
    for path in folder.iterdir():
        target = place / path.name
        if path.suffix == ".json":
            facts = json.loads(path.read_text())
            most = len(facts["layers"])
            facts["layers"] = [
                [round((i + 1) * most / n) - 1 for i in range(n)] for n in range(1, most + 1)
            ]
            target.write_text(json.dumps(facts))
        elif not target.exists():
            target.symlink_to(path.resolve())
    return place


def in_steps(recipe: Recipe, steps: int) -> Recipe:
    """Return the recipe whose distillation is made in steps."""
    (how,) = recipe.standing("distillation")
    part = Part.of(how.kind, {**dict(how.settings), "steps": steps})
    return replace(recipe, slots={**recipe.slots, "distillation": str(part)})


def student(
    architecture: Architecture, recipe: Recipe, data, seed: int, *, magnitude: bool = False
) -> dict[str, object]:
    """Distil one cut; return what the row says of it."""
    task = glue_task(recipe.tasks[0])
    lessons = Lessons(data.teacher)
    encoder = Encoder(architecture, data.vocabulary_size, **model_options(recipe))
    precision = choose_precision(recipe, torch.device("cpu"))
    started = time.process_time()
    training = TaskTraining(
        encoder, data, recipe, seed, Watch(None, None), precision, Budget(), lessons=lessons,
        magnitude=magnitude,
    )  # fmt: skip
    result = training.run([task])[task.name]
    seconds = time.process_time() - started
    whole = Architecture.from_dict(lessons.facts["architecture"])
    teacher = Encoder(whole, data.vocabulary_size, **model_options(recipe))
    first = architecture.layers
    return {
        "layers": len(first),
        "heads": " ".join(str(len(layer.heads)) for layer in first),
        "feedforward": " ".join(str(layer.feedforward[0]) for layer in first),
        "kept": ""
        if magnitude
        else " ".join(map(str, lessons.cut(architecture, task.name).layers)),
        "score": round(result.score, 4),
        "latency_share": round(latency_share(encoder, teacher), 3),
        "cpu_seconds": round(seconds),
    }


def latency_share(student: Encoder, teacher: Encoder, turns: int = 5) -> float:
    """Return the student's latency over the teacher's, the median of several turns."""
    shares = []
    for _ in range(turns):
        both = [measure_latency(e, length=32, threads=1).p50_ms for e in (student, teacher)]
        shares.append(both[0] / both[1])
    return float(np.median(shares))


def read_rows(name: str) -> list[dict[str, str]]:
    path = HERE / name
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def append(row: dict[str, object], name: str) -> None:
    HERE.mkdir(exist_ok=True)
    path = HERE / name
    new = not path.is_file()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(row, flush=True)


if __name__ == "__main__":
    main()
