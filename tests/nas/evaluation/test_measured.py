"""The one place where scores and costs become one mapping."""

from nas.evaluation.measured import named_twice, values_of


def test_scores_costs_and_seconds_by_name():
    row = {"scores": {"glue": 0.5}, "costs": {"parameters": 7.0}, "seconds": 3.0}
    assert values_of(row) == {"glue": 0.5, "parameters": 7.0}
    assert values_of(row, seconds=True) == {"glue": 0.5, "parameters": 7.0, "seconds": 3.0}
    assert values_of({"status": "failed"}) == {}
    assert named_twice(row) == []


def test_where_an_old_record_names_something_twice_the_cost_counts():
    row = {
        "scores": {"latency_ms": 1.0, "b": 1.0, "a": 1.0},
        "costs": {"latency_ms": 2.0, "a": 2.0},
    }
    assert values_of(row) == {"latency_ms": 2.0, "b": 1.0, "a": 2.0}
    assert named_twice(row) == ["a", "latency_ms"]
