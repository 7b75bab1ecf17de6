"""Replays on tables made by hand, whose regret and evaluations are known."""

import numpy as np
import pytest

from nas.benchmarks.policy_scores import (
    evaluations_to,
    hypervolume_curve,
    mean_regret,
    regret_curve,
    run_scores,
    top_threshold,
)
from nas.benchmarks.replay import replay
from search_spaces.errors import PolicyError
from surrogates import make_policy


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_a_cold_start_evaluates_what_is_proposed(replayable, in_order, batch):
    table, protocol = replayable([0.1 * i for i in range(10)])
    result = replay(table, protocol, "any", 0, batch)
    assert result["rows"] == list(range(10))
    assert result["proposals"] == 10


def test_given_rows_are_those_of_the_protocol_and_come_first(replayable, in_order):
    table, protocol = replayable([0.1] * 12, start="given", budget=9)
    result = replay(table, protocol, "any", 4, 2)
    given = np.random.default_rng(1004).choice(12, 5, replace=False).tolist()
    assert result["rows"][:5] == given == protocol.given(table, 4)
    rest = [i for i in range(12) if i not in given]
    assert result["rows"][5:] == rest[:4]
    assert result["proposals"] == 4


@pytest.mark.parametrize("name", ["random", "parameters"])
@pytest.mark.parametrize("start", ["own", "given"])
def test_registered_policies_see_every_row_once(replayable, name, start):
    table, protocol = replayable([0.02 * i for i in range(30)], start=start)
    first, second = (replay(table, protocol, name, 3, 4)["rows"] for _ in range(2))
    assert first == second
    assert sorted(first) == list(range(30))


def test_the_predictions_of_a_batch_are_noted_before_its_results(replayable, in_order):
    values = [0.1 * i for i in range(6)]
    table, protocol = replayable(values)
    in_order.beliefs = {a.hash: (v, 0.5) for a, v in zip(table.architectures, values, strict=True)}
    noted = replay(table, protocol, "any", 0, 4, predicting=True)["predictions"]["glue"]
    np.testing.assert_allclose(noted, [[i, v, 0.5] for i, v in enumerate(values)])


def test_a_policy_that_repeats_itself_is_refused(replayable, in_order, monkeypatch):
    table, protocol = replayable([0.1, 0.2, 0.3])
    again = table.architectures[1]
    monkeypatch.setattr(in_order, "ask", lambda self, n: [again, again])
    with pytest.raises(PolicyError, match="'any' proposed architecture .* evaluated before"):
        replay(table, protocol, "any", 0, 2)


def test_a_proposal_from_outside_is_refused(replayable, in_order, monkeypatch, architectures):
    table, protocol = replayable([0.1, 0.2, 0.3])
    monkeypatch.setattr(in_order, "ask", lambda self, n: [architectures[20]])
    with pytest.raises(PolicyError, match="which is not in the table"):
        replay(table, protocol, "any", 0, 2)


def test_columns_that_are_counted_otherwise_are_told(replayable, monkeypatch):
    goals = {"glue": "max", "parameters": "min"}
    table, protocol = replayable([0.1, 0.2], objectives=goals, parameters=[7, 8])
    policy = protocol.policy("random", table, 0)
    assert [o.name for o in policy.objectives] == ["glue", "table_parameters"]
    assert protocol.told(table)[1] == {"glue": 0.2, "table_parameters": 8.0}
    assert protocol.oriented(table).tolist() == [[0.1, -7.0], [0.2, -8.0]]


def test_known_regret_and_evaluations():
    values = np.arange(100.0)
    rows = np.array([10, 50, 20, 99, 98])
    assert regret_curve(values, rows, 6).tolist() == [89, 49, 49, 0, 0, 0]
    assert evaluations_to(values, rows) == (4, 4)
    assert evaluations_to(values, rows[:3]) == (np.inf, np.inf)
    assert top_threshold(np.arange(300.0)) == 297
    assert evaluations_to(np.arange(300.0), np.array([5, 297, 299])) == (2, 3)
    # 44 evaluations from the sixth on: 30 with regret 3, the others with none
    order = np.concatenate([np.full(35, 96), np.full(15, 99)])
    assert mean_regret(values, order, 105) == pytest.approx(30 * 3 / 45)
    assert mean_regret(values, order, 20) == 3


def test_scores_of_a_run():
    values = np.arange(100.0)[:, None]
    rows = np.arange(60)
    scores = run_scores(values, rows, given=5, budget=60)
    assert scores["best_after_20"] == 19
    assert scores["best_after_50"] == 49
    assert np.isnan(scores["best_after_100"])
    assert scores["to_best"] == np.inf
    assert scores["regret"] == pytest.approx(np.mean(99 - np.arange(5, 50)))


def test_hypervolume_against_a_rectangle_count_and_the_slow_way():
    from nas.pareto.fronts import hypervolume

    corner = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [1.0, 3.0], [2.0, 1.0], [0.5, 0.5]])
    # the front: (0, 4), (1, 3), (2, 1): 1 * 3 + 1 * 1 of the rectangles below it
    curve = hypervolume_curve(corner, np.array([0, 5, 4, 3, 2, 1]), 8)
    np.testing.assert_allclose(curve, np.array([0, 0.25, 2, 4, 4, 4, 4, 4]) / 4)
    rng = np.random.default_rng(0)
    values = rng.random((40, 3)) * [1, 100, 1e-3]
    rows = rng.permutation(40)
    import pandas as pd

    names, worst = ["a", "b", "c"], values.min(axis=0)
    frame = pd.DataFrame(values, columns=names)
    place = {"reference": dict(zip(names, worst, strict=True)), **dict.fromkeys(names, "max")}
    slow = [hypervolume(frame.iloc[rows[: k + 1]], **place) for k in range(40)]
    np.testing.assert_allclose(hypervolume_curve(values, rows, 40), np.array(slow) / slow[-1])


def test_several_objectives_are_scored_by_hypervolume_after_proposals():
    rng = np.random.default_rng(1)
    values, rows = rng.random((40, 2)), rng.permutation(40)
    curve = hypervolume_curve(values, rows, 40)
    scores = run_scores(values, rows, given=5, budget=40)
    assert scores["hypervolume_20"] == curve[24]
    assert np.isnan(scores["hypervolume_50"])


def test_the_policies_are_those_on_offer(replayable):
    table, protocol = replayable([0.1, 0.2])
    assert type(protocol.policy("random", table, 0)) is type(make_policy("random", table.space()))
