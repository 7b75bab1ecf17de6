"""The best so far against trials, seconds and cost."""

import pytest

from nas.report.sections import SECTIONS


@pytest.fixture
def four(record, architectures):
    scores = [0.3, 0.2, 0.6, 0.5]
    return [
        record(
            i,
            a,
            scores={"glue": s},
            seconds=900.0,
            costs={"parameters": 100.0 * i, "latency_ms": s},
        )
        for i, (a, s) in enumerate(zip(architectures, scores, strict=False), 1)
    ]


def test_the_best_so_far_and_what_it_took(snapshot, four, record, architectures):
    four[1:1] = [
        record(9, architectures[9], status="failed", finished_at=1012.0, seconds=900.0, scores={})
    ]
    section = SECTIONS["progress"](snapshot(four, sessions=[(1000.0, 2000.0)]))
    points, curve = section.blocks[0]["series"]
    assert points["y"] == [0.3, 0.2, 0.6, 0.5]
    assert points["trials"] == [1, 2, 3, 4]
    assert curve["y"] == [0.3, 0.3, 0.6, 0.6]
    assert curve["x"]["trials"] == [1, 2, 3, 4]
    assert curve["x"]["seconds"] == [18, 28, 38, 48]
    # the failed trial ended before the first success, and its time was spent too
    assert curve["x"]["hours"] == [0.5, 0.75, 1.0, 1.25]
    assert curve["x"]["parameters"] == [1100, 1300, 1600, 2000]
    assert "reached with finished trial 3 of 4" in section.lead


def test_smaller_can_be_better(snapshot, four):
    curve = SECTIONS["progress"](snapshot(four, objectives={"latency_ms": "min"})).blocks[0]
    assert curve["series"][1]["y"] == [0.3, 0.2, 0.2, 0.2]


def test_pauses_between_sessions_do_not_count(snapshot, four):
    sessions = [(1000.0, 1020.0), (1030.0, 1100.0)]
    block = SECTIONS["progress"](snapshot(four, sessions=sessions)).blocks[0]
    assert block["series"][1]["x"]["seconds"] == [18, 20, 28, 38]


def test_gpus_and_a_price_name_the_axes(snapshot, four):
    four[0]["device"] = "cuda:0"
    block = SECTIONS["progress"](snapshot(four, price_per_hour=2.0)).blocks[0]
    labels = {axis["key"]: axis["label"] for axis in block["x"]}
    assert labels["hours"] == "GPU-hours"
    assert block["series"][1]["x"]["money"] == [0.5, 1.0, 1.5, 2.0]
