"""Run directories that somebody else made, or that a disk damaged."""

import json
from pathlib import Path
from random import Random

import yaml

from fuzzer import bases, values
from fuzzer.cases import DOORS, SEARCH_CODES, Door, Step
from fuzzer.databases import change_database
from fuzzer.texts import change_file
from fuzzer.trees import changed_yaml

READING = (
    ("status", "run"), ("status", "run", "--json"), ("trials", "run"),
    ("trials", "run", "--format", "json"),
    ("pareto", "run"), ("why", "run", "1"), ("why", "run", "2", "--json"),
    ("compare", "run", "run"),
    ("trials", "run", "--to", "out.parquet"),
    ("trials", "run", "--sort", "glue", "--where", "glue > 0"),
    ("pareto", "run", "--plot", "out.png"), ("watch", "run"),
)  # fmt: skip


def make(rng: Random, folder: Path) -> list[Step]:
    """Change the record by SQL or bytes, or one of the other files; read, repeat, continue it."""
    old = rng.random() < 0.3
    source = bases.GOLDEN / "old_run" if old else bases.run()
    run = bases.copy(source, folder / "run")
    for _ in range(rng.choice((1, 1, 1, 2))):
        _change(rng, run, source)
    reading = rng.sample(READING, 2)
    trust = ("--trust",) if rng.random() < 0.5 and _has_trust() else ()
    export = ("export", "run", "--pick", "best", "--to", "out", *trust)
    resume = ("resume", "run", "--trials", "+1", "--time", "2s", "--quiet", *trust)
    return [
        *(Step(a, ("out.parquet", "out.png"), after="always") for a in reading),
        Step(("report", "run"), ("run/report.html",), after="always"),
        Step(("replay", "run", *trust), codes=(0, 1, 2), after="always"),
        *([Step(export, ("out",), after="always")] if old and rng.random() < 0.3 else []),
        Step(resume, ("run",), SEARCH_CODES, after="always"),
        Step(("status", "run"), after="always"),
    ]


def _has_trust() -> bool:
    """Say whether this version asks before it imports what a foreign run names."""
    from nas.cli.search import resume

    return any("--trust" in option.opts for option in resume.params)


def _change(rng: Random, run: Path, source: Path) -> None:
    kind = rng.randrange(20)
    if kind < 12:
        change_database(rng, run / "run.db")
    elif kind < 14:
        change_file(rng, run / "run.db")
    elif kind < 16:
        path = run / "experiment.yaml"
        # of the source: what a change before this one wrote may be out of all bounds
        settings = yaml.safe_load((source / path.name).read_text())
        path.write_bytes(changed_yaml(rng, settings))
    elif kind == 16:
        path = run / "experiment.yaml"
        settings = yaml.safe_load((source / path.name).read_text())
        where, name = rng.choice(((settings, "space"), (settings["execution"], "trial_function")))
        where[name] = values.CANARY + rng.choice((":Space", ":measure", ""))
        path.write_text(json.dumps(settings))
    else:
        files = sorted(p for p in run.rglob("*") if p.is_file() and p.name != "run.db")
        change_file(rng, rng.choice(files))


DOORS.register("run")(Door("run directories", make))
