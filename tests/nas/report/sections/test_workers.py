"""Lanes: recorded workers keep theirs, others share as few as do not overlap."""

import numpy as np

from nas.report.sections import SECTIONS
from nas.report.sections.workers import assign_lanes


def span(start, end, node="a", worker=None):
    return {"start": start, "end": end, "node": node, "worker": worker}


def test_lanes_never_overlap_and_are_as_few_as_possible():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        spans = [span(s, s + rng.uniform(1, 5)) for s in rng.uniform(0, 30, size=25)]
        names, lanes = assign_lanes(spans)
        for i, a in enumerate(spans):
            for j in range(i):
                b = spans[j]
                if lanes[i] == lanes[j]:
                    assert min(a["end"], b["end"]) <= max(a["start"], b["start"]) + 0.05
        moments = [s["start"] for s in spans]
        most = max(sum(s["start"] <= t + 0.05 < s["end"] for s in spans) for t in moments)
        assert len(names) <= most + 1


def test_recorded_workers_keep_their_lane():
    spans = [span(0, 1, worker=1), span(2, 3, worker=0), span(4, 5, worker=1)]
    assert assign_lanes(spans) == (["worker 1", "worker 2"], [1, 0, 1])
    spans = [span(0, 1, node="b"), span(0, 1, node="a")]
    assert assign_lanes(spans) == (["a · 1", "b · 1"], [1, 0])


def test_share_of_time_at_work(snapshot, record, architectures):
    records = [record(i, a) for i, a in enumerate(architectures[:4], 1)]
    records.append(
        record(5, architectures[5], status="running", started_at=1052.0, finished_at=None)
    )
    section = SECTIONS["workers"](
        snapshot(records, sessions=[(1000.0, 1030.0), (1030.0, 1060.0)], ended="")
    )
    (block,) = section.blocks
    # 8 of every 10 seconds, four times, and 8 more of the running one
    assert section.lead.startswith("1 worker was busy 80% of the time")
    assert block["bars"]["end"][-1] == 60
    assert block["bars"]["status"][-1] == "running"
    assert block["marks"] == [30.0]
    assert "was continued once" in section.lead


def test_lanes_say_on_which_machine_they_were(snapshot, record, architectures):
    nodes = ("east", "west", None)
    records = [record(i, architectures[i], node=node) for i, node in enumerate(nodes, 1)]
    (block,) = SECTIONS["workers"](snapshot(records)).blocks
    assert block["lanes"] == ["east · 1", "unknown machine · 1", "west · 1"]
    assert block["bars"]["lane"] == [0, 2, 1]


def test_no_times_no_section(snapshot, record, architectures):
    assert SECTIONS["workers"](snapshot([record(1, architectures[0], started_at=None)])) is None
