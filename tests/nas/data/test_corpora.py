"""Raw text: plain, compressed, several files in turn, and every message."""

import gzip
import lzma

import pytest

from nas.data.corpora import read_corpus
from search_spaces.errors import InvalidData


@pytest.mark.parametrize(
    ("ending", "pack"), [(".txt", bytes), (".gz", gzip.compress), (".xz", lzma.compress)]
)
def test_lines_come_out_whatever_the_compression(tmp_path, ending, pack):
    path = tmp_path / f"corpus{ending}"
    path.write_bytes(pack(b"One line.\n\n  Two lines. \n"))
    assert list(read_corpus(path)) == ["One line.", "Two lines."]


def test_files_take_turns_so_that_a_limit_leaves_something_of_each(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(f"{name * 9}\n" * 1000)
    lines = list(read_corpus([tmp_path / "a.txt", tmp_path / "b.txt"], limit_bytes=10_000))
    assert len(lines) == 1000
    assert 300 < sum(line.startswith("b") for line in lines) < 700


def test_what_cannot_be_read_is_named(tmp_path):
    def write(name, content):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    with pytest.raises(InvalidData, match="No corpus file was given"):
        read_corpus([])
    with pytest.raises(InvalidData, match=r"The corpus .*gone.txt does not exist"):
        read_corpus(tmp_path / "gone.txt")
    with pytest.raises(InvalidData, match="is a directory. Name a .txt, .xz or .gz file"):
        read_corpus(tmp_path)
    with pytest.raises(InvalidData, match="is empty. Name a file with text"):
        list(read_corpus(write("empty.txt", b"\n\n")))
    with pytest.raises(InvalidData, match=r"is not UTF-8 text \(line 2\)"):
        list(read_corpus(write("binary.txt", b"fine\n\xff\x00\n")))
    for ending in ("xz", "gz"):
        with pytest.raises(InvalidData, match="cannot be decompressed"):
            list(read_corpus(write(f"broken.{ending}", b"plain text")))
