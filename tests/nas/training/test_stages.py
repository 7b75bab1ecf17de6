"""Phases of objectives and shorter sequences first: which step reads what, and what resumes."""

import dataclasses

import numpy as np
import pytest

from nas.data.tokenizer import CLS
from nas.models.encoder import Encoder
from nas.training.loop import Loop
from nas.training.pretrain import learning_rate
from nas.training.recipe import Recipe
from nas.training.stages import halved, planned_stages
from nas.training.trial import run_trial
from search_spaces import Architecture
from search_spaces.errors import TrialError

BLOCKS = np.arange(10, 50).reshape(5, 8)


def plan(phases, steps, short=0.0):
    stages = planned_stages(phases, BLOCKS, 2, steps, short)
    return [(s.terms, s.blocks.shape[1], s.batch_size, s.first, s.end) for s in stages]


def test_phases_share_the_steps_and_short_blocks_come_first():
    assert plan(["a"], 10) == [("a", 8, 2, 0, 10)]
    assert plan(["a", "b"], 9) == [("a", 8, 2, 0, 4), ("b", 8, 2, 4, 9)]
    assert plan(["a", "b"], 10, 0.25) == [
        ("a", 4, 4, 0, 2), ("a", 8, 2, 2, 5), ("b", 8, 2, 5, 10)
    ]  # fmt: skip
    assert plan(["a", "b"], 10, 0.7)[1:] == [("b", 4, 4, 5, 7), ("b", 8, 2, 7, 10)]
    assert plan(["a", "b", "c"], 1)[-1] == ("b", 8, 2, 0, 1)


def test_halves_are_the_text_but_for_their_first_token():
    found = halved(BLOCKS)
    assert found.shape == (10, 4)
    assert (found[:, 0] == CLS).all()
    assert (found[1, 1:] == BLOCKS[0, 5:]).all()
    assert BLOCKS[0, 0] == 10


def cut_off(monkeypatch, step, taken):
    """Make the training stop at a step, as if the machine went down; note the steps it takes."""
    whole = Loop.step

    def until(self, *arguments):
        if self._stage == "pretrain" and self.step_number == step:
            raise TrialError("cut off", cause="time-out")
        taken.append(self.step_number)
        return whole(self, *arguments)

    monkeypatch.setattr(Loop, "step", until)


@pytest.mark.parametrize(
    "changes",
    [
        {"short_blocks": 0.5},
        {"slots": {"objective": "mlm(mask_rate=0.5) > mlm"}},
        {"slots": {"objective": "mlm > mlm(final_rate=0.1)+mlm(mask_rate=0.5)"}},
        {"slots": {"objective": "rtd > contrastive+rtd"}, "pretrain_dropout": 0.1},
        {"slots": {"objective": "rtd(sharing=shared)"}},
        {"slots": {"objective": "mlm+wso", "optimizer": "fsam"}},
        {"slots": {"objective": "mlm > e2s2(decoder=1)"}},
        {"slots": {"objective": "mlm > clm+mlm"}},
    ],
)
def test_what_was_cut_off_ends_with_the_same_bits(
    changes, architecture, recipe, data, tmp_path, monkeypatch
):
    recipe = dataclasses.replace(recipe, tasks=("sst2",), **changes)
    run = lambda folder: run_trial(  # noqa: E731
        architecture(), recipe, data, seed=0, checkpoint=folder, checkpoint_seconds=0
    )
    whole = run(tmp_path / "whole")
    taken = []
    for step in (3, 11):  # one after the other, as a machine goes down twice
        with monkeypatch.context() as patch:
            cut_off(patch, step, taken)
            with pytest.raises(TrialError, match="cut off"):
                run(tmp_path / "cut")
    assert taken == list(range(11))  # none twice
    again = run(tmp_path / "cut")
    assert again.details["resumed_at_step"] == 11
    assert again.scores == whole.scores
    assert again.details["validation_loss"] == whole.details["validation_loss"]


def test_a_promoted_trial_goes_on_within_the_first_stage_only(architecture, recipe, data, tmp_path):
    recipe = dataclasses.replace(
        recipe,
        tasks=("sst2",),
        pretrain_tokens=1024,
        slots={"objective": "mlm > mlm(mask_rate=0.5)", "schedule": "wsd"},
    )
    run = lambda folder, share: run_trial(  # noqa: E731
        architecture(), recipe, data, seed=0, checkpoint=folder, fidelity=share
    )
    run(tmp_path / "a", 0.5)
    promoted, fresh = run(tmp_path / "a", 1.0), run(tmp_path / "b", 1.0)
    assert promoted.details["resumed_at_step"] == 8  # half of 16 steps
    assert promoted.scores == fresh.scores
    assert promoted.details["pretrain_loss"] == fresh.details["pretrain_loss"]


def test_a_rate_may_follow_the_size():
    def encoder(layers, width):
        return Encoder(
            Architecture.from_dict(
                {"l": layers, "o": ["sa"] * layers, "h": [width] * layers, "n": [4] * layers,
                 "f": [[8]] * layers, "p": ["sdp"] * layers}
            ),
            40,
        )  # fmt: skip

    for exponent, rates in ((0.0, (4e-3, 4e-3)), (1.0, (4e-3, 4e-3 / 8**0.5))):
        recipe = Recipe(pretrain_learning_rate=4e-3, size_exponent=exponent)
        assert (
            learning_rate(recipe, encoder(2, 64)),
            learning_rate(recipe, encoder(4, 128)),
        ) == pytest.approx(rates)


def test_fields_that_came_later_are_written_only_where_they_say_something():
    assert not {"short_blocks", "size_exponent", "pooling"} & set(Recipe().to_dict())
    for name in ("short_blocks", "size_exponent"):
        changed = Recipe(**{name: 0.5})
        assert changed.to_dict()[name] == 0.5
        assert Recipe.from_dict(changed.to_dict()) == changed
    mosaic = Recipe.from_dict({"preset": "mosaic"})
    assert mosaic.to_dict()["schedule"] == "mosaic"
    assert (mosaic.mask_rate, mosaic.pretrain_learning_rate) == (0.3, 5e-4)
