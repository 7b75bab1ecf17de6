"""A trial that starts from a trained parent: a smaller budget, a better start, the same bits."""

import dataclasses

import pytest
from safetensors.torch import load_file

from nas.models.transfer import Inheritance
from nas.training.trial import run_trial
from search_spaces.errors import InvalidData


@pytest.fixture(scope="module")
def longer(recipe):
    return dataclasses.replace(recipe, tasks=("sst2",), pretrain_tokens=3_200)


@pytest.fixture(scope="module")
def parent(architecture, longer, data, tmp_path_factory):
    path = tmp_path_factory.mktemp("parent") / "w.safetensors"
    result = run_trial(architecture(), longer, data, seed=0, weights_path=path)
    return Inheritance(architecture(), path), result


@pytest.mark.parametrize("method", ["grow", "slice", "projection"])
def test_a_child_starts_where_its_parent_ended(method, parent, architecture, longer, data):
    inherit = dataclasses.replace(parent[0], method=method)
    first_steps = dataclasses.replace(longer, inherit_tokens=0.02, pretrain_learning_rate=1e-9)
    result = run_trial(architecture(), first_steps, data, seed=1, inherit=inherit)
    assert result.details["inherited_share"] == 1.0
    expected = parent[1].details["validation_loss"]
    assert result.details["validation_loss"] == pytest.approx(expected, rel=1e-5)


def test_it_reads_its_share_of_the_tokens_and_warms_up_within_them(
    parent, architecture, longer, data, tmp_path, monkeypatch
):
    seen = []
    step = "nas.training.loop.Loop.step"
    from nas.training.loop import Loop

    original = Loop.step

    def watched(self, loss, examples):
        if self._stage == "pretrain":
            seen.append(self.learning_rate)
        return original(self, loss, examples)

    monkeypatch.setattr(step, watched)
    child = architecture(width=32)
    result = run_trial(
        child, longer, data, seed=0, inherit=parent[0], weights_path=tmp_path / "child"
    )
    assert result.details["pretrain_tokens"] == pytest.approx(640)  # a fifth of them
    assert seen.index(max(seen)) == 2  # a tenth of its own 20 steps, not of 100
    assert seen[-1] < 0.1 * max(seen)
    monkeypatch.undo()
    again = run_trial(
        child, longer, data, seed=0, inherit=parent[0], weights_path=tmp_path / "again"
    )
    assert again.scores == result.scores
    first, second = load_file(tmp_path / "child"), load_file(tmp_path / "again")
    assert all(first[name].equal(second[name]) for name in first)


def test_a_parent_whose_weights_are_gone_is_reported(architecture, longer, data, tmp_path):
    gone = Inheritance(architecture(), tmp_path / "gone.safetensors")
    with pytest.raises(InvalidData, match="or train without a parent"):
        run_trial(architecture(), longer, data, seed=0, inherit=gone)
