"""Parts measured one by one: what nothing costs, what sums say, and the best cuts by them."""

import json
import operator
from dataclasses import replace

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


def timed(measured, seed):
    """Return what was measured with made-up times: by size, and by chance."""
    rng = np.random.default_rng(seed)

    def of(table):  # "sa_sdp*4", or "64"
        return {k: float(k.split("*")[-1]) * rng.uniform(0.5, 1.5) / 8 for k in table}

    tables = {slot: [of(t) for t in measured.latency[slot]] for slot in ("heads", "feedforward")}
    return replace(measured, latency={**measured.latency, "base": 0.5, **tables})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.35, 0.5, 0.8, 2.0])
def test_a_price_on_time_finds_what_trying_everything_finds(share, seed, measured, space, teacher):
    whole, measured = teacher.architecture, timed(measured, seed)
    score, latency = AdditivePrior(measured.score), AdditivePrior(measured.latency)
    most = share * latency.raw(whole)
    found = best_of_depth(measured, space, whole, 2, most)
    deep = [a for a in space if len(a.layers) == 2]
    cuts = [a for a in deep if latency.raw(a) <= most + 1e-9]
    assert (found is None) == (not cuts)
    if found is None:
        return
    assert latency.raw(found) <= most + 1e-9
    best = max(score.raw(a) for a in cuts)
    # at the price two choices are worth the same that differ in one layer: the one that is found,
    # and one that takes too long and is worth no less than the best that does not
    near = [a for a in deep if any(map(operator.eq, a.layers, found.layers))]
    slower = [a for a in near if latency.raw(a) > most + 1e-9]
    assert score.raw(found) >= best - 1e-9 or any(
        score.raw(a) >= best - 1e-9
        and (score.raw(a) - score.raw(found)) / (latency.raw(a) - latency.raw(found))
        >= (best - score.raw(found)) / (most - latency.raw(found)) - 1e-9
        for a in slower
    )
    if share > 1:
        assert score.raw(found) == pytest.approx(best)


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
