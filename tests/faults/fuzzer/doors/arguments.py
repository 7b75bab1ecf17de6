"""Command lines: every option of every command with values that do not suit it."""

from functools import cache
from pathlib import Path
from random import Random

import click
import yaml

from fuzzer import bases, values
from fuzzer.cases import DOORS, SEARCH_CODES, Door, Step

# Commands whose valid use takes long, or a network, or never ends: only refused before that.
SKIPPED = (
    "benchmark training", "benchmark spaces", "benchmark scheduler", "benchmark mixers", "confirm",
)  # fmt: skip
SUBJECTS = {
    "run": ("run",), "runs": ("run", "run"), "zoo": ("zoo",), "folder": ("zoo/model",),
    "folders": ("zoo/model",),
    "file": ("in.tsv",), "name": ("flexibert-micro",), "architecture": ("bert-mini",),
    "trial": ("1",),
    "experiment": ("experiment.yaml",), "shell": ("bash",),
}  # fmt: skip
# What makes a valid use short, and what is not left out.
NEEDED = {
    "search": ("--run", "out", "--quiet"),
    "resume": ("--quiet",),
    "train": ("--to", "out", "--tokens", "100", "--tasks", "sst2"),
    "evaluate": ("--tasks", "sst2", "--quiet"),
    "predict": ("--task", "sst2"),
    "ensemble": ("--tasks", "sst2", "--quiet"),
    "export": ("--to", "out"),
    "zoo push": ("--repo", "a/b", "--dry-run"),
    "space draw": ("--to", "out.svg"),
    "benchmark policies": ("--table", "none.jsonl"),
    "report": ("--to", "out.html"),
}
WRITES = ("run", "out", "out.svg", "out.html", "zoo/results.csv", "policies-benchmark", "runs")


@cache
def commands() -> dict[str, click.Command]:
    """Return every command, by its words."""
    from nas.cli.main import cli

    found = {}

    def walk(group: click.Group, above: str) -> None:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            words = f"{above} {name}".strip()
            if isinstance(command, click.Group):
                walk(command, words)
            elif words not in SKIPPED:
                found[words] = command

    walk(cli, "")
    return found


def make(rng: Random, folder: Path) -> list[Step]:
    """Take a command and give odd values to one or two of its options or arguments."""
    words, command = rng.choice(list(commands().items()))
    bases.copy(bases.run(), folder / "run")
    bases.copy(bases.GOLDEN / "old_models" / "absolute", folder / "zoo" / "model")
    (folder / "in.tsv").write_text("sentence\na fine film\n")
    experiment = yaml.safe_load((bases.place() / "experiment.yaml").read_text())
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment | {"trials": 2}))
    options = [p for p in command.params if isinstance(p, click.Option) and p.name != "help"]
    subjects = [p for p in command.params if isinstance(p, click.Argument)]
    given = [w for s in subjects for w in SUBJECTS.get(s.name, ("x",))]
    line = [*words.split(), *given, *NEEDED.get(words, ())]
    for _ in range(rng.choice((1, 1, 2))):
        if given and (not options or rng.random() < 0.2):
            line[len(words.split()) + rng.randrange(len(given))] = _value(rng)
        elif options:
            option = rng.choice(options)
            line.append(_given(rng, option))
    if rng.random() < 0.05:
        line.insert(rng.randrange(len(line)), _value(rng))
    named = tuple(word.partition("=")[2] or word for word in line)  # whoever names it may have it
    codes = (*SEARCH_CODES, *((1,) if words in ("replay", "zoo check", "doctor") else ()))
    return [Step(tuple(line), (*WRITES, *named), codes, own=True)]


def _given(rng: Random, option: click.Option) -> str:
    name = rng.choice(option.opts)
    if option.is_flag:
        return name
    separator = "=" if name.startswith("--") else ""
    if isinstance(option.type, click.Choice) and rng.random() < 0.5:
        return f"{name}{separator}{rng.choice(option.type.choices)}"
    return f"{name}{separator}{_value(rng)}"


def _value(rng: Random) -> str:
    odd = values.value(rng)
    if isinstance(odd, int) and abs(odd) > 10**30:
        odd = "9" * 400
    return str(odd).replace("\x00", "0")[:2000].encode("utf-8", "replace").decode()


DOORS.register("arguments")(Door("command-line arguments", make, imports=True))
