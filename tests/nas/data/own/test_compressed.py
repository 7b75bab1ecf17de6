"""Files of examples, compressed in every way that is read; others are one message."""

import bz2
import gzip
import json
import lzma

import pyarrow as pa
import pytest

from nas.data.own.compressed import OPENERS
from nas.data.own.formats import is_table, read_table, row_word
from search_spaces.errors import InvalidData

PACKERS = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}
ROWS = [{"text": f"the sea, {number}", "label": "good"} for number in range(3)]
WRITTEN = {
    ".csv": 'text,label\n"the sea, 0",good\n"the sea, 1",good\n"the sea, 2",good\n',
    ".tsv": "text\tlabel\nthe sea, 0\tgood\nthe sea, 1\tgood\nthe sea, 2\tgood\n",
    ".jsonl": "\n".join(map(json.dumps, ROWS)),
    ".json": json.dumps(ROWS),
    ".ndjson": "\n".join(map(json.dumps, ROWS)),
}


@pytest.mark.parametrize("packed", OPENERS)
@pytest.mark.parametrize("ending", WRITTEN)
def test_compressed_files_are_read_as_what_is_in_them(tmp_path, packed, ending):
    path = tmp_path / f"films{ending.upper() if packed == '.gz' else ending}{packed}"
    path.write_bytes(PACKERS[packed](WRITTEN[ending].encode()))
    assert is_table(path)
    assert row_word(str(path)) == ("line" if ending in (".jsonl", ".ndjson") else "row")
    assert read_table(str(path)).to_pylist() == ROWS
    bad = b'{"text": "a"}\n{no\n' if "js" in ending else b"a,b\n1,\xff\n"
    path.write_bytes(PACKERS[packed](bad))
    with pytest.raises(InvalidData, match="(line 2|is no|cannot be read)"):
        read_table(str(path)).to_pylist()


@pytest.mark.parametrize("packed", OPENERS)
def test_words_a_line_are_read_compressed(tmp_path, packed):
    path = tmp_path / f"names.conll{packed}"
    path.write_bytes(PACKERS[packed](b"Ann B-x\nwent O\n\nOtto B-x\n"))
    assert read_table(str(path))["tokens"].to_pylist() == [["Ann", "went"], ["Otto"]]


@pytest.mark.parametrize("packed", OPENERS)
@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".json", ".conll"])
def test_what_is_not_compressed_as_its_name_says(tmp_path, packed, ending):
    path = tmp_path / f"films{ending}{packed}"
    whole = PACKERS[packed](WRITTEN[".jsonl"].encode() * 50)
    for broken in (b"text,label\na,b\n", whole[: len(whole) // 2]):
        path.write_bytes(broken)
        with pytest.raises(InvalidData, match=f"films{ending}{packed} cannot be decompressed"):
            read_table(str(path))


def test_what_cannot_be_unpacked(tmp_path):
    for name, message in (
        ("t.csv.zip", r"'.zip', of no format .* \(.gz, .xz, .bz2, .zst behind it is fine; unpack"),
        ("t.jsonl.lz4", "unpack anything else"),
        ("t.xz", "'none', of no format"),
        ("t.parquet.gz", "compressed inside, .* Unpack it to t.parquet"),
    ):
        (tmp_path / name).write_bytes(b"anything")
        with pytest.raises(InvalidData, match=message):
            read_table(str(tmp_path / name))
        assert is_table(tmp_path / name) == name.startswith("t.parquet")


@pytest.mark.parametrize("packed", OPENERS)
@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".json", ".conll"])
def test_what_unfolds_to_what_nobody_would_have_written_is_refused(
    tmp_path, packed, ending, monkeypatch
):
    monkeypatch.setattr("nas.data.own.compressed._UNTOLD", 1_000_000)
    path, row = tmp_path / f"films{ending}{packed}", WRITTEN[".jsonl"].encode() + b"\n"
    path.write_bytes(PACKERS[packed](row * 30_000))
    with pytest.raises(InvalidData, match="unfolds to more than 100 times its size"):
        read_table(str(path))
