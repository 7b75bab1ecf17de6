"""Raw text: plain, compressed, several files in turn, and every message."""

import gzip
import lzma
import tracemalloc

import pytest

from nas.data import corpora
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


@pytest.mark.parametrize("ending", ["gz", "xz"])
def test_a_line_without_end_takes_little_time_and_memory(tmp_path, ending):
    path = tmp_path / f"bomb.{ending}"
    opener = {"gz": gzip.open, "xz": lzma.open}[ending]
    with opener(path, "wb", **({"compresslevel": 1} if ending == "gz" else {"preset": 0})) as file:
        file.write(b"fine\n")
        for _ in range(64):
            file.write(b"a" * (1 << 20))
    tracemalloc.start()
    with pytest.raises(InvalidData, match="100 times its size"):
        list(read_corpus(path))
    assert tracemalloc.get_traced_memory()[1] < 80e6
    tracemalloc.stop()


def test_a_line_without_end_is_refused_in_a_plain_file_too(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"fine\n" + b"a" * 33_000_000)
    with pytest.raises(InvalidData, match=r"more than 32 MB \(line 2\)"):
        list(read_corpus(tmp_path / "a.txt"))


def test_an_xz_header_that_asks_for_gigabytes_is_refused(tmp_path):
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    (tmp_path / "c.xz").write_bytes(lzma.compress(b"text\n", filters=filters))
    with pytest.raises(InvalidData, match=r"cannot be decompressed \(Memory usage limit exceeded"):
        list(read_corpus(tmp_path / "c.xz"))


def test_several_streams_are_one_text_and_a_cut_one_is_damaged(tmp_path):
    whole = lzma.compress(b"one\ntw", preset=9) + lzma.compress(b"o\nthree")
    (tmp_path / "c.xz").write_bytes(whole + b"\0" * 8)
    assert list(read_corpus(tmp_path / "c.xz")) == ["one", "two", "three"]
    (tmp_path / "c.xz").write_bytes(whole[:-9])
    with pytest.raises(InvalidData, match="cannot be decompressed"):
        list(read_corpus(tmp_path / "c.xz"))


def test_a_line_of_megabytes_comes_in_parts_that_lose_nothing(tmp_path):
    words, word = "ab cd " * 500_000, "\u0e01" * 2_500_000  # Thai has no spaces
    (tmp_path / "a.txt").write_text(f"short\n{words}\n{word}\nend")
    lines = list(read_corpus(tmp_path / "a.txt"))
    assert max(map(len, lines)) <= 1_000_000
    assert (lines[0], lines[-1]) == ("short", "end")
    assert " ".join(lines).split()[1:-4] == words.split()
    assert "".join(lines[-4:-1]) == word


def test_of_a_word_without_end_the_beginning_is_kept(tmp_path):
    usual = " ".join(["y" * 1000, "z" * 999, "\u4e2d" + "\u6587" * 3000])
    (tmp_path / "a.txt").write_text(f"a {'x' * 1001} {usual} {'x' * 3_000_000}\nend", "utf-8")
    (line, last) = read_corpus(tmp_path / "a.txt")
    assert line == f"a {'x' * 1000} {usual} {'x' * 1000}"
    assert last == "end"


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("xz", lzma.compress)])
def test_lines_that_nobody_would_have_written_are_refused(ending, pack, tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "_UNTOLD", 3_000_000)
    path = tmp_path / f"bomb.{ending}"
    path.write_bytes(pack(b"text\n" * 500_000))
    assert sum(1 for _ in read_corpus(path)) == 500_000  # not worth a word yet
    path.write_bytes(pack(b"text\n" * 1_000_000))
    with pytest.raises(InvalidData, match=r"100 times its size .*decompress it and name the .txt"):
        list(read_corpus(path))
    (tmp_path / "c.txt").write_bytes(b"text\n" * 1_000_000)
    assert sum(1 for _ in read_corpus(tmp_path / "c.txt")) == 1_000_000
