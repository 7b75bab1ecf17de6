"""Simulated workers against schedules worked out by hand."""

import numpy as np
import pytest

from nas.benchmarks.simulation import duration_column, simulate, simulation_scores
from search_spaces.errors import InvalidData, UnknownName


def test_two_workers_by_hand(replayable, in_order):
    table, protocol = replayable([0.1, 0.2, 0.3, 0.4])
    result = simulate(table, protocol, "any", 0, 2, np.array([10.0, 4, 5, 3]), latency=1.0)
    # Proposals come at 1 and 2; the second worker ends at 6, gets row 2 at 7, ends at 12; the
    # first ends at 11, gets row 3 at 12.
    assert result["rows"] == [0, 1, 2, 3]
    assert result["started"] == [1, 2, 7, 12]
    assert result["finished"] == [11, 6, 12, 15]
    assert result["waits"] == [1, 2, 1, 1]
    assert result["latencies"] == [1, 1, 1, 1]
    scores = simulation_scores(table.column("glue"), result, 2)
    assert scores["to_top_seconds"] == scores["total_seconds"] == 15
    assert scores["idle"] == pytest.approx(1 - 22 / 30)
    assert scores["waiting"] == pytest.approx(5 / 27)
    assert scores["latency_p50"] == scores["latency_p95"] == 1


def test_one_worker_adds_up(replayable, in_order):
    table, protocol = replayable([0.3, 0.2, 0.1])
    result = simulate(table, protocol, "any", 0, 1, np.array([2.0, 3, 4]), latency=0.5)
    assert result["finished"] == [2.5, 6, 10.5]
    assert simulation_scores(table.column("glue"), result, 1)["to_top_seconds"] == 2.5


def test_results_that_arrive_while_it_thinks_are_told_before_the_next_proposal(
    replayable, in_order, monkeypatch
):
    table, protocol = replayable([0.1] * 6)
    events = []
    ask, tell = in_order.ask, in_order.tell

    def noted_ask(self, n=1):
        events.append("ask")
        return ask(self, n)

    def noted_tell(self, architecture, values, **more):
        events.append(table.index[architecture.hash])
        tell(self, architecture, values, **more)

    monkeypatch.setattr(in_order, "ask", noted_ask)
    monkeypatch.setattr(in_order, "tell", noted_tell)
    result = simulate(table, protocol, "any", 0, 3, np.full(6, 1.0), latency=2.0)
    # Row 0 starts at 2 and ends at 3, before the second proposal is made at 4.
    assert events[:6] == ["ask", "ask", 0, "ask", 1, "ask"]
    # The third worker is served before the first, which has been idle since 3 only.
    assert result["waits"][:4] == [2, 4, 6, 5]


def test_given_rows_are_trained_first_and_cost_no_proposal(replayable, in_order):
    table, protocol = replayable([0.1] * 8, start="given", initial=3, budget=6)
    result = simulate(table, protocol, "any", 0, 2, np.full(8, 4.0), latency=1.0)
    given = protocol.given(table, 0)
    assert result["rows"][:3] == given
    assert len(set(result["rows"])) == 6
    assert result["started"][:3] == [0, 0, 4]
    assert len(result["latencies"]) == 3


def test_more_workers_than_rows_end_cleanly(replayable):
    table, protocol = replayable([0.05 * i for i in range(12)], start="given")
    result = simulate(table, protocol, "random", 1, 64, np.arange(1.0, 13), latency=0.0)
    assert sorted(result["rows"]) == list(range(12))
    scores = simulation_scores(table.column("glue"), result, 64)
    assert scores["total_seconds"] == 12
    assert scores["waiting"] == 0
    assert scores["idle"] > 0.8


def test_the_same_seed_gives_the_same_schedule(replayable):
    table, protocol = replayable([0.02 * i for i in range(30)], start="given")
    durations = np.random.default_rng(0).uniform(1, 9, 30)
    first, second = (
        simulate(table, protocol, "random", 2, 4, durations, latency=0.05) for _ in range(2)
    )
    assert first == second
    measured = simulate(table, protocol, "random", 2, 4, durations)
    assert min(measured["latencies"]) >= 0


def test_the_column_of_durations(replayable):
    table, _ = replayable([0.1, 0.2], seconds=[1, 2], hours=[3, -4])
    assert duration_column(table) == "seconds"
    with pytest.raises(InvalidData, match="line 2: hours is -4.0, a negative time"):
        duration_column(table, "hours")
    with pytest.raises(UnknownName, match="'second'. Did you mean 'seconds'"):
        duration_column(table, "second")
    without, _ = replayable([0.1, 0.2], name="other.jsonl")
    with pytest.raises(InvalidData, match="other.jsonl has none of the columns train_seconds"):
        duration_column(without)
