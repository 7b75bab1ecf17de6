"""A recipe that an architecture chose trains for the seconds that the run's recipe would take."""

import dataclasses

import pytest
import torch

from nas.training.loop import Loop
from nas.training.recipe import Recipe
from nas.training.trial import run_trial
from search_spaces import Architecture

OPEN = {
    "pretrain_learning_rate": (1e-3, 2e-3),
    "pretrain_batch": (4, 8),
    "finetune_epochs": (2, 4),
    "finetune_batch": (8, 16),
    "pretrain_dropout": (0.0, 0.3),
}


@pytest.fixture
def clock(monkeypatch):
    """A clock of which a step takes 2 s and each sequence 1 s more; yields the steps by stage."""
    steps, now = {}, [0.0]
    step = Loop.step

    def timed(loop, loss, examples=1):
        now[0] += 2 + examples
        steps[loop._stage] = steps.get(loop._stage, 0) + 1
        return step(loop, loss, examples)

    monkeypatch.setattr(Loop, "step", timed)
    monkeypatch.setattr("nas.training.equal_seconds.device_seconds", lambda device: now[0])
    return steps


@pytest.fixture
def run(architecture, recipe, data, clock):
    opened = dataclasses.replace(recipe, tasks=("sst2",), open=OPEN)

    def call(choice, **more):
        clock.clear()
        chosen = Architecture(architecture().layers, recipe=choice)
        return run_trial(chosen, opened, data, seed=0, **more)

    return call


def test_a_costlier_step_gets_fewer_tokens_and_a_cheaper_one_more(run, clock):
    # 512 tokens are 16 steps of 4 sequences of 8 tokens, each 6 s: 96 s
    result = run({"pretrain_batch": 8})
    assert result.details["budget_seconds"] == 96
    assert clock["pretrain"] == 9  # of 10 s
    assert result.details["budget_tokens"] == 9 * 64
    assert result.details["pretrain_tokens"] == 9 * 64
    half = run({"pretrain_batch": 8}, fidelity=0.5)
    assert half.details["budget_seconds"] == 48
    assert clock["pretrain"] == 4


def test_pretraining_gets_what_finetuning_spares_or_pays_what_it_takes(run, clock):
    # 64 examples twice are 8 steps of 16, 18 s each: 144 s; by 8 there are 16 steps of 10 s
    assert run({"finetune_batch": 8}).details["budget_seconds"] == 96
    assert clock["pretrain"] == (96 - 16) // 6
    run({"finetune_epochs": 4})
    assert clock["pretrain"] == 1  # fine-tuning alone takes more than both


def test_what_costs_nothing_leaves_the_tokens_and_the_bits_as_they_are(
    run, architecture, recipe, data, clock
):
    chosen = run({"pretrain_learning_rate": 1e-3, "finetune_epochs": 2})
    assert chosen.details["budget_tokens"] == recipe.pretrain_tokens
    assert clock["measuring"] == 8
    closed = dataclasses.replace(recipe, tasks=("sst2",), pretrain_learning_rate=1e-3)
    plain = run_trial(architecture(), closed, data, seed=0)
    assert "budget_seconds" not in plain.details
    for name in ("pretrain_loss", "validation_loss", "sst2_loss"):
        assert plain.details[name] == chosen.details[name]


def test_tokens_that_are_given_are_not_measured_again(run, clock):
    first = run({"pretrain_batch": 8})
    again = run({"pretrain_batch": 8}, tokens=int(first.details["budget_tokens"]))
    assert "measuring" not in clock
    assert again.details["pretrain_loss"] == first.details["pretrain_loss"]


def test_an_interrupted_trial_goes_on_with_what_it_measured(run, clock, tmp_path, monkeypatch):
    whole = run({"pretrain_batch": 8})
    stop = [10]

    def cut(stage, done):
        stop[0] -= stage == "pretrain"
        if not stop[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr("nas.training.watch.SECONDS_BETWEEN_REPORTS", 0)
    more = {"checkpoint": tmp_path, "checkpoint_seconds": 0}
    with pytest.raises(KeyboardInterrupt):
        run({"pretrain_batch": 8}, progress=cut, **more)
    monkeypatch.setattr("nas.training.equal_seconds.device_seconds", lambda device: 1 / 0)
    on = run({"pretrain_batch": 8}, **more)
    assert on.details["resumed_at_step"] > 0
    assert on.details["budget_tokens"] == whole.details["budget_tokens"]
    assert on.details["pretrain_loss"] == whole.details["pretrain_loss"]


def test_what_is_a_budget_itself_cannot_be_open():
    assert "inherit_tokens" not in Recipe.OPEN
    assert "finetune_epochs" in Recipe.OPEN


def test_steps_are_measured_with_the_dropout_of_their_recipe(run, clock, monkeypatch):
    seen = {}
    step = Loop.step

    def watched(loop, loss, examples=1):
        (encoder,) = (part for part in loss.args if hasattr(part, "architecture"))
        drop = next(m.p for m in encoder.modules() if isinstance(m, torch.nn.Dropout))
        seen.setdefault(loop._stage, []).append(drop)
        return step(loop, loss, examples)

    monkeypatch.setattr(Loop, "step", lambda loop, loss, examples=1: (
        watched(loop, loss, examples) if loop._stage in ("measuring", "pretrain")
        else step(loop, loss, examples)
    ))  # fmt: skip
    run({"pretrain_dropout": 0.3})
    assert seen["measuring"] == [0.0, 0.3] * 8
    assert set(seen["pretrain"]) == {0.3}
