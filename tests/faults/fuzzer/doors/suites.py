"""Suites that others publish: SuperGLUE's and NepGLUE's files, and those that are only scored."""

import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from fuzzer import bases, values
from fuzzer.bases import EXPERIMENT
from fuzzer.cases import DOORS, SEARCH_CODES, Door, Step, after_search
from fuzzer.doors.glue import WORDS
from fuzzer.doors.own import RECIPE, odd_rows
from fuzzer.texts import change_bytes, change_file, change_lines
from fuzzer.trees import change_tree, changed_json

Rows = list[dict[str, Any]]


def _line(rng: Random, words: int = 6) -> str:
    return " ".join(rng.choices(WORDS, k=words))


def _multirc(rng: Random, i: int) -> dict[str, Any]:
    answers = [{"text": _line(rng, 2), "label": j % 2, "idx": j} for j in range(2)]
    asked = [{"question": _line(rng), "answers": answers, "idx": j} for j in range(2)]
    return {"idx": i, "passage": {"text": _line(rng, 12), "questions": asked}}


def _wsc(rng: Random, i: int) -> dict[str, Any]:
    target = {"span1_text": "film", "span1_index": 1, "span2_text": "it", "span2_index": 3}
    return {"text": _line(rng), "target": target, "label": bool(i % 2), "idx": i}


# Folder -> a row of it.
MAKERS = {
    "BoolQ": lambda rng, i: {"question": _line(rng), "passage": _line(rng), "label": bool(i % 2)},
    "CB": lambda rng, i: {
        "premise": _line(rng), "hypothesis": _line(rng),
        "label": ("entailment", "contradiction", "neutral")[i % 3], "idx": i,
    },
    "COPA": lambda rng, i: {
        "premise": _line(rng), "choice1": _line(rng), "choice2": _line(rng),
        "question": ("cause", "effect")[i % 2], "label": i % 2, "idx": i,
    },
    "MultiRC": _multirc,
    "RTE": lambda rng, i: {
        "premise": _line(rng), "hypothesis": _line(rng),
        "label": ("entailment", "not_entailment")[i % 2],
    },
    "WiC": lambda rng, i: {
        "word": "film", "sentence1": _line(rng), "sentence2": _line(rng), "label": bool(i % 2),
        "start1": 0, "end1": 4,
    },
    "WSC": _wsc,
    "NER": lambda rng, i: {
        "tokens": rng.choices(WORDS, k=5), "tags": ["O", "B-X", "O", "I-X", "O"],
    },
    "CPS": lambda rng, i: {"sentence1": _line(rng), "sentence2": _line(rng), "label": i % 2},
}  # fmt: skip


@cache
def table(folder: str, number: int) -> str:
    """Return a file of a task, as JSON lines."""
    rng = Random(f"{folder}/{number}")
    return _lines([MAKERS[folder](rng, i) for i in range(number)])


def _lines(rows: Rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _change_lines(rng: Random, path: Path) -> None:
    """Change a row of a file of JSON lines, a line of it, or its bytes."""
    rows, kind = [json.loads(line) for line in path.read_text().splitlines()], rng.randrange(8)
    if kind < 3:
        at = rng.randrange(len(rows))
        rows[at] = change_tree(rng, rows[at])
        path.write_text(_lines(rows))
    elif kind < 5:
        path.write_text(_lines(odd_rows(rng, rows)))
    elif kind == 5:
        text = change_lines(rng, path.read_text(), separator=", ")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
    elif kind == 6:
        path.write_bytes(change_bytes(rng, path.read_bytes()))
    else:
        change_file(rng, path)


def trained(rng: Random, folder: Path) -> list[Step]:
    """Change a file or a folder of a suite; search on it, and answer with what was found."""
    name = rng.choice(list(MAKERS))
    place = folder / "suite" / name
    place.mkdir(parents=True)
    tests = "dev.jsonl" if name in ("NER", "CPS") else "val.jsonl"
    for file, number in (("train.jsonl", 36), (tests, 16), ("test.jsonl", 6)):
        (place / file).write_text(table(name, number))
    kind = rng.randrange(10)
    path = place / rng.choice(("train.jsonl", tests))
    if kind < 8:
        _change_lines(rng, path)
    elif kind == 8:
        path.rename(place / rng.choice(("x.jsonl", "train.csv", "val.txt", f"{path.name}.gz")))
    else:
        place.rename(place.parent / rng.choice((name.lower(), "X", "-".join(name), "RTE")))
    settings = EXPERIMENT | {"trials": 1, "time": None, "constraints": []}
    settings |= {"objectives": {"score": "max"}, "recipe": RECIPE, "data": "suite"}
    settings["execution"] = {"engine": "inline"}
    del settings["tasks"]
    (folder / "experiment.yaml").write_text(yaml.safe_dump(settings))
    asked = f"suite/{name}/{rng.choice(('test.jsonl', path.name))}"
    return [
        Step(("search", "experiment.yaml", "--run", "run", "--quiet"), ("run",), SEARCH_CODES),
        *after_search(rng, "run")[: rng.choice((0, 0, 0, 4))],
        Step(("export", "run", "--to", "zoo/model"), ("zoo",)),
        Step(("predict", "zoo/model", asked, "--to", "out.csv"), ("out.csv",)),
        Step(("evaluate", "zoo/model", "--data", "suite", "--quiet")),
    ]


# A suite that is only scored -> a file of it, and its rows.
PAIRS: dict[str, tuple[str, Rows]] = {
    "blimp": ("passive_1.jsonl", [{"sentence_good": "a film", "sentence_bad": "film a"}] * 4),
    "blimp_supplement": (
        "hypernym.jsonl", [{"sentence_good": "it was fine", "sentence_bad": "fine it"}] * 4,
    ),
    "ewok": (
        "physical-relations.jsonl",
        [{"Context1": "a film", "Context2": "no film", "Target1": "good", "Target2": "bad"}] * 4,
    ),
}  # fmt: skip
ADVERSARIAL = {"sst2": [{"idx": i, "sentence": "a good film", "label": i % 2} for i in range(4)]}


def scored(rng: Random, folder: Path) -> list[Step]:
    """Change a file of minimal pairs or of AdvGLUE; score a model on it, and search with it."""
    bases.copy(bases.GOLDEN / "old_models" / "absolute", folder / "model")
    suite, place = rng.choice((*PAIRS, "advglue")), folder / "suite"
    place.mkdir()
    if suite == "advglue":
        changed = changed_json(rng, ADVERSARIAL)
        (place / "dev.json").write_bytes(changed)
    else:
        file, rows = PAIRS[suite]
        (place / file).write_text(_lines(rows))
        _change_lines(rng, place / file)
    more = () if rng.random() < 0.8 else (f"--limit={rng.choice((1, 0, -1, 2, 10**30))}",)
    settings = EXPERIMENT | {"trials": 1, "time": None, "constraints": [], "tasks": ["sst2"]}
    settings["objectives"] = {"glue": "max", suite: "max"}
    odd = values.value(rng) if rng.random() < 0.3 else 3
    settings["suites"] = {suite: {"data": "suite", "limit": odd}}
    settings["execution"] = {"engine": "inline"}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(settings))
    search = ("search", "experiment.yaml", "--run", "run", "--quiet")
    return [
        Step(("evaluate", "model", "--suite", f"{suite}=suite", "--quiet", *more)),
        *([Step(search, ("run",), SEARCH_CODES)] if rng.random() < 0.2 else []),
    ]


DOORS.register("suite")(Door("suites that are trained", trained))
DOORS.register("pairs")(Door("suites that are scored", scored))
