"""Several fidelities: who went on, and whether the order held."""

from nas.report.sections import SECTIONS


def test_rungs(snapshot, record, architectures):
    low = [
        record(i, a, fidelity=0.25, scores={"glue": 0.1 * i}, seconds=2.0)
        for i, a in enumerate(architectures[:6], 1)
    ]
    high = [
        record(i + 6, a, scores={"glue": 0.1 * i + 0.05}, continues=i, seconds=6.0)
        for i, a in enumerate(architectures[:4], 1)
    ]
    direct = [record(11, architectures[9], scores={"glue": 0.9})]
    section = SECTIONS["fidelities"](snapshot([*low, *high, *direct]))
    table, chart = section.blocks
    assert table["rows"] == [
        ["0.25", 6, 6, 4, "0.6000", "2.0", "1.00"],
        ["1", 5, 5, 0, "0.9000", "6.0", "–"],
    ]
    assert section.lead.startswith("6 encoders were trained with a part of the budget first; 4 of")
    assert chart["series"][0]["x"]["fidelity"] == [0.25, 1.0]
    assert len(chart["series"]) == 4


def test_one_fidelity_needs_no_section(snapshot, record, architectures):
    assert SECTIONS["fidelities"](snapshot([record(1, architectures[0])])) is None


def test_only_the_highest_counts_elsewhere(snapshot, record, architectures):
    best = record(1, architectures[0], fidelity=0.25, scores={"glue": 0.9})
    whole = record(2, architectures[1], scores={"glue": 0.4})
    assert snapshot([best, whole]).done == [1]
