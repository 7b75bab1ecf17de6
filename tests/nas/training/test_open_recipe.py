"""Fields of a recipe that every architecture chooses for itself."""

import pytest

from nas.config import make_experiment
from nas.proposals.building import build_policy, run_space
from nas.tables.trials import trial_table
from nas.training.preparing import experiment_recipe
from nas.training.recipe import Recipe
from search_spaces import Architecture, load_space
from search_spaces.errors import InvalidExperiment

RATES = {"from": 5e-4, "to": 4e-3, "steps": 4}
OPEN = {"pretrain_learning_rate": RATES, "mask_rate": [0.15, 0.3]}


def opened(**more):
    return Recipe.from_dict({**OPEN, **more})


def test_a_list_or_steps_leave_a_field_open():
    recipe = opened()
    assert recipe.open == {
        "pretrain_learning_rate": (0.0005, 0.001, 0.002, 0.004),
        "mask_rate": (0.15, 0.3),
    }
    assert recipe.mask_rate == Recipe().mask_rate
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert "open" not in Recipe().to_dict()


def test_a_trial_is_trained_with_what_its_architecture_chose():
    (base,) = load_space("flexibert-micro").sample(1)
    choice = {"mask_rate": 0.15, "pretrain_learning_rate": 0.004, "finetune_epochs": 3}
    recipe = opened().chosen(Architecture(base.layers, recipe=choice))
    assert (recipe.mask_rate, recipe.pretrain_learning_rate) == (0.15, 0.004)
    assert recipe.finetune_epochs == 3
    assert not recipe.open
    assert opened().chosen(base) == Recipe.from_dict({"preset": "glue-mini"})
    with pytest.raises(InvalidExperiment, match="mask_rate is 2.0"):
        recipe.chosen(Architecture(base.layers, recipe={"mask_rate": 2.0}))


def test_the_space_of_a_run_has_every_choice():
    plain = load_space("flexibert-micro")
    space = run_space("flexibert-micro", opened())
    assert space.size == 8 * plain.size
    assert run_space("flexibert-micro", Recipe()).size == plain.size
    experiment = make_experiment({"recipe": OPEN, "policy": "evolution"})
    policy = build_policy(experiment, experiment_recipe(experiment), 1_000)
    proposed = policy.ask(6)
    assert all(set(dict(a.recipe)) == set(OPEN) for a in proposed)
    assert len({a.recipe for a in proposed}) > 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"vocabulary_size": [100, 200]}, "vocabulary_size.*the data.*Open may be"),
        ({"tokenizer": ["bpe"]}, "tokenizer.*the data"),
        ({"finetune_seeds": [1, 2]}, "measured"),
        ({"pretrain_tokens": [1_000, 2_000]}, "budget"),
        ({"device": ["cpu", "cuda"]}, "machine"),
        ({"selection": ["none", "dev"]}, "measured"),
        ({"mask_rate": [0.1, 1.5]}, "mask_rate is 1.5"),
        ({"mask_rate": []}, "different values"),
        ({"pretrain_batch": [1.5, 2]}, "pretrain_batch"),
        ({"mask_rate": {"from": 0.1}}, "LOW < HIGH"),
        ({"mask_rate": [0.1], "open": {"mask_rate": [0.2]}}, "twice"),
        ({"open": {"tasks": ["rte"]}}, "tasks.*the data"),
    ],
)
def test_what_cannot_be_open_is_refused_with_the_reason(settings, words):
    with pytest.raises(InvalidExperiment, match=words):
        Recipe.from_dict(settings)


def test_a_space_may_leave_open_what_the_recipe_does_not(tmp_path):
    path = tmp_path / "open.yaml"
    text = (
        "layers: [2]\nwidths: [64]\nheads: [2]\noperations: {sa: [sdp]}\n"
        "feedforward_widths: [96]\nfeedforward_depths: [1]\nrecipe: {mask_rate: [0.2, %s]}\n"
    )
    path.write_text(text % 0.4)
    assert run_space(str(path), Recipe()).size == 2
    with pytest.raises(InvalidExperiment, match="mask_rate is open in the space"):
        run_space(str(path), opened())
    path.write_text(text % 7)
    with pytest.raises(InvalidExperiment, match="mask_rate is 7"):
        run_space(str(path), Recipe())


def test_a_space_without_places_for_choices_is_refused(tmp_path, monkeypatch):
    (tmp_path / "listed_space.py").write_text(
        "from search_spaces import FiniteSpace, load_space\n"
        "Listed = FiniteSpace(load_space('flexibert-micro').sample(3))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidExperiment, match="no YAML"):
        run_space("listed_space:Listed", opened())


def test_the_table_of_trials_has_a_column_for_each_choice():
    (base,) = load_space("flexibert-micro").sample(1)
    chosen = Architecture(base.layers, recipe={"mask_rate": 0.15})
    record = {
        "trial": 1, "hash": chosen.hash, "status": "done", "fidelity": 1.0,
        "scores": {"glue": 0.5}, "costs": {}, "architecture": chosen.to_dict(),
    }  # fmt: skip
    table = trial_table([record], preset="glue-mini")
    assert table["recipe.mask_rate"].tolist() == [0.15]
    assert table["recipe"].tolist() == ["glue-mini"]
