"""Fine-tunings that change what is learnt from: doubted labels, and inputs that will be scored."""

import dataclasses

import numpy as np
import pytest
import torch

from nas.cli.train import learnt_from_scored
from nas.data.batches import batches
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.glue import glue_task
from nas.proposals.building import run_space
from nas.training.finetunings import SelfCalibrated, Transductive
from nas.training.finetunings.self_calibrated import doubtful
from nas.training.loop import Loop
from nas.training.prediction import Scale
from nas.training.recipe import Recipe
from nas.training.selection import join_rows, take_rows
from nas.training.trial import run_trial
from nas.zoo.card import model_card
from search_spaces.errors import InvalidExperiment, TrialError

SST2, STSB = glue_task("sst2"), glue_task("stsb")


@pytest.mark.parametrize(("least", "found"), [(0.25, 0.85), (0.1, 0.40)])
def test_planted_noise_is_found_where_the_threshold_exceeds_it(least, found):
    """A tenth of the labels is wrong: fitted probabilities hardly fall below a tenth."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 2_000)
    inputs = rng.normal(size=(2_000, 10))
    inputs[:, 0] += 2.5 * (2 * true - 1)
    wrong = rng.random(2_000) < 0.1
    given = np.where(wrong, 1 - true, true)
    sure = cross_val_predict(LogisticRegression(), inputs, given, cv=5, method="predict_proba")
    doubted = doubtful(sure, given, least)
    assert doubted[~wrong].sum() == 0
    assert doubted[wrong].mean() == pytest.approx(found, abs=0.02)
    assert (doubtful(sure, given, least, 1 - least) == doubted).all()  # of two classes the same


def test_another_class_must_be_probable():
    sure = np.array([[0.1, 0.8, 0.1], [0.2, 0.4, 0.4], [0.5, 0.3, 0.2]])
    assert doubtful(sure, np.zeros(3), 0.25, 0.75).tolist() == [True, False, False]


def test_splits_are_joined_row_by_row(data):
    split = data.tasks["sst2"]["train"]
    parts = [take_rows(split, np.arange(40)), take_rows(split, np.arange(40, len(split)))]
    for name in ("tokens", "offsets", "second_start", "labels"):
        assert np.array_equal(getattr(join_rows(parts), name), getattr(split, name))


def oracle(data, wrong=()):
    """Rehearsals that know the task, and are sure; what they were given is noted."""
    seen = []
    truth = {tuple(take_rows(split, np.array([i])).tokens): int(split.labels[i])
             for split in data.tasks["sst2"].values() for i in range(len(split))}  # fmt: skip

    def rehearse(name, train, asked):
        seen.append((name, len(train), len(asked), asked.labels.copy()))
        found = [truth[tuple(take_rows(asked, np.array([i])).tokens)] for i in range(len(asked))]
        return np.eye(2)[found] * 0.9 + 0.05

    return rehearse, seen


def test_doubted_labels_are_left_out_or_turned_round(data):
    splits = data.tasks["sst2"]
    train = splits["train"]
    labels = train.labels.copy()
    labels[:6] = 1 - labels[:6]
    noisy = {**splits, "train": dataclasses.replace(train, labels=labels)}
    rehearse, seen = oracle(data)
    drop = SelfCalibrated(4, 0.25, 0.75, "drop")
    kept = drop.examples(SST2, noisy, rehearse)["train"]
    assert [entry[:3] for entry in seen] == [(f"fold-{i}", 48, 16) for i in range(4)]
    assert len(kept) == len(train) - 6
    assert drop.notes == {"doubted": 6.0}
    assert drop.fits == 5
    turned = SelfCalibrated(4, 0.25, 0.75, "flip").examples(SST2, noisy, rehearse)["train"]
    assert np.array_equal(turned.labels, train.labels)
    assert np.array_equal(turned.tokens, train.tokens)
    same = SelfCalibrated(4, 0.25, 0.75, "drop")
    assert same.examples(STSB, data.tasks["stsb"], None) is data.tasks["stsb"]


def test_inputs_that_are_scored_are_labelled_by_what_is_sure_of_them(data):
    rehearse, seen = oracle(data)
    way = Transductive(0.5, 0.9)
    splits = data.tasks["sst2"]
    found = way.examples(SST2, splits, rehearse)["train"]
    ((name, train, asked, told),) = seen
    assert (name, train, asked) == ("first", 64, 48)
    assert not told.any()  # nobody is told the labels
    assert len(found) == 64 + 48
    assert np.array_equal(found.labels[64:], splits["dev"].labels)
    assert way.notes == {"transductive": 48.0}
    assert Transductive(0.5, 0.96).examples(SST2, splits, rehearse) is splits
    assert Transductive(0.0, 0.5).examples(SST2, splits, None) is splits
    assert Transductive(0.5, 0.5).examples(STSB, data.tasks["stsb"], None) is data.tasks["stsb"]


def test_what_was_labelled_so_counts_by_its_weight(data):
    way, kind = Transductive(0.25, 0.9), TASK_KINDS["classes"]
    found = way.examples(SST2, data.tasks["sst2"], oracle(data)[0])["train"]
    batch = next(batches(found, batch_size=20, seed=3))
    torch.manual_seed(0)
    outputs = torch.randn(20, 2, requires_grad=True)
    own = torch.nn.functional.cross_entropy(outputs, batch.labels.long(), reduction="none")
    weights = torch.where(batch.rows < 64, 1.0, 0.25)
    assert len(weights.unique()) == 2
    loss = way.task_loss(kind, outputs, batch, Scale())
    torch.testing.assert_close(loss, (own * weights).mean())
    assert Transductive(0.25, 0.9).task_loss(kind, outputs, batch, Scale()) is None


def trained(architecture, recipe, data, text):
    kept = {}

    def keep(task, encoder, head, result):
        kept[task.name] = {k: v.clone() for k, v in encoder.state_dict().items()}

    slots = {"finetuning": text} if text else {}
    recipe = dataclasses.replace(recipe, pretrain_tokens=64, finetune_epochs=6, slots=slots)
    return run_trial(architecture(), recipe, data, seed=0, keep=keep), kept


def test_a_weight_of_nothing_is_plain_fine_tuning(architecture, recipe, data):
    plain, _ = trained(architecture, recipe, data, "")
    found, _ = trained(architecture, recipe, data, "transductive(weight=0)")
    assert found.scores == plain.scores


def test_labels_of_scored_inputs_are_never_read_but_for_the_score(architecture, recipe, data):
    text = "transductive(confidence=0.5)"
    found, weights = trained(architecture, recipe, data, text)
    dev = data.tasks["sst2"]["dev"]
    other = {**data.tasks["sst2"], "dev": dataclasses.replace(dev, labels=1 - dev.labels)}
    turned = dataclasses.replace(data, tasks={**data.tasks, "sst2": other})
    again, same = trained(architecture, recipe, turned, text)
    assert all(torch.equal(same["sst2"][k], v) for k, v in weights["sst2"].items())
    assert again.scores["sst2"] == pytest.approx(1 - found.scores["sst2"])
    assert found.details["sst2_transductive"] == len(dev)
    assert "stsb_transductive" not in found.details


def test_nothing_doubted_is_plain_fine_tuning(architecture, recipe, data):
    plain, _ = trained(architecture, recipe, data, "")
    found, _ = trained(architecture, recipe, data, "self-calibrated(folds=2,least=0)")
    assert found.scores == plain.scores
    assert found.details["sst2_doubted"] == 0


@pytest.mark.parametrize(
    "text", ["self-calibrated(folds=2,least=0.4,sure=0.5)", "transductive(confidence=0.5)"]
)
@pytest.mark.parametrize("at", [5, 10])
def test_what_was_cut_off_between_or_within_rehearsals_ends_with_the_same_bits(
    text, at, architecture, recipe, data, tmp_path, monkeypatch
):
    recipe = dataclasses.replace(
        recipe, pretrain_tokens=64, tasks=("sst2",), slots={"finetuning": text}
    )
    run = lambda folder: run_trial(  # noqa: E731
        architecture(), recipe, data, seed=0, checkpoint=folder, checkpoint_seconds=0
    )
    step, taken, cut = Loop.step, [], [-1]

    def counted(self, *arguments):
        taken.append(self._stage)
        if taken.count("sst2") == cut[0]:
            raise TrialError("cut off", cause="time-out")
        return step(self, *arguments)

    monkeypatch.setattr(Loop, "step", counted)
    whole, steps = run(tmp_path / "whole"), taken.count("sst2")
    taken.clear()
    cut[0] = at
    with pytest.raises(TrialError, match="cut off"):
        run(tmp_path / "cut")
    cut[0] = -1
    again = run(tmp_path / "cut")
    assert again.scores == whole.scores
    assert again.details["sst2_loss"] == whole.details["sst2_loss"]
    assert taken.count("sst2") - 1 == steps > at  # nothing is done twice but the step cut off
    assert not list((tmp_path / "cut").glob("rehearsal-*"))


def test_results_that_compare_with_no_others_say_so():
    (line,) = learnt_from_scored({"a_transductive": 3.0, "b_score": 1.0}, ["a", "b"])
    assert line.startswith("TRANSDUCTIVE")
    assert "a (3)" in line
    assert learnt_from_scored({"b_score": 1.0}, ["a", "b"]) == []
    card = model_card({"transductive": {"a": 3.0}})
    assert "## Transductive: scored inputs that were learnt from" in card


@pytest.mark.parametrize(
    ("space", "recipe"),
    [
        ("flexibert-micro", {"finetuning": "transductive"}),
        ("flexibert-micro", {"finetuning": ["full", "transductive(weight=0.3)"]}),
        ("offering", {}),
    ],
)
def test_no_search_learns_from_what_candidates_are_compared_on(space, recipe):
    if space == "offering":
        space = {
            "layers": [2], "widths": [64], "heads": [2], "operations": {"sa": ["sdp"]},
            "feedforward_widths": [96], "feedforward_depths": [1],
            "recipe": {"finetuning": ["full", "transductive"]},
        }  # fmt: skip
    with pytest.raises(InvalidExperiment, match=r"transductive.* finetuning: full, .* nas train"):
        run_space(space, Recipe.from_dict(recipe))


def test_a_space_of_several_widths_has_layers_that_cannot_be_reversed():
    recipe = Recipe.from_dict({"finetuning": ["full", "meft"]})
    with pytest.raises(InvalidExperiment, match="finetuning: lora, or shared: width"):
        run_space("flexibert-micro", recipe)
    one = {
        "layers": [2], "widths": [64, 128], "heads": [2], "operations": {"sa": ["sdp"]},
        "feedforward_widths": [96], "feedforward_depths": [1], "shared": "width",
    }  # fmt: skip
    run_space(one, recipe)
    run_space({**one, "widths": [64], "shared": "nothing"}, recipe)
