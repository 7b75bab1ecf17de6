"""What an architecture chose of its recipe, in every table and page that names an architecture."""

import json
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest

from nas.cli.tables import _fitting, cell
from nas.execution.perform import perform
from nas.execution.trial_function import TrialFunction
from nas.report.document import build_document
from nas.runs.directory import open_run
from nas.single.confirm import _submit
from nas.single.exporting import trial_card, trial_recipe
from nas.single.trials import tokens_of
from nas.training.recipe import Recipe
from search_spaces import Architecture, load_space

CHOICES = ({"pretrain_learning_rate": 0.0005, "optimizer": "adamw"}, {"mask_rate": 0.125})


@pytest.fixture
def chosen(begin):
    """Return the directory of a run whose two trials chose of their recipes."""
    run = begin(name="chosen").run
    for number, choice in enumerate(CHOICES, start=1):
        (base,) = load_space("flexibert-micro").sample(1, seed=number)
        architecture = Architecture(base.layers, recipe=choice)
        run.journal.asked(architecture.to_dict(), architecture.hash, seed=1, proposal={})
        run.journal.started(number, 0)
        costs = {"parameters": 100.0 * number, "latency_ms": float(number)}
        run.journal.finished(
            number, "done", scores={"glue": 0.4 + number / 10}, costs=costs, seconds=2.0,
            details={"budget_seconds": 1.25, "budget_tokens": 500.0 * number},
        )  # fmt: skip
    run.close()
    return run.directory


def test_tables_print_the_choices_with_the_digits_they_have(nas, chosen):
    code, out, _ = nas("trials", chosen)
    assert code == 0
    assert "recipe.pretrain_learning_rate" in out
    assert "0.0005" in out
    assert "0.125" in out
    assert "adamw" in out
    assert "pretrain_learning_rate 0.0005" in nas("pareto", chosen)[1]
    other = shutil.copytree(chosen, chosen.with_name("other"))
    assert "0.0005" in nas("compare", chosen, other)[1]
    assert "budget_seconds" in out
    assert cell("budget_seconds", 1.25) == "1.2"
    assert cell("recipe.clip", 1.0) == "1"
    assert cell("recipe.clip", pd.NA) == "-"


def test_the_columns_of_slots_are_texts_and_those_of_numbers_are_numbers(chosen):
    table = open_run(chosen).trials()
    assert table["recipe.optimizer"].dtype == "string"
    assert table["recipe.mask_rate"].dtype == "float64"
    assert table["recipe.optimizer"].tolist() == ["adamw", pd.NA]


def test_choices_are_left_out_after_the_scores_of_tasks():
    cells = {name: ["0.123"] for name in ("trial", "glue", "recipe.clip", "cola", "rte")}
    assert _fitting(cells, 34) == (["trial", "glue", "recipe.clip", "cola"], ["rte"])


def test_why_and_the_report_name_the_choices(nas, chosen):
    assert "optimizer adamw, pretrain_learning_rate 0.0005" in nas("why", chosen, 1)[1]
    assert json.loads(nas("why", chosen, 2, "--json")[1])["recipe"] == {"mask_rate": "0.125"}
    recipes = build_document(open_run(chosen))["trials"]["recipe"]
    assert recipes[1] == {"mask_rate": "0.125"}


def test_the_card_has_the_recipe_that_was_trained_by(chosen):
    run = open_run(chosen)
    (run.directory / "data").mkdir()
    first, second = run.journal.trials()
    card = trial_card(run, first)
    assert card["chosen_recipe"] == {"pretrain_learning_rate": "0.0005", "optimizer": "adamw"}
    assert card["recipe"]["pretrain_learning_rate"] == 0.0005
    assert card["recipe"]["pretrain_tokens"] == tokens_of(first) == 500
    again = Recipe.from_dict(trial_recipe(run, second))
    assert (again.mask_rate, again.pretrain_tokens, again.open) == (0.125, 1000, {})
    plain = {**first, "architecture": load_space("flexibert-micro").sample(1)[0].to_dict()}
    assert trial_recipe(run, plain) == run.experiment.recipe
    assert tokens_of({"details": {}}) is None


def test_who_is_confirmed_reads_the_tokens_of_the_search(chosen, monkeypatch):
    run, jobs = open_run(chosen), []
    known = {record["hash"]: record for record in run.journal.trials()}
    for number, digest in enumerate(known):
        _submit(run, SimpleNamespace(submit=jobs.append), known, (number, (digest, 1), 1), {})
    assert [job.tokens for job in jobs] == [500, 1000]

    def trial(architecture, recipe, data, tokens):
        return {"scores": {"glue": float(tokens)}, "costs": {}}

    monkeypatch.setattr("nas.execution.perform.trial_function", lambda name: TrialFunction(trial))
    assert perform(jobs[0], Recipe(), None, function="x:y").scores == {"glue": 500.0}
