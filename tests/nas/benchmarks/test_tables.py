"""Tables of architectures: what is read, averaged and computed, and every message."""

import json

import numpy as np
import pytest

from nas.benchmarks.tables import read_table
from search_spaces.errors import InvalidData, UnknownName
from surrogates.costs import exact_value
from surrogates.policy import Options


def test_numbers_beside_the_architecture_are_columns(write_table, architectures):
    table = read_table(write_table([0.1, 0.2], seconds=[5, 6.5], device=["a", "b"]))
    assert table.architectures == tuple(architectures[:2])
    assert set(table.columns) == {"glue", "seconds"}
    assert table.column("seconds").tolist() == [5.0, 6.5]
    assert len(table) == table.rows == 2
    assert table.points("glue") == 100
    assert table.points("seconds") == 1


def test_repeated_architectures_are_averaged(write_table):
    path = write_table([0.1, 0.4])
    rows = path.read_text().splitlines()
    again = json.loads(rows[0])
    again["scores"]["glue"] = 0.3
    path.write_text("\n".join([*rows, json.dumps(again)]))
    table = read_table(path)
    assert (len(table), table.rows) == (2, 3)
    np.testing.assert_allclose(table.column("glue"), [0.2, 0.4])


def test_parameters_are_computed_unless_the_table_has_its_own(write_table, architectures):
    ours = [exact_value("parameters", a, Options()) for a in architectures[:3]]
    without = read_table(write_table([0.1, 0.2, 0.3]))
    assert without.column("parameters").tolist() == ours
    assert without.told_as("parameters") == "parameters"
    same = read_table(write_table([0.1, 0.2, 0.3], parameters=ours))
    assert same.told_as("parameters") == "parameters"
    other = read_table(write_table([0.1, 0.2, 0.3], parameters=[1, 2, 3]))
    assert other.column("parameters").tolist() == [1, 2, 3]
    assert other.told_as("parameters") == "table_parameters"


def test_cells_are_layers_and_first_width(write_table, architectures):
    cells = read_table(write_table([0.5] * 30)).cells()
    keys = [(len(a), a.layers[0].width) for a in architectures[:30]]
    assert len(set(cells)) == len(set(keys))
    assert all((cells[i] == cells[0]) == (keys[i] == keys[0]) for i in range(30))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: this is no JSON"),
        ("[1]", "line 2: this is no row"),
        ('{"scores": {"glue": 1}}', "line 2: this is no row"),
        ('{"architecture": {"l": 2}, "scores": {"glue": 1}}', "line 2: "),
        ("NaN-row", "line 2: glue is nan"),
        ("twice-row", "line 2: 'glue' occurs twice"),
    ],
)
def test_a_broken_line_is_named(write_table, line, message):
    path = write_table([0.1])
    row = json.loads(path.read_text())
    if line == "NaN-row":
        line = json.dumps({**row, "scores": {"glue": float("nan")}})
    if line == "twice-row":
        line = json.dumps({**row, "glue": 3})
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(InvalidData, match=message) as raised:
        read_table(path)
    assert "table.jsonl" in str(raised.value)


def test_what_is_missing_is_named(write_table, tmp_path):
    with pytest.raises(InvalidData, match="nothing.jsonl cannot be read"):
        read_table(tmp_path / "nothing.jsonl")
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n\n")
    with pytest.raises(InvalidData, match="empty.jsonl has no rows"):
        read_table(empty)
    table = read_table(write_table([0.1, 0.2], extra=[1.0, None]))
    with pytest.raises(InvalidData, match="table.jsonl, line 2: this row has no 'extra', 1 rows"):
        table.column("extra")
    with pytest.raises(UnknownName, match="No column of table.jsonl is called 'glu'. Did you mean"):
        table.column("glu")
