"""Directories for new runs: each search has one of its own, and one that is not made leaves none.

Making a folder is the one step that only one of several processes succeeds in.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from search_spaces.errors import RunError


def next_directory(name: str, parent: Path = Path("runs")) -> Path:
    """Return the first `parent/<name>-<number>` that does not exist, counting on from the last."""
    pattern = re.compile(re.escape(name) + r"-(\d+)")
    taken = [pattern.fullmatch(p.name) for p in parent.iterdir()] if parent.is_dir() else []
    return parent / f"{name}-{max((int(m[1]) for m in taken if m), default=0) + 1}"


@contextmanager
def claimed_directory(name: str, directory: Path | None) -> Iterator[Path]:
    """Yield where a run is to be made; without `directory`, an empty one that nobody else gets.

    It is removed again if the block ends before there is a record in it.

    Raises:
        RunError: It cannot be made.
    """
    if directory is not None:
        yield Path(directory)
        return
    made: list[Path] = []
    while not made:
        directory = next_directory(name)
        try:
            made = _make(directory)
        except FileExistsError:
            if not directory.parent.is_dir():
                raise RunError(f"{str(directory.parent)!r} is no folder; give --run.") from None
        except OSError as error:
            raise RunError(
                f"Cannot make the run directory {str(directory)!r}: {error}. Give another place "
                "with --run, or search from a folder that you may write to."
            ) from None
    try:
        yield directory
    except BaseException:
        if not (directory / "run.db").exists():
            _remove(made)
        raise


@contextmanager
def made_or_nothing(directory: Path, claim: str) -> Iterator[None]:
    """Make `directory`, free or absent, for the block to fill; what fails leaves nothing in it.

    Args:
        directory: Where.
        claim: The folder in it whose making says that it is ours.

    Raises:
        RunError: Another process is making a run there, or the place cannot be written to.
        OSError: What the block raises, too.
    """
    try:
        made = _make(directory / claim)
    except FileExistsError:
        raise RunError(
            f"Another search is just making a run in {str(directory)!r}, or a file is in its "
            "place. Give a directory that does not exist yet."
        ) from None
    except OSError as error:
        raise RunError(f"Cannot make the run directory {str(directory)!r}: {error}") from None
    try:
        yield
    except BaseException:
        for path in directory.iterdir():  # it was empty before
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        _remove(made)
        raise


def _make(folder: Path) -> list[Path]:
    """Make a folder, which must not exist, and those above it; return what was made, last first."""
    absent = [folder, *(p for p in folder.parents if not p.exists())]
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir()
    return absent


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # somebody else has put something into it
            folder.rmdir()
