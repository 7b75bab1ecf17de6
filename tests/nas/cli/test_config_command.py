"""`nas config` and `--set`: what an experiment resolves to, and every setting with its default."""

from pathlib import Path

import pytest
import yaml

from nas.cli.config import every_setting
from nas.cli.main import cli
from nas.cli.settings import WITHOUT_ARGUMENTS, with_set
from nas.config import Execution, Experiment, make_experiment
from nas.training.recipe import Recipe
from search_spaces.errors import InvalidExperiment

DEFAULT = Path(__file__).resolve().parents[3] / "experiments" / "default.yaml"


def printed(capsys, *arguments):
    cli.main([*map(str, arguments)], prog_name="nas", standalone_mode=False)
    return capsys.readouterr().out


def test_the_default_experiment_spells_every_setting_out():
    text = DEFAULT.read_text(encoding="utf-8")
    assert text == every_setting()  # else: nas config --defaults > experiments/default.yaml
    settings = yaml.safe_load(text)
    assert set(settings) == set(Experiment.model_fields)
    assert set(settings["execution"]) == set(Execution.model_fields)
    plain = make_experiment(settings).model_copy(update={"recipe": {}})
    assert plain == make_experiment({**WITHOUT_ARGUMENTS})
    for name in Recipe().to_dict():
        assert f"\n  # {name}: " in text
    commented = text.replace("  # glue, own", "#").splitlines()
    recipe = [line.replace("  # ", "", 1) for line in commented if line.startswith("  # ")]
    values = {k: v for line in recipe if ": " in line for k, v in _setting(line).items()}
    assert Recipe.from_dict(values) == Recipe()


def _setting(line):
    name = line.partition(":")[0]
    return yaml.safe_load(line) if name in Recipe().to_dict() and "{" not in name else {}


def test_what_is_printed_is_an_experiment_with_the_whole_recipe(capsys, tmp_path):
    own = tmp_path / "plan.yaml"
    own.write_text("trials: 3\nrecipe: {preset: glue, dropout: 0.2}\n")
    out = printed(capsys, "config", own, "--set", "recipe.max_length=32", "--set", "tasks=[sst2]")
    found = yaml.safe_load(out)
    assert found["trials"] == 3
    assert found["tasks"] == ["sst2"]
    recipe = Recipe.from_dict(found["recipe"])
    assert (recipe.max_length, recipe.dropout, recipe.tasks) == (32, 0.2, ("sst2",))
    own.write_text(out)
    assert printed(capsys, "config", own) == out
    found = yaml.safe_load(printed(capsys, "config", "--task", "reviews=a.csv,b.csv"))
    assert found["objectives"] == {"score": "max", "parameters": "min", "latency_ms": "min"}
    assert found["recipe"]["preset"] == "own"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trials", "is no setting. Write KEY=VALUE"),
        (".x=1", "is no setting"),
        ("trials.x=1", "trials is 3, which has no settings below it"),
        ("recipe.x=[1", "--set"),
        ("tasks.2.kind=span", "'2' is no entry of a list of 2. Count from 0"),
        ("tasks.kind=span", "'kind' is no entry of a list"),
        ("tasks.1.kind=span", "1 is 'cola', which has no settings below it"),
        (f"tasks.{'9' * 5000}=x", "'9{60}' is no entry of a list of 2"),
    ],
    ids=lambda text: text[:20],
)
def test_what_set_refuses(text, message):
    with pytest.raises(InvalidExperiment, match=message):
        with_set({"trials": 3, "tasks": [{"train": "a.csv"}, "cola"]}, (text,))


def test_set_reaches_into_lists():
    before = {"tasks": [{"train": "a.csv"}, "cola"]}
    after = with_set(before, ("tasks.0.kind=span", "tasks.1=rte"))
    assert before == {"tasks": [{"train": "a.csv"}, "cola"]}
    assert after == {"tasks": [{"train": "a.csv", "kind": "span"}, "rte"]}


def test_every_command_that_takes_an_experiment_takes_set():
    taking = []
    for name in cli.list_commands(None):
        command = cli.get_command(None, name)
        commands = [command, *getattr(command, "commands", {}).values()]
        for each in commands:
            options = {parameter.name for parameter in each.params}
            if {"experiment", "corpus"} & options:
                taking += [(name, "changes_of_settings" in options)]
    assert {("search", True), ("config", True), ("train", True)} <= set(taking)
    assert all(there for _, there in taking)


def test_set_leaves_what_it_was_given():
    before = {"recipe": {"dropout": 0.1}}
    after = with_set(before, ("recipe.max_length=8", "execution.engine=inline"))
    assert before == {"recipe": {"dropout": 0.1}}
    assert after["recipe"] == {"dropout": 0.1, "max_length": 8}
    assert after["execution"] == {"engine": "inline"}
