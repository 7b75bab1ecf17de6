"""`nas config`: what an experiment resolves to, and every setting with its default and meaning."""

import re
import textwrap
from pathlib import Path
from typing import Any

import click

from nas.cli.own_tasks import OWN_TASKS, take_own_tasks
from nas.cli.printing import echo
from nas.cli.settings import SET, WITHOUT_ARGUMENTS, with_set

_WIDTH = 100


@click.command()
@click.argument("experiment", required=False, type=click.Path(path_type=Path))
@OWN_TASKS
@click.option(
    "--from",
    "checkpoint",
    help="A trained encoder (folder or hub:NAME): search among its cuts, taught by it.",
)
@SET
@click.option("--defaults", is_flag=True, help="Every setting, its default and what it means.")
def config(
    experiment: Path | None, changes_of_settings: tuple[str, ...], *, defaults: bool, **options: Any
) -> None:
    """Print what EXPERIMENT resolves to, every setting and the whole recipe filled in, as YAML.

    What is printed is an experiment file itself. Nothing is read beyond the file and nothing begun;
    only what data decides (a tokenizer's entries, the fitting max_length) is open.

    \b
    nas config my-experiment.yaml --set recipe.max_length=128
    nas config --task reviews.csv --from all-MiniLM-L6-v2
    nas config --defaults > my-experiment.yaml
    """  # noqa: D301  click reads \b
    if defaults:
        echo(every_setting(), nl=False)
        return
    import yaml

    from nas.config import make_experiment, read_settings
    from nas.training.preparing import default_preset, experiment_recipe

    settings = read_settings(experiment) if experiment else {}
    given = {k: v for k, v in take_own_tasks(options).items() if v not in (None, ())}
    plan = make_experiment(with_set({**settings, **given}, changes_of_settings))
    resolved = plan.model_dump(mode="json")
    preset = plan.recipe.get("preset", default_preset(plan.data, plan.checkpoint))
    resolved["recipe"] = {"preset": preset, **experiment_recipe(plan).to_dict()}
    echo(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True), nl=False)


def every_setting() -> str:
    """Return an experiment file with every setting at its default, and what each means."""
    import yaml

    from nas.config import Execution, Experiment
    from nas.training.recipe import Recipe

    plain = {**Experiment().model_dump(mode="json"), **WITHOUT_ARGUMENTS}
    lines = [
        "# What `nas search` does without arguments, every setting spelled out. Copy it and change",
        "# what you need: nas search my-experiment.yaml. Written by: nas config --defaults",
    ]

    def add(name: str, value: Any, meaning: str, level: str = "", mark: str = "") -> None:
        for line in textwrap.wrap(meaning, _WIDTH - len(level) - 2):
            lines.append(f"{level}# {line}")
        text = yaml.safe_dump(
            {name: value}, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10**6
        )
        lines.append(f"{level}{mark}{text.strip()[1:-1]}")

    for name, meaning in meanings(Experiment).items():
        if name == "execution":
            lines += [f"# {meaning}", "execution:"]
            for inner, words in meanings(Execution).items():
                add(inner, plain["execution"][inner], words, "  ")
        elif name == "recipe":
            lines += [f"# {meaning}", "recipe:", "  preset: glue-mini"]
            values = Recipe().to_dict()
            lines.append("  # The preset decides these; glue, own and checkpoint have others.")
            for inner, words in meanings(Recipe).items():
                if inner in values:
                    add(inner, values[inner], words, "  ", "# ")
        else:
            add(name, plain[name], meaning)
    return "\n".join(lines) + "\n"


def meanings(described: type) -> dict[str, str]:
    """Return what the docstring of a class says of each of its attributes."""
    part = described.__doc__.partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    for line in textwrap.dedent(part).splitlines():
        entry = re.match(r"(\w+): (.*)", line.removeprefix(" " * 8) if line[:8].isspace() else line)
        name = entry and not line.startswith(" " * 4 + " ")
        if name:
            found[entry[1]] = entry[2]
        elif found and line.strip():
            last = next(reversed(found))
            found[last] += f" {line.strip()}"
    return found
