"""Folders of GLUE files, and files of sentences."""

import shutil
from functools import cache
from pathlib import Path
from random import Random

import yaml

from fuzzer import bases
from fuzzer.bases import EXPERIMENT
from fuzzer.cases import DOORS, SEARCH_CODES, Door, Step, after_search
from fuzzer.texts import change_bytes, change_file, change_lines

WORDS = "the a film was good bad fine dull and or not very it she he story actors long".split()  # noqa: SIM905


@cache
def folder_of_tasks() -> Path:
    """Return a folder with three small tasks: one text, pairs, numbers."""
    rng, root = Random(0), bases.place() / "glue"
    shutil.rmtree(root, ignore_errors=True)

    def line() -> str:
        return " ".join(rng.choice(WORDS) for _ in range(8))

    tables = {
        "SST-2": ("sentence\tlabel", lambda i: f"{line()}\t{i % 2}"),
        "RTE": (
            "index\tsentence1\tsentence2\tlabel",
            lambda i: f"{i}\t{line()}\t{line()}\t{('entailment', 'not_entailment')[i % 2]}",
        ),
        "STS-B": (
            "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
            lambda i: f"{i}\tg\tf\t2012\t{i}\tn\tn\t{line()}\t{line()}\t{i % 6}.0",
        ),
    }
    for name, (header, row) in tables.items():
        (root / name).mkdir(parents=True)
        for split, number in (("train", 60), ("dev", 24), ("test", 8)):
            text = "\n".join((header, *(row(i) for i in range(number)))) + "\n"
            (root / name / f"{split}.tsv").write_text(text)
    return root


def make(rng: Random, folder: Path) -> list[Step]:
    """Change one file of a task; search on it, or score and answer with an exported model."""
    root = bases.copy(folder_of_tasks(), folder / "glue")
    path = rng.choice(sorted(root.rglob("*.tsv")))
    if rng.random() < 0.6:
        changed = change_lines(rng, path.read_text())
        path.write_bytes(changed.encode("utf-8", "surrogatepass"))
    else:
        change_file(rng, path)
    settings = EXPERIMENT | {
        "data": "glue",
        "tasks": ["sst2", "rte", "stsb"],
        "trials": 2,
        "time": None,
    }
    settings["execution"] = {"engine": "inline"}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(settings))
    search = ("search", "experiment.yaml", "--run", "run", "--quiet")
    changed_file = str(path.relative_to(folder))
    steps = [
        Step(search, ("run",), SEARCH_CODES),
        *after_search(rng, "run")[: rng.choice((0, 0, 4))],
    ]
    if rng.random() < 0.4:
        bases.copy(bases.GOLDEN / "old_models" / "absolute", folder / "model")
        steps = [
            Step(
                (
                    "evaluate", "model", "--data", "glue", "--tasks", "sst2,stsb", "--quiet",
                    "--submission", "out",
                ),
                ("out",), after="always",
            ),
            Step(
                ("predict", "model", "--task", "sst2", changed_file, "--to", "out.tsv"),
                ("out.tsv",), after="always",
            ),
            Step(
                ("predict", "model", "--task", "stsb", str(path.relative_to(folder))),
                after="always"
            ),
        ]  # fmt: skip
    return steps


def sentences(rng: Random, folder: Path) -> list[Step]:
    """Change a file of sentences, of every form that the command reads; have it answered."""
    bases.copy(bases.GOLDEN / "old_models" / rng.choice(("absolute", "relative")), folder / "model")
    task = rng.choice(("sst2", "stsb"))
    header = {"sst2": "sentence", "stsb": "sentence1\tsentence2"}[task]
    lines = ["\t".join(rng.choices(WORDS, k=1 + header.count("\t"))) for _ in range(6)]
    text = "\n".join(([header] if rng.random() < 0.5 else []) + lines) + "\n"
    content = change_lines(rng, text).encode("utf-8", "surrogatepass")
    (folder / "in.tsv").write_bytes(content if rng.random() < 0.6 else change_bytes(rng, content))
    return [
        Step(("predict", "model", "--task", task, "in.tsv")),
        Step(("predict", "model", "--task", task, "in.tsv", "--to", "out.tsv"), ("out.tsv",)),
    ]


DOORS.register("glue")(Door("GLUE folders", make))
DOORS.register("sentences")(Door("files of sentences", sentences))
