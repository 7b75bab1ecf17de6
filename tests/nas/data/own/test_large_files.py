"""Reading large files takes little more than the files do: what it rests on, beside slow twins."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from nas.data.own.arrays import rows_array, values_of
from nas.data.own.formats import read_table
from nas.data.own.labels import numbers_of
from nas.data.own.texts import Texts
from search_spaces.errors import InvalidData


def test_reading_a_table_of_texts_loads_no_other_library_of_tables(tmp_path):
    rows = [f"{i},text {i} of a file,{'yes' if i % 3 else 'no'}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["id,text,label", *rows]))
    code = (
        "import sys; from nas.data.own.reading import read_own_task;"
        "from nas.evaluation.suites.own import read_task_settings;"
        f"found = read_own_task(read_task_settings({{'train': {str(tmp_path / 't.csv')!r}}}));"
        "others = [n for n in ('pandas', 'torch', 'sklearn') if n in sys.modules];"
        "print(len(found.data.train), others)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "48 []", done.stderr


@pytest.mark.parametrize("longest", [10, 3_000_000, 20_000_000])
def test_rows_may_be_longer_than_a_block(tmp_path, longest):
    texts = ["short", "x" * longest, "two\nlines", "end"]
    lines = ["text,label", *(f'"{text}",{number}' for number, text in enumerate(texts))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    assert read_table(str(tmp_path / "t.csv"))["text"].to_pylist() == texts
    (tmp_path / "t.csv").write_text("\n".join([*lines, "one,two,three"]))
    with pytest.raises(InvalidData, match="row 5: 3 columns, expected 2"):
        read_table(str(tmp_path / "t.csv"))


NUMBERS = (
    "1", "-2.5", "+3", "1e5", "1E-3", ".5", "5.", "x", "", "1_000", " 4 ", "0x1A", "nan", "1,5",
    "٣", "--1", "+-1", "1e400", "00012", ".", "e5", None,
)  # fmt: skip


def test_numbers_are_those_that_pandas_reads():
    import pandas as pd

    rng = np.random.default_rng(0)
    drawn = [repr(float(x)) for x in rng.normal(size=200) * 10.0 ** rng.integers(-9, 9, 200)]
    texts = [*NUMBERS, *drawn]
    wanted = pd.to_numeric(pd.Series(texts), errors="coerce").to_numpy(float)
    found = numbers_of(pa.chunked_array([texts[:9], texts[9:]]))
    assert np.allclose(found, wanted, rtol=1e-15, equal_nan=True)


@pytest.mark.parametrize(
    "values",
    [[1, None, 3], [1.5, None], [True, None, False], [True, False], [2, 1], [None, None, 4.5], []],
)
def test_values_are_those_of_the_array(values):
    nothing = np.nan if any(isinstance(v, float) for v in values) else 0
    wanted = [nothing if value is None else value for value in values]
    whole = pa.array(values, None if values else pa.int64())
    for array, right in ((whole, wanted), (whole[1:], wanted[1:])):
        assert np.array_equal(values_of(array), np.array(right), equal_nan=nothing is np.nan)
    parts = pa.chunked_array([whole[:1], whole[1:1], whole[1:]])
    assert np.array_equal(values_of(parts), np.array(wanted), equal_nan=nothing is np.nan)
    rows = np.arange(10)[::3]
    assert rows_array(rows).to_pylist() == rows.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_texts_that_stand_in_others_are_found_in_any_order(seed):
    rng = np.random.default_rng(seed)
    drawn = [f"text {i}" for i in rng.integers(30, size=40)]
    ends = [0, *np.sort(rng.integers(40, size=3)), 40]
    column = pa.chunked_array(
        [drawn[a:b] for a, b in zip(ends, ends[1:], strict=False)], pa.string()
    )
    mine, others = (rng.permutation(40)[: int(rng.integers(1, 25))] for _ in range(2))
    whole = Texts([column])
    for a in (mine, np.sort(mine)):
        for b in (others, None):
            there = whole if b is None else whole.take(b)
            found = whole.take(a).found_in(there)
            assert found.tolist() == [text in set(there) for text in whole.take(a)]
