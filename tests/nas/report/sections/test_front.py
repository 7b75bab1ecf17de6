"""The explorer starts with the run's own objectives."""

from nas.report.sections import SECTIONS


def test_it_starts_with_the_runs_own_objectives(snapshot, record, architectures):
    records = [record(1, architectures[0])]
    (block,) = SECTIONS["front"](snapshot(records)).blocks
    assert (block["x"], block["y"]) == ("parameters", "glue")
    both = {"latency_ms": "min", "glue": "max"}
    (block,) = SECTIONS["front"](snapshot(records, objectives=both)).blocks
    assert (block["x"], block["y"]) == ("glue", "latency_ms")
