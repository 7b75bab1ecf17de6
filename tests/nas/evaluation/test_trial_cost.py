"""Predicted seconds and memory of trials, against trials that were run."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from nas.evaluation.trial_cost import TrialCost
from search_spaces import Architecture, Head, Layer, load_space, named_architecture
from search_spaces.architectures import size
from search_spaces.architectures.size import count_kept
from search_spaces.kinds import LAYER_SLOTS, SLOTS

# Trials of a short recipe on one core of an AMD EPYC: processor seconds, and tensors of a step.
ROWS = json.loads((Path(__file__).parent / "trial_rows.json").read_text())
SHORT = {"tokens": 30_000, "other_tokens": 12_000}


def errors(model, rows):
    """Return the logarithms of predicted to true, `(rows, 2)`."""
    found = [
        model.predict(Architecture.from_dict(row["architecture"]), row["fidelity"]) for row in rows
    ]
    true = [(row["seconds"], row["training_memory_mb"]) for row in rows]
    return np.log(found) - np.log(true), np.array(found), np.array(true)


def test_trials_it_has_not_seen_are_ranked_and_near():
    misses, found, true = [], [], []
    for left_out in range(len(ROWS)):
        model = TrialCost(**SHORT).fit(ROWS[:left_out] + ROWS[left_out + 1 :])
        miss, f, t = errors(model, ROWS[left_out : left_out + 1])
        misses.append(miss[0])
        found.append(f[0])
        true.append(t[0])
    found, true = np.array(found), np.array(true)
    for column in range(2):
        assert spearmanr(found[:, column], true[:, column]).statistic > 0.8
    assert np.exp(np.abs(misses)).max() < 2


def test_before_any_trial_the_formulas_rank_and_give_the_order_of_magnitude():
    misses, found, true = errors(TrialCost(**SHORT), ROWS)
    for column in range(2):
        assert spearmanr(found[:, column], true[:, column]).statistic > 0.7
    assert np.exp(np.abs(misses)).max() < 10


def test_fitting_helps_and_bad_rows_are_left_out():
    before = np.abs(errors(TrialCost(**SHORT), ROWS)[0]).mean()
    dirt = [
        {"architecture": ROWS[0]["architecture"], "seconds": float("nan"), "fidelity": None},
        {"architecture": ROWS[0]["architecture"], "seconds": 1e9, "status": "failed"},
    ]
    clean, dirty = TrialCost(**SHORT).fit(ROWS), TrialCost(**SHORT).fit([*ROWS, *dirt])
    assert np.abs(errors(clean, ROWS)[0]).mean() < before
    mini = named_architecture("bert-mini")
    assert dirty.predict(mini)[0] == pytest.approx(clean.predict(mini)[0], rel=0.5)
    assert TrialCost().fit([]).predict(mini) == TrialCost().predict(mini)


def test_memory_may_be_among_the_details():
    moved = [
        {
            "architecture": row["architecture"],
            "fidelity": row["fidelity"],
            "details": {"training_memory_mb": row["training_memory_mb"]},
        }
        for row in ROWS
    ]
    mini = named_architecture("bert-mini")
    one, other = TrialCost(**SHORT).fit(ROWS), TrialCost(**SHORT).fit(moved)
    assert one.predict(mini)[1] == pytest.approx(other.predict(mini)[1])
    assert other.predict(mini)[0] == TrialCost(**SHORT).predict(mini)[0]


@pytest.mark.parametrize("fitted", [True, False])
def test_more_costs_more(fitted):
    model = TrialCost(**SHORT)
    if fitted:
        model.fit(ROWS)
    mini, base = named_architecture("bert-mini"), named_architecture("bert-base")
    assert model.predict(base)[0] > model.predict(mini)[0]
    assert model.predict(base)[1] > model.predict(mini)[1]
    assert model.predict(mini, 1.0)[0] > model.predict(mini, 0.1)[0]
    for architecture in load_space("flexibert-2").sample(5, seed=0):
        assert all(np.isfinite(model.predict(architecture)))


@pytest.mark.parametrize("slot", ["mixer", "feedforward", "block", "residual", "norm", "embedding"])
def test_memory_is_forecast_from_what_every_kind_says_it_keeps(dummies, slot, monkeypatch):
    head = Head("dummy" if slot == "mixer" else "sa", "" if slot == "mixer" else "sdp", 16)
    layer = Layer(32, (head, head), (64,), {slot: "dummy"} if slot in LAYER_SLOTS else ())
    parts = {slot: "dummy"} if slot in ("norm", "embedding") else ()
    architecture = Architecture([layer, layer], parts=parts)
    model, kinds = TrialCost(), SLOTS[slot].kinds
    before = model.predict(architecture)[1]
    keeps = replace(kinds["dummy"], kept=lambda shape, part: 100_000)
    monkeypatch.setitem(kinds._entries, "dummy", keeps)
    size._kinds_standing.cache_clear()
    size._model_kinds.cache_clear()
    numbers = {"mixer": 2 * 100_000 - 2 * 2 * 32, "norm": 400_000, "embedding": 100_000}
    more = numbers.get(slot, 200_000) * 4 * 16 * 32 / 1e6
    assert model.predict(architecture)[1] == pytest.approx(before + more)


def test_memory_of_the_first_kinds_is_what_it_was():
    for architecture in load_space("flexibert-2").sample(5, seed=0):
        kept = sum(2 * sum(x.feedforward) + len(x.heads) * 32 for x in architecture.layers)
        assert count_kept(architecture, length=32, positions="relative") == kept
