"""Files of a user's own task, in every format, and what an experiment says of them."""

import csv
import io
import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from fuzzer import values
from fuzzer.bases import EXPERIMENT
from fuzzer.cases import DOORS, SEARCH_CODES, Door, Step, after_search
from fuzzer.doors.glue import WORDS
from fuzzer.texts import change_bytes, change_file, change_lines

SEPARATORS = {".csv": ",", ".tsv": "\t"}
RECIPE = {
    "vocabulary_size": 300, "pretrain_tokens": 500, "finetune_epochs": 1, "block_length": 16,
    "max_train_examples": 24, "max_dev_examples": 16,
}  # fmt: skip


@cache
def rows(kind: str) -> list[dict[str, Any]]:
    """Return examples of classes, of a number, or of two texts."""
    rng = Random(0)

    def line() -> str:
        return " ".join(rng.choice(WORDS) for _ in range(7))

    found = [{"id": i, "text": line(), "label": ("no", "yes", "so, so")[i % 3]} for i in range(48)]
    if kind == "number":
        found = [{**row, "label": i * 0.25} for i, row in enumerate(found)]
    if kind == "pair":
        found = [{"sentence1": r["text"], "sentence2": line(), "label": r["label"]} for r in found]
    return found


def write(path: Path, examples: list[dict[str, Any]]) -> None:
    """Write examples in the format of the path's ending."""
    if path.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(examples), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, examples)) + "\n")
    elif path.suffix == ".json":
        path.write_text(json.dumps(examples))
    else:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(examples[0]), delimiter=SEPARATORS[path.suffix])
        writer.writeheader()
        writer.writerows(examples)
        path.write_text(text.getvalue())


def odd_rows(rng: Random, examples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return examples with one value, name or row that is odd."""
    found = [dict(row) for row in examples]
    at, name = rng.randrange(len(found)), rng.choice(list(found[0]))
    kinds = (
        lambda: found[at].__setitem__(name, values.value(rng)),
        lambda: found[at].__setitem__(name, values.text(rng)),
        lambda: [row.__setitem__(name, values.text(rng)) for row in found],
        lambda: [row.pop(name) for row in found],
        lambda: [row.__setitem__(values.text(rng), row[name]) for row in found],
        lambda: found.__setitem__(slice(rng.randrange(1, 12), None), []),
        lambda: found.append(found[at]),
    )
    rng.choice(kinds)()
    return found


def steps_of(rng: Random, folder: Path, task: dict[str, Any], asked: str) -> list[Step]:
    """Return a search on a task called "mine", and what is done with what it found."""
    settings = EXPERIMENT | {"trials": 1, "time": None, "constraints": [], "tasks": [task]}
    settings |= {"objectives": {"score": "max"}, "recipe": RECIPE}
    settings["execution"] = {"engine": "inline"}
    del settings["data"]
    (folder / "experiment.yaml").write_text(yaml.safe_dump(settings))
    search = ("search", "experiment.yaml", "--run", "run", "--quiet")
    return [
        Step(search, ("run",), SEARCH_CODES),
        *after_search(rng, "run")[: rng.choice((0, 0, 0, 4))],
        Step(("export", "run", "--to", "zoo/model"), ("zoo",)),
        Step(("predict", "zoo/model", asked, "--to", "out.csv"), ("out.csv",)),
        Step(("evaluate", "zoo/model", "--task", f"mine={asked}", "--quiet")),
    ]


def make(rng: Random, folder: Path) -> list[Step]:
    """Change a file or what is said of it; search on it, and answer with what was found."""
    ending = rng.choice((*SEPARATORS, ".jsonl", ".json", ".parquet"))
    examples = rows(rng.choice(("classes", "classes", "number", "pair")))
    task: dict[str, Any] = {"train": f"train{ending}", "name": "mine"}
    for split, some in (("train", examples), ("dev", examples[:16])):
        write(folder / f"{split}{ending}", some)
    if rng.random() < 0.5:
        task["dev"] = f"dev{ending}"
    path = folder / f"{rng.choice(('train', 'train', 'dev'))}{ending}"
    kind = rng.randrange(8)
    if kind < 3:
        try:
            write(path, odd_rows(rng, examples))
        except Exception:  # noqa: BLE001  what no format can say is no case
            write(path, examples)
    elif kind < 5 and ending in SEPARATORS:
        text = change_lines(rng, path.read_text(), separator=SEPARATORS[ending])
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
    elif kind == 5:
        path.write_bytes(change_bytes(rng, path.read_bytes()))
    elif kind == 6:
        change_file(rng, path)
    else:
        key = rng.choice(("name", "text", "label", "kind", "metrics", "language", "dev", "test"))
        usual = ("text", "label", "classes", "number", ["auc"], "accuracy", "id", "hub:x")
        task[key] = rng.choice((values.value(rng), values.text(rng), *usual))
    return steps_of(rng, folder, task, f"dev{ending}")


DOORS.register("own")(Door("files of one's own task", make))
