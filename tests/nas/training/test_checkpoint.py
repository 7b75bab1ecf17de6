"""A trial that is interrupted anywhere, and continued, ends with the bits of one that was not."""

import dataclasses
import logging
import shutil

import pytest
import torch
from safetensors.torch import load_file

from nas.evaluation.cost import Latency
from nas.training import one_task
from nas.training.budget import Budget
from nas.training.checkpoint import Checkpoint
from nas.training.loop import Loop
from nas.training.micro_batches import split_examples, split_masked
from nas.training.trial import run_trial
from search_spaces.errors import InvalidExperiment, TrialError


@pytest.fixture(scope="module")
def long(recipe):
    """Dropout on, several passes over the text, and a level part of the learning rate."""
    return dataclasses.replace(
        recipe,
        pretrain_tokens=4096,
        pretrain_batch=16,
        pretrain_decay=0.25,
        dropout=0.1,
        pretrain_dropout=0.1,
    )


@pytest.fixture(scope="module")
def finished(untimed, architecture, long, data, tmp_path_factory):
    """A trial of 32 steps, its weights, and the folder of its checkpoint; tests copy that."""
    folder = tmp_path_factory.mktemp("whole")
    result = run_trial(
        architecture(), long, data, seed=3, weights_path=folder / "w", checkpoint=folder / "c"
    )
    return result, load_file(folder / "w"), folder / "c"


@pytest.fixture(scope="module")
def whole(finished):
    return finished[:2]


@pytest.fixture(autouse=True, scope="module")
def untimed():
    """Latencies take seconds to measure and are not what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.training.trial.measure_latency", lambda *a, **k: Latency(1, 1, 0, 1))
        yield


class Cut(Exception):
    pass


def interrupted_at(monkeypatch, stage, step):
    """Make the first training of `stage` end before `step`, as a killed process would."""
    real, cut = Loop.step, []

    def step_or_die(loop, loss, examples):
        if not cut and loop._stage == stage and loop.step_number == step:
            cut.append(step)
            raise Cut
        real(loop, loss, examples)

    monkeypatch.setattr(Loop, "step", step_or_die)


@pytest.mark.parametrize(
    ("stage", "step"), [("pretrain", 1), ("pretrain", 19), ("pretrain", 31), ("stsb", 5)]
)
def test_interrupted_and_continued_equals_uninterrupted(
    stage, step, whole, architecture, long, data, tmp_path, monkeypatch
):
    settings = {"seed": 3, "checkpoint": tmp_path / "c", "weights_path": tmp_path / "w"}
    interrupted_at(monkeypatch, stage, step)
    with pytest.raises(Cut):
        run_trial(architecture(), long, data, checkpoint_seconds=0.0, **settings)
    tasks = []
    real = one_task.finetune
    monkeypatch.setattr(
        one_task,
        "finetune",
        lambda e, h, task, *a, **k: tasks.append(task) or real(e, h, task, *a, **k),
    )
    result = run_trial(architecture(), long, data, checkpoint_seconds=1e9, **settings)
    expected, weights = whole
    assert result.scores == expected.scores
    for name in ("pretrain_loss", "validation_loss", "pretrain_tokens", "stsb_loss"):
        assert result.details[name] == expected.details[name]
    assert result.details["resumed_at_step"] == (step if stage == "pretrain" else 32)
    found = load_file(tmp_path / "w")
    assert all(torch.equal(found[name], weights[name]) for name in weights)
    # a task that was finished is not repeated
    assert [t.name for t in tasks] == (["sst2", "stsb"] if stage == "pretrain" else ["stsb"])


@pytest.mark.parametrize("decay", [0.25, 1.0, None])
def test_a_promoted_trial_equals_one_of_that_fidelity_and_repeats_only_the_decay(
    decay, whole, architecture, long, data, tmp_path
):
    usual, long = long, dataclasses.replace(long, pretrain_decay=decay)
    common = {"seed": 3, "checkpoint": tmp_path / "c"}
    run_trial(architecture(), long, data, fidelity=0.25, **common)
    path = tmp_path / "promoted"
    promoted = run_trial(architecture(), long, data, fidelity=0.75, weights_path=path, **common)
    direct = tmp_path / "direct"
    fresh = run_trial(architecture(), long, data, fidelity=0.75, seed=3, weights_path=direct)
    assert promoted.scores == fresh.scores
    first, second = load_file(path), load_file(direct)
    assert all(torch.equal(first[name], second[name]) for name in first)
    # 8 of 32 steps were made; all but the decay are kept
    assert promoted.details["resumed_at_step"] == {0.25: 6, 1.0: 0, None: 3}[decay]
    assert fresh.details["resumed_at_step"] == 0
    assert promoted.details["pretrain_tokens"] == fresh.details["pretrain_tokens"]
    again = run_trial(architecture(), long, data, fidelity=1.0, **common)
    trained = whole[0] if long == usual else run_trial(architecture(), long, data, seed=3)
    assert again.scores == trained.scores


@pytest.mark.parametrize("fidelity", [0.0, -1.0, 1.5, float("nan")])
def test_a_fidelity_is_a_share(fidelity, architecture, recipe, data):
    with pytest.raises(InvalidExperiment, match=r"is no share of the budget. Give a number above"):
        run_trial(architecture(), recipe, data, seed=0, fidelity=fidelity)


@pytest.mark.parametrize("damage", ["cut", "flip", "text", "empty"])
def test_a_damaged_checkpoint_is_named_and_ignored(
    damage, finished, architecture, long, data, tmp_path, caplog
):
    whole, _, kept = finished
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("*.safetensors"):
        content = bytearray(path.read_bytes())
        if damage == "cut":
            content = content[: len(content) // 2]
        elif damage == "flip" and path.stem != "tasks":
            content[-9] ^= 1
        elif damage == "text":
            content = b"not a checkpoint"
        elif damage == "empty":
            content = b""
        path.write_bytes(bytes(content))
    with caplog.at_level(logging.WARNING):
        result = run_trial(architecture(), long, data, seed=3, checkpoint=tmp_path)
    assert "is damaged" in caplog.text
    assert result.details["resumed_at_step"] == 0
    assert result.scores == whole.scores


def test_the_checkpoint_of_another_trial_is_not_continued(
    finished, architecture, long, data, tmp_path, caplog
):
    shutil.copytree(finished[2], tmp_path, dirs_exist_ok=True)
    with caplog.at_level(logging.WARNING):
        other = run_trial(architecture(), long, data, seed=4, checkpoint=tmp_path)
    assert "is of another trial (seed): starting afresh" in caplog.text
    assert other.scores == run_trial(architecture(), long, data, seed=4).scores


def test_states_are_whole_or_absent(tmp_path):
    kept = Checkpoint(tmp_path, {"a": 1})
    tensors = {"x": torch.arange(4.0), "n": torch.tensor(3), "h": torch.ones(2).bfloat16()}
    kept.save("s", tensors, {"step": 2})
    state = kept.load("s")
    assert state.values == {"step": 2}
    assert all(torch.equal(state.tensors[name], tensors[name]) for name in tensors)
    with pytest.raises(TypeError):
        kept.save("s", tensors, {"step": object()})
    assert kept.load("s").values == {"step": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["s.safetensors"]
    assert Checkpoint(None, {}).load("s") is None
    assert not Checkpoint(None, {}, every=0.0).due


def test_a_nan_is_not_kept(architecture, long, data, tmp_path, monkeypatch):
    real, steps = Loop.step, []

    def poisoned(loop, losses, examples):
        steps.append(loop.step_number)
        factor = float("nan") if len(steps) == 6 else 1.0
        real(loop, lambda parts: (part * factor for part in losses(parts)), examples)

    monkeypatch.setattr(Loop, "step", poisoned)
    with pytest.raises(TrialError, match="at step 6 of 32 of pretrain") as error:
        run_trial(architecture(), long, data, seed=3, checkpoint=tmp_path, checkpoint_seconds=0.0)
    assert error.value.cause == "nan"
    assert load_file(tmp_path / "pretrain.safetensors")["loop.step"] == 5


def test_micro_batches_give_the_same_training(architecture, recipe, data, tmp_path):
    plain = run_trial(architecture(), recipe, data, seed=0, weights_path=tmp_path / "1")
    parted = run_trial(
        architecture(), recipe, data, seed=0, weights_path=tmp_path / "3", micro_batches=3
    )
    assert parted.details["pretrain_loss"] == pytest.approx(plain.details["pretrain_loss"], 1e-4)
    assert parted.details["sst2_loss"] == pytest.approx(plain.details["sst2_loss"], abs=1e-3)
    first, second = load_file(tmp_path / "1"), load_file(tmp_path / "3")
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-3, atol=1e-4)


def test_parts_hold_every_row_and_masked_token_once(data):
    from nas.data.batches import batches, mlm_batches

    batch = next(batches(data.tasks["stsb"]["train"], batch_size=7))
    parts = list(split_examples(batch, 3))
    assert torch.equal(torch.cat([part.rows for part, _ in parts]), batch.rows)
    assert sum(share for _, share in parts) == pytest.approx(1.0)
    masked = next(mlm_batches(data.pretrain, batch_size=5, vocabulary_size=50))
    parts = list(split_masked(masked, 2))
    assert torch.equal(torch.cat([part.targets for part, _ in parts]), masked.targets)
    for part, _ in parts:
        hidden = part.tokens.flatten()[part.positions] != part.targets
        assert hidden.any()
    assert len(list(split_examples(batch, 99))) == 7


def test_a_scaled_learning_rate_is_another_trial(architecture, recipe, data):
    plain = run_trial(architecture(), recipe, data, seed=0)
    slower = run_trial(architecture(), recipe, data, seed=0, learning_rate_scale=0.1)
    assert slower.details["pretrain_loss"] > plain.details["pretrain_loss"]
    assert Budget().learning_rate_scale == 1.0
