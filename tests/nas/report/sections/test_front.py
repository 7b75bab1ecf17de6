"""The explorer starts with the run's own objectives."""

from nas.report.sections import SECTIONS
from nas.single.beside import Beside


def test_it_starts_with_the_runs_own_objectives(snapshot, record, architectures):
    records = [record(1, architectures[0])]
    (block,) = SECTIONS["front"](snapshot(records)).blocks
    assert (block["x"], block["y"]) == ("parameters", "glue")
    both = {"latency_ms": "min", "glue": "max"}
    (block,) = SECTIONS["front"](snapshot(records, objectives=both)).blocks
    assert (block["x"], block["y"]) == ("glue", "latency_ms")


def test_what_takes_no_search_stands_beside_the_best(snapshot, record, architectures):
    shot = snapshot([record(n, architectures[n]) for n in (1, 2)])
    whole = {"glue": 0.9, "parameters": 5e6, "latency_ms": 7.0}
    layers = Beside("layers", "2 layers, whole", {"glue": 0.8})
    shot.by_hand = [Beside("teacher", "the teacher, whole", whole), layers]
    _, table = SECTIONS["front"](shot).blocks
    assert table["columns"][0] == ""
    (teacher, cut, best) = table["rows"]
    assert teacher[0] == "the teacher, whole"
    assert "0.9" in str(teacher[1])
    assert cut[2] == "-"
    assert best[0].endswith("the best of the search")
