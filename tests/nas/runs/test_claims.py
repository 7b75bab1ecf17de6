"""A directory for each of several searches at once, and none for one that is not made."""

import errno
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from nas.runs.claims import claimed_directory
from nas.runs.directory import create_run
from search_spaces.errors import RunError


def test_searches_that_start_at_once_have_a_directory_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ExitStack() as held, ThreadPoolExecutor(8) as threads:
        claims = [claimed_directory("search", None) for _ in range(8)]
        places = list(threads.map(held.enter_context, claims))
        assert {str(place) for place in places} == {f"runs/search-{i}" for i in range(1, 9)}
        (places[3] / "run.db").touch()
        with suppress(ValueError), held:
            raise ValueError
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [places[3].name]


def test_a_search_that_does_not_start_leaves_no_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with suppress(ValueError), claimed_directory("search", None) as place:
        assert place.is_dir()
        raise ValueError
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").touch()
    with pytest.raises(RunError, match="'runs' is no folder"), claimed_directory("search", None):
        pass


@pytest.mark.parametrize("step", ["write_whole", "Journal"])
@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("full")]
)
def test_a_disk_that_is_full_while_a_run_is_made_leaves_nothing(
    step, there, error, tmp_path, experiment, monkeypatch
):
    place, plan = tmp_path / "a" / "run", experiment()
    if there:
        place.mkdir(parents=True)

    def full(*args, **options):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(f"nas.runs.directory.{step}", full)
        with pytest.raises(RunError, match=r"(space|full).*Nothing is left of it\. Make room"):
            create_run(place, plan, plan.objectives)
    assert list(tmp_path.rglob("*")) == ([tmp_path / "a", place] if there else [])
    create_run(place, plan, plan.objectives).close()
    assert (place / "run.db").exists()


def test_of_two_that_make_the_same_run_one_is_told_so(tmp_path, experiment, monkeypatch):
    plan = experiment()
    monkeypatch.setattr("nas.runs.directory.require_free", lambda directory, plan: None)
    create_run(tmp_path / "run", plan, plan.objectives).close()
    with pytest.raises(RunError, match="Another search is just making a run in"):
        create_run(tmp_path / "run", plan, plan.objectives)
    assert (tmp_path / "run" / "run.db").exists()
