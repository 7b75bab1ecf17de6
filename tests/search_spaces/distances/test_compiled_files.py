"""Compiled code that is kept on disk, where the files are damaged or cannot be written."""

import sys
from importlib import import_module

import pytest

SOURCE = """
from search_spaces.distances.alignment_kernels import compiled

@compiled
def twice(number):
    return 2 * number
"""


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """Return what imports the function anew, as another process would."""
    (tmp_path / "compiled_example.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)

    def load():
        sys.modules.pop("compiled_example", None)
        return import_module("compiled_example").twice

    yield load
    sys.modules.pop("compiled_example", None)


def misses(function):
    assert function(4) == 8
    return sum(function.stats.cache_misses.values())


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_a_file_cut_short_is_made_again(ending, fresh, tmp_path):
    assert [misses(fresh()), misses(fresh())] == [1, 0]
    (file,) = (tmp_path / "__pycache__").glob(f"*.{ending}")
    file.write_bytes(file.read_bytes()[:100])
    assert [misses(fresh()), misses(fresh())] == [1, 0]


def test_what_cannot_be_kept_is_compiled_each_time(fresh, monkeypatch):
    def full(*what):
        raise OSError(28, "No space left on device")

    function = fresh()
    monkeypatch.setattr(function._cache._files, "save_overload", full)
    assert misses(function) == 1
    assert misses(fresh()) == 1
