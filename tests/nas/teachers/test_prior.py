"""Parts measured one by one: what nothing costs, what sums say, and the best cuts by them."""

import itertools
import json

import numpy as np
import pytest
import torch

from nas.data.batches import batches
from nas.teachers.calibration import calibrate
from nas.teachers.first_cuts import best_of_depth, first_cuts
from nas.teachers.layer_choice import choose_layers
from nas.teachers.prior import measure_parts
from nas.teachers.space import teacher_space
from search_spaces import load_space
from surrogates.models.prior_mean import AdditivePrior


@pytest.fixture(scope="module")
def whole(teacher):
    return teacher.build(max_length=32, pooling="mean").eval()


@pytest.fixture(scope="module")
def space(teacher):
    definition = teacher_space(teacher.architecture, ("c_3",))
    return load_space({**definition, "heads": [1, 2, 4], "feedforward_widths": [8, 32, 64],
                       "first": []})  # fmt: skip


@pytest.fixture(scope="module")
def measured(whole, space, data):
    text = list(batches(data.tasks["stsb"]["train"], batch_size=16))[:2]
    worth = calibrate(whole, text)
    return measure_parts(whole, worth, choose_layers(whole, text), space, text, length=16)


def test_what_keeps_everything_loses_nothing(measured, teacher):
    score = AdditivePrior(measured.score)
    assert score.raw(teacher.architecture) == pytest.approx(0.0, abs=1e-4)
    for layer in measured.score["heads"]:
        # fewer heads lose more, and another mixer more than all of them
        values = [layer[f"sa_sdp*{n}"] for n in (4, 2, 1)]
        assert values == sorted(values, reverse=True)
        assert layer["c_3*4"] < -1e-3
    for layer in measured.score["feedforward"]:
        assert layer["64"] == pytest.approx(0.0, abs=1e-4)
        assert layer["8"] < layer["64"]
    assert set(measured.score["without"]) == {"1", "2", "3"}
    assert measured.score["without"]["3"] == 0.0
    assert measured.score["without"]["1"] < measured.score["without"]["2"] < 0
    assert json.loads(json.dumps(measured.score)) == measured.score


def test_values_are_of_a_common_scale(measured, space):
    for table in (measured.score, measured.latency):
        values = AdditivePrior(table)(space.sample(100, seed=4))
        assert abs(values.mean()) < 0.5
        assert 0.5 < values.std() < 2


@pytest.mark.parametrize("share", [0.35, 0.5, 0.8, 2.0])
def test_a_price_on_time_finds_what_trying_everything_finds(share, measured, space, teacher):
    whole = teacher.architecture
    score, latency = AdditivePrior(measured.score), AdditivePrior(measured.latency)
    most = share * latency.raw(whole)
    found = best_of_depth(measured, space, whole, 2, most)
    cuts = [a for a in space if len(a.layers) == 2 and latency.raw(a) <= most + 1e-9]
    assert (found is None) == (not cuts)
    if found is None:
        return
    assert latency.raw(found) <= most + 1e-9
    values = np.array([score.raw(a) for a in cuts])
    # up to what one layer could still be changed by
    changed = [score.raw(a) for a in cuts if any(
        x == y for x, y in itertools.zip_longest(a.layers, found.layers))]  # fmt: skip
    assert score.raw(found) >= values.max() - (max(changed) - min(changed)) / 2
    if share > 1:
        assert score.raw(found) == pytest.approx(values.max())


def test_first_cuts_are_of_the_space_and_as_fast_as_asked(measured, space, teacher):
    latency = AdditivePrior(measured.latency)
    found = first_cuts(measured, space, teacher.architecture)
    assert found
    assert len(set(found)) == len(found)
    assert all(cut in space for cut in found)
    assert all(latency.raw(a) <= latency.raw(teacher.architecture) / 2 + 1e-9 for a in found)


def test_measuring_changes_nothing(whole, space, data, measured):
    text = list(batches(data.tasks["stsb"]["train"], batch_size=16))[:2]
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    state = torch.random.get_rng_state()
    worth = calibrate(whole, text)
    again = measure_parts(whole, worth, choose_layers(whole, text), space, text, length=16)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(whole.state_dict()[n], v) for n, v in before.items())
    assert again.score == measured.score
