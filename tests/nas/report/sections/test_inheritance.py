"""Parents and children."""

from nas.report.sections import SECTIONS


def test_parents_and_what_it_brought(snapshot, record, architectures):
    parent, child, orphan = architectures[:3]
    records = [
        record(1, parent, scores={"glue": 0.4}),
        record(2, child, scores={"glue": 0.5}, proposal={"parent": parent.hash, "overlap": 0.75}),
        record(3, orphan, proposal={"parent": "f" * 64, "overlap": 0.5}),
    ]
    section = SECTIONS["inheritance"](snapshot(records))
    chart, table = section.blocks
    assert table["rows"] == [
        [2, 1, "0.750", "0.5000", "+0.1000"],
        [3, "–", "0.500", "0.5000", "–"],
    ]
    assert chart["points"] == {"x": [0.75], "y": [0.5 - 0.4], "trial": [2]}
    assert "2 of 3 trials started from the weights" in section.lead
    assert "is +0.1000" in section.lead


def test_no_inheritance_no_section(snapshot, record, architectures):
    assert SECTIONS["inheritance"](snapshot([record(1, architectures[0])])) is None
