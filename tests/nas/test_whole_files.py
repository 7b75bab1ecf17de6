"""Whoever is stopped while writing leaves what was there before, and nothing beside it."""

import os

import pytest

from nas.whole_files import whole_file, whole_folder, write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def halfway(path, stop):
    path.write_text("ne")
    raise stop


@pytest.mark.parametrize("content", ["grün\n", b"\x00abc"])
def test_text_and_bytes_replace_what_was_there(tmp_path, content):
    (tmp_path / "w").write_text("a longer text that was there before")
    write_whole(tmp_path / "w", content)
    as_bytes = content if isinstance(content, bytes) else content.encode("utf-8")
    assert (tmp_path / "w").read_bytes() == as_bytes
    assert names(tmp_path) == ["w"]


@pytest.mark.parametrize("stop", [OSError("full"), KeyboardInterrupt()])
def test_what_stops_midway_leaves_the_old_file_alone(tmp_path, stop):
    write_whole(tmp_path / "w", "old")
    with pytest.raises(type(stop)), whole_file(tmp_path / "w") as partial:
        halfway(partial, stop)
    assert (tmp_path / "w").read_text() == "old"
    assert names(tmp_path) == ["w"]


def test_the_disk_has_the_content_before_the_name(tmp_path, monkeypatch):
    seen, real = [], os.fsync

    def fsync(number):
        seen.append((os.fstat(number).st_size, names(tmp_path)[-1]))
        real(number)

    monkeypatch.setattr("os.fsync", fsync)
    write_whole(tmp_path / "w", "abc")
    assert [size for size, _ in seen] == [3]
    assert seen[0][1].endswith(".part")
    write_whole(tmp_path / "w", "abcd", synced=False)
    assert len(seen) == 1


def test_a_disk_that_does_not_take_it_changes_nothing(tmp_path, monkeypatch):
    write_whole(tmp_path / "w", "old")

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "w", "new")
    with pytest.raises(OSError, match="No space left"), whole_folder(tmp_path / "f") as partial:
        (partial / "a").write_text("new")
    assert (tmp_path / "w").read_text() == "old"
    assert names(tmp_path) == ["w"]


def test_a_folder_is_there_whole_or_not_at_all(tmp_path):
    with whole_folder(tmp_path / "above" / "f") as partial:
        (partial / "in").mkdir()
        (partial / "in" / "a").write_text("a")
        assert not (tmp_path / "above" / "f").exists()
    assert (tmp_path / "above" / "f" / "in" / "a").read_text() == "a"
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "g") as partial:
        halfway(partial / "a", KeyboardInterrupt())
    assert names(tmp_path) == ["above"]
    assert names(tmp_path / "above") == ["f"]


def test_a_folder_with_something_in_it_is_not_replaced(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "kept").write_text("a")
    with pytest.raises(OSError, match="not empty"), whole_folder(tmp_path / "f") as partial:
        (partial / "a").write_text("b")
    assert names(tmp_path / "f") == ["kept"]
    assert names(tmp_path) == ["f"]
