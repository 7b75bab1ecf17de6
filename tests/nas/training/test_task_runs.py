"""Fine-tuning by task: overrides, seeds, selection, tuning, and starting from MNLI."""

import dataclasses

import numpy as np
import pytest
import torch

from nas.data.preparation import prepare
from nas.data.tables import Split, TaskData
from nas.evaluation.cost import Latency
from nas.evaluation.metrics import score
from nas.evaluation.suites.glue import GLUE
from nas.training import one_task, tuning
from nas.training.prediction import predict
from nas.training.selection import hold_out, take_rows
from nas.training.trial import run_trial
from nas.training.tuning import tune
from search_spaces.errors import InvalidExperiment

ANIMALS = ["cat", "dog", "bird", "fish"]


@pytest.fixture(autouse=True, scope="module")
def untimed():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.training.trial.measure_latency", lambda *a, **k: Latency(1, 1, 0, 1))
        yield


def pairs(labels, count, seed):
    rng = np.random.default_rng(seed)
    first, second = rng.choice(ANIMALS, count), rng.choice(ANIMALS, count)
    return Split(list(first), list(second), rng.integers(0, labels, count))


@pytest.fixture(scope="module")
def entailment(recipe):
    """MNLI and RTE in miniature, without any sense."""
    return prepare(
        tasks={
            "rte": TaskData("rte", pairs(2, 40, 0), {"dev": pairs(2, 12, 1)}),
            "mnli": TaskData(
                "mnli",
                pairs(3, 40, 2),
                {"matched": pairs(3, 12, 3), "mismatched": pairs(3, 12, 4)},
            ),
        },
        corpus=[" ".join(np.random.default_rng(s).choice(ANIMALS, 6)) for s in range(80)],
        vocabulary_size=60,
        max_length=recipe.max_length,
        block_length=recipe.block_length,
    )


@pytest.fixture(scope="module")
def starts(architecture, recipe, entailment):
    """A function: the weights each task starts from, and the result, for a changed recipe."""

    def run(**changes):
        seen = []
        real = one_task.finetune

        def watched(encoder, head, task, splits, recipe, **settings):
            weight = encoder.pooler.weight.detach().clone()
            result = real(encoder, head, task, splits, recipe, **settings)
            seen.append((task.name, weight, encoder.pooler.weight.detach().clone()))
            return result

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(one_task, "finetune", watched)
            changed = dataclasses.replace(recipe, tasks=("rte", "mnli"), **changes)
            return seen, run_trial(architecture(), changed, entailment, seed=0)

    return run


def test_rte_starts_from_what_mnli_ends_with_if_asked_to(starts, recipe):
    plain, result = starts()
    assert [name for name, _, _ in plain] == ["rte", "mnli"]
    assert list(result.scores) == ["glue", "rte", "mnli"]
    (_, before_rte, _), (_, before_mnli, _) = plain
    assert torch.equal(before_mnli, before_rte)
    chained, _ = starts(from_mnli=True)
    assert [name for name, _, _ in chained] == ["mnli", "rte"]
    (_, _, after_mnli), (_, before_rte, _) = chained
    assert torch.equal(after_mnli, before_rte)
    with pytest.raises(InvalidExperiment, match="and mnli is not among the tasks rte. Add it"):
        dataclasses.replace(recipe, tasks=("rte",), from_mnli=True)


def test_several_seeds_give_mean_and_deviation(starts):
    one = starts()[1]
    seen, three = starts(finetune_seeds=3)
    assert [name for name, _, _ in seen] == ["rte"] * 3 + ["mnli"] * 3
    assert three.details["rte_deviation"] >= 0
    assert "rte_deviation" not in one.details
    parts = [three.details[f"mnli_{name}_accuracy"] for name in ("matched", "mismatched")]
    assert three.scores["mnli"] == pytest.approx(np.mean(parts))


def test_a_task_has_its_own_recipe(architecture, recipe, data):
    changed = dataclasses.replace(recipe, per_task={"STS-B": {"epochs": 1, "learning_rate": 1e-9}})
    assert changed.for_task("stsb").finetune_epochs == 1
    assert changed.for_task("sst2") is changed
    kept = {}
    plain = run_trial(architecture(), recipe, data, seed=0)
    result = run_trial(
        architecture(),
        changed,
        data,
        seed=0,
        keep=lambda task, encoder, head, result: kept.update({task.name: result.steps}),
    )
    assert kept == {"sst2": 8, "stsb": 4}
    assert result.scores["sst2"] == plain.scores["sst2"]
    assert result.scores["stsb"] != plain.scores["stsb"]


def test_what_is_kept_gives_the_scores_that_are_reported(architecture, recipe, data):
    changed = dataclasses.replace(recipe, selection="dev", finetune_epochs=3)
    found = {}

    def keep(task, encoder, head, result):
        for name in task.dev:
            split = data.tasks[task.name][name]
            answers = predict(encoder, head, task, split, scale=result.scale)
            found[task.name] = np.mean(list(score(task, answers, split.labels).values()))

    result = run_trial(architecture(), changed, data, seed=0, keep=keep)
    for name, value in found.items():
        assert result.scores[name] == pytest.approx(value, abs=1e-6)


def test_selection_on_dev_is_never_worse_and_on_the_training_part_never_sees_it(
    architecture, recipe, data
):
    noisy = dataclasses.replace(recipe, finetune_epochs=4, finetune_learning_rate=2e-2)
    plain = run_trial(architecture(), noisy, data, seed=0)
    common = run_trial(architecture(), dataclasses.replace(noisy, selection="dev"), data, seed=0)
    for name in ("sst2", "stsb"):
        assert common.scores[name] >= plain.scores[name]
    sizes, real = [], one_task.finetune

    def watched(encoder, head, task, splits, recipe, *, select_on, **settings):
        train = splits["train"]
        sizes.append((len(train), [len(split) for split in select_on]))
        dev = data.tasks[task.name]["dev"]
        assert splits["dev"] is dev
        assert all(split is not dev for split in select_on)
        return real(encoder, head, task, splits, recipe, select_on=select_on, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_task, "finetune", watched)
        run_trial(architecture(), dataclasses.replace(noisy, selection="train-part"), data, seed=0)
    assert sizes == [(58, [6])] * 2


def test_tuning_tries_the_recipe_first_and_continues_where_it_was(recipe):
    plan = dataclasses.replace(recipe, tune_trials=6)

    def value(candidate):
        rate = np.log(candidate.finetune_learning_rate / 2e-3)
        return -abs(rate) - candidate.finetune_batch / 1e3

    tried, records, asked = [], [], []

    def first(candidate, number):
        assert number == len(tried)
        tried.append(candidate)
        return value(candidate)

    def second(candidate, number):
        asked.append(number)
        return value(candidate)

    best = tune(plan, first, seed=1, note=lambda pairs: records.append(list(pairs)))
    assert tried[0].finetune_learning_rate == recipe.finetune_learning_rate
    assert len({candidate.finetune_learning_rate for candidate in tried}) == 6
    top = max(tried, key=value)
    assert best.finetune_learning_rate == top.finetune_learning_rate
    assert best.finetune_batch == top.finetune_batch
    assert tune(plan, second, seed=1, done=records[2]) == best
    assert asked == [3, 4, 5]


def test_settings_are_tried_in_the_precision_that_they_will_train_in(architecture, recipe, data):
    tuned = dataclasses.replace(recipe, tune_trials=2, tasks=("sst2",), precision="bf16")
    seen, real = [], one_task.finetune

    def watched(*given, precision, **settings):
        seen.append(precision)
        return real(*given, precision=precision, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_task, "finetune", watched)
        run_trial(architecture(), tuned, data, seed=0)
    assert seen == ["bf16"] * 3


@pytest.mark.parametrize(("startup", "same"), [(3, True), (2, False), (4, False)])
def test_tuning_draws_three_settings_at_random_before_it_learns(recipe, startup, same, monkeypatch):
    plan = dataclasses.replace(recipe, tune_trials=4)

    def rates():
        tried = []
        tune(plan, lambda r, n: tried.append(r.finetune_learning_rate) or -float(n), seed=1)
        return tried

    found = rates()
    monkeypatch.setattr(tuning, "_STARTUP", startup)
    assert (rates() == found) is same


def test_a_tuned_trial_reports_its_settings_and_repeats(architecture, recipe, data, tmp_path):
    tuned = dataclasses.replace(recipe, tune_trials=2, tasks=("sst2",))
    first = run_trial(architecture(), tuned, data, seed=0)
    assert first.details["sst2_learning_rate"] > 0
    assert first.details["sst2_batch"] in (8, 16, 32)
    second = run_trial(architecture(), tuned, data, seed=0, checkpoint=tmp_path)
    third = run_trial(architecture(), tuned, data, seed=0, checkpoint=tmp_path)
    assert first.scores == second.scores == third.scores


def test_constant_answers_score_zero_and_are_said(architecture, recipe, data):
    still = dataclasses.replace(
        recipe, finetune_learning_rate=1e-12, pretrain_learning_rate=1e-12, tasks=("sst2", "stsb")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "nas.training.prediction.predict_surely",
            lambda e, h, task, split, **k: (np.ones(len(split)), None),
        )
        result = run_trial(architecture(), still, data, seed=0)
    assert result.scores["stsb"] == 0.0
    assert result.details["stsb_constant_answers"] == 1.0
    assert all(np.isfinite(value) for value in result.scores.values())
    assert score(GLUE["cola"], np.zeros(4), np.array([0, 1, 0, 1])) == {"matthews": 0.0}


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5])
def test_held_out_examples_and_the_rest_are_all_examples(share, data):
    split = data.tasks["stsb"]["train"]
    rest, part = hold_out(split, share, seed=4)
    assert len(part) == max(1, round(share * len(split)))
    assert len(rest) + len(part) == len(split)
    texts = [
        sorted(
            (bytes(s.tokens[a:b]), int(second), float(label))
            for a, b, second, label in zip(
                s.offsets[:-1], s.offsets[1:], s.second_start, s.labels, strict=True
            )
        )
        for s in (split, rest, part)
    ]
    assert sorted(texts[1] + texts[2]) == texts[0]
    same = take_rows(split, np.arange(len(split)))
    assert np.array_equal(same.tokens, split.tokens)
    assert np.array_equal(same.offsets, split.offsets)
