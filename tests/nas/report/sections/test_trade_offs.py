"""Parallel coordinates of several objectives, the front coloured."""

from nas.report.sections import SECTIONS
from nas.report.sections import trade_offs as module

GOALS = {"glue": "max", "parameters": "min", "latency_ms": "min"}


def records_of(record, architectures, rows):
    return [
        record(i, a, scores={"glue": s}, costs={"parameters": p, "latency_ms": ms})
        for i, (a, (s, p, ms)) in enumerate(zip(architectures, rows, strict=False), 1)
    ]


def test_one_line_a_trial_and_the_front_of_all_objectives(snapshot, record, architectures):
    rows = [(0.5, 100.0, 1.0), (0.6, 200.0, 2.0), (0.4, 150.0, 3.0)]
    section = SECTIONS["trade-offs"](
        snapshot(records_of(record, architectures, rows), objectives=GOALS)
    )
    (block,) = section.blocks
    assert [axis["direction"] for axis in block["axes"]] == ["max", "min", "min"]
    found = {row["trial"]: (row["front"], tuple(row["values"])) for row in block["rows"]}
    assert found == {1: (True, rows[0]), 2: (True, rows[1]), 3: (False, rows[2])}
    assert [row["front"] for row in block["rows"]] == [False, True, True]  # the front on top
    assert "the 2 of the front in all 3 objectives" in section.lead


def test_two_objectives_are_a_plane_and_many_lines_are_thinned(
    snapshot, record, architectures, monkeypatch
):
    rows = [(0.5, 100.0, 1.0), *((0.4, 101.0 + i, 2.0) for i in range(9))]
    records = records_of(record, architectures, rows)
    two = {"glue": "max", "parameters": "min"}
    assert SECTIONS["trade-offs"](snapshot(records, objectives=two)) is None
    monkeypatch.setattr(module, "MOST", 4)
    (block,) = SECTIONS["trade-offs"](snapshot(records, objectives=GOALS)).blocks
    assert len(block["rows"]) == 5
    assert block["rows"][-1]["trial"] == 1
