"""What simpler policies would have reached: marked as estimated, and right where it is known."""

from dataclasses import replace

import numpy as np
import pytest

from nas.report import simulated_search
from nas.report.sections import SECTIONS
from nas.report.sections.baselines import verdict
from nas.report.simulated_search import World
from nas.report.stand_in import StandIn
from search_spaces import Architecture, Head, Layer, count_parameters, load_space


def body_parameters(architecture):
    """Parameters without the embeddings: what the pretended scores depend on."""
    return count_parameters(architecture, vocabulary_size=0, max_length=0)


@pytest.fixture
def records(record, architectures):
    """Larger is better, almost without noise."""
    rng = np.random.default_rng(0)
    return [
        record(
            i,
            a,
            scores={"glue": 0.1 * np.log(body_parameters(a)) + 0.002 * rng.normal()},
            seconds=body_parameters(a) / 1e4,
        )
        for i, a in enumerate(architectures, 1)
    ]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(simulated_search, "REPEATS", 4)
    monkeypatch.setattr(simulated_search, "BUDGET", 12)


def test_the_stand_in_predicts_what_it_has_not_seen(architectures):
    values = np.log([body_parameters(a) for a in architectures])
    model = StandIn(architectures, values)
    others = load_space("flexibert-micro").sample(100, seed=7)
    mean, spread = model(others)
    truth = np.log([body_parameters(a) for a in others])
    assert np.corrcoef(mean, truth)[0, 1] > 0.95
    assert (spread > 0).all()
    assert model.trust > 0.9
    assert StandIn(architectures, np.random.default_rng(2).normal(size=40)).trust < 0.5


def test_the_section_is_marked_as_estimated(snapshot, records):
    section = SECTIONS["baselines"](snapshot(records))
    note, chart, table = section.blocks
    assert note["tone"] == "estimate"
    assert "Estimated, not trained" in note["text"]
    names = [series["name"] for series in chart["series"]]
    assert names[-1] == "this run (measured)"
    assert all(name.endswith("(estimated)") for name in names[:-1])
    assert [row[0] for row in table["rows"]] == [
        "random search", "largest first", "evolution", "this run's choices",
    ]  # fmt: skip


def test_where_size_decides_the_largest_win_but_cost_more(snapshot, records):
    rows = {row[0]: row for row in SECTIONS["baselines"](snapshot(records)).blocks[2]["rows"]}
    best = {name: float(row[1]) for name, row in rows.items()}
    each = {name: float(row[4]) for name, row in rows.items()}
    assert best["largest first"] == max(best.values())
    assert each["largest first"] > 1.5 * each["random search"]


def test_the_same_run_gives_the_same_estimate(snapshot, records):
    first, second = (SECTIONS["baselines"](snapshot(records)) for _ in range(2))
    assert first == second


def test_a_budget_in_seconds_buys_fewer_large_encoders(snapshot, records):
    shot = snapshot(records)
    world = World(shot, shot.in_order_of_end())
    found = world.simulate("parameters", seed=0)
    none = found.within(0.0, worst=-1.0)
    assert (none == -1.0).all()
    assert (found.within(np.inf, -1.0) == found.best[:, -1]).all()
    few = found.within(float(found.seconds[0, 1]), -1.0)
    assert (few == found.best[:, 1]).all()


def test_the_verdict_follows_the_direction():
    own, others = np.array([0.5, 0.51, 0.49]), {"a": np.array([0.3]), "b": np.array([0.4])}
    assert "end ahead of three" in verdict(own, others, "x", 0.9, 1.0)
    assert "end behind three" in verdict(own, others, "x", 0.9, -1.0)
    assert "end about level with" in verdict(own, {"a": np.array([0.505])}, "x", 0.9, 1.0)
    assert "no verdict" in verdict(own, others, "x", 0.1, 1.0)


def test_a_few_trials_are_too_few(snapshot, record, architectures):
    few = [record(i, a) for i, a in enumerate(architectures[:7], 1)]
    section = SECTIONS["baselines"](snapshot(few))
    assert "With 7 finished trials there is too little" in section.lead


def test_the_stand_in_sees_what_stands_in_slots(dummies):
    layer = Layer(32, (Head("sa", "sdp", 32),), (64,))
    pairs = [
        Architecture([replace(layer, feedforward=(48 + 8 * i,))] * 2, parts={"norm": norm})
        for i in range(20)
        for norm in ("layer", "dummy")
    ]
    model = StandIn(pairs, np.array([float(bool(a.parts)) for a in pairs]))
    assert model.trust > 0.8
    plain, other = model(pairs[:2])[0]
    assert other - plain > 0.5


def with_latency(records, *, sign=1.0):
    """The same trials with a second number that grows with the first; `sign` turns the first."""
    return [
        r | {"scores": {"glue": sign * r["scores"]["glue"]},
             "costs": r["costs"] | {"latency_ms": r["seconds"] / 10}}
        for r in records
    ]  # fmt: skip


def fronts_in(section):
    return [b for b in section.blocks if b.get("title", "").startswith("Fronts attained")]


def test_the_front_stands_beside_those_of_other_policies(snapshot, records):
    goals = {"glue": "max", "latency_ms": "min", "seconds": "min"}
    section = SECTIONS["baselines"](snapshot(with_latency(records), objectives=goals))
    first, second = fronts_in(section)
    assert first["x"][0]["label"].startswith("at most so much latency")
    mine = first["series"][-1]
    assert mine["name"] == "this run (measured)"
    by_latency = sorted(
        (r["seconds"] / 10, r["scores"]["glue"]) for r in with_latency(records)[:12]
    )
    best = np.maximum.accumulate([glue for _, glue in by_latency])
    for (latency, _), glue in zip(by_latency, best, strict=True):
        at = np.isclose(mine["x"]["cost"], latency)
        assert np.asarray(mine["y"])[at] == pytest.approx([glue])
    for one in first["series"] + second["series"]:
        assert (np.diff(one["x"]["cost"]) > 0).all()
        assert (np.diff(one["y"]) >= 0).all()
        for low, y, high in zip(one.get("low", ()), one["y"], one.get("high", ()), strict=False):
            assert low <= y <= high


def test_one_objective_has_no_front(snapshot, records):
    assert not fronts_in(SECTIONS["baselines"](snapshot(records)))


def test_a_first_objective_to_be_small_is_the_same_search_turned_over(snapshot, records):
    ups = SECTIONS["baselines"](
        snapshot(with_latency(records), objectives={"glue": "max", "latency_ms": "min"})
    )
    downs = SECTIONS["baselines"](
        snapshot(with_latency(records, sign=-1.0), objectives={"glue": "min", "latency_ms": "min"})
    )
    (up,), (down,) = fronts_in(ups), fronts_in(downs)
    for one, other in zip(up["series"], down["series"], strict=True):
        assert one["y"] == pytest.approx([-value for value in other["y"]])
    shares = [s["blocks"][1]["series"] for s in (vars(ups), vars(downs))]
    for one, other in zip(*shares, strict=True):
        assert one["y"] == pytest.approx(other["y"])
