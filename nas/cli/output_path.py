"""Options that name what is to be written: whether that is possible is asked before any work."""

import os
from pathlib import Path
from typing import Any

import click

from search_spaces.errors import InvalidExperiment


class OutputFile(click.ParamType):
    """A file to write, in a folder that exists.

    Args:
        endings: Those allowed, with their dots; none allows any.
    """

    name = "file"

    def __init__(self, *endings: str):
        self._endings = endings

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        """Return the path.

        Raises:
            InvalidExperiment: It has another ending, its folder is missing or cannot be written to,
                or it is a folder.
        """
        path, option = Path(value), _option(param)
        if self._endings and path.suffix.lower() not in self._endings:
            *others, last = self._endings
            raise InvalidExperiment(
                f"{option} {str(path)!r} has the ending {path.suffix!r}. "
                f"Use {', '.join(others)} or {last}."
            )
        if not _is_dir(path.parent, option):
            raise InvalidExperiment(
                f"{option} {str(path)!r} cannot be written: there is no folder "
                f"{str(path.parent)!r}. Make it first."
            )
        if _is_dir(path, option):
            raise InvalidExperiment(f"{option} {str(path)!r} is a folder. Give the name of a file.")
        _require_writable(path.parent, option)
        return path


class OutputFolder(click.ParamType):
    """A folder to write, whose folders above are made where they are missing."""

    name = "folder"

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        """Return the path.

        Raises:
            InvalidExperiment: It cannot be made.
        """
        path, option = Path(value), _option(param)
        above = next((p for p in (path, *path.parents) if _exists(p, option)), Path())
        if not _is_dir(above, option):
            raise InvalidExperiment(
                f"{option} {str(path)!r}: {str(above)!r} is a file. Give another folder."
            )
        if above != path:
            _require_writable(above, option)
        return path


def _option(param: Any) -> str:
    return param.opts[0] if isinstance(param, click.Option) else "The path"


def _is_dir(path: Path, option: str) -> bool:
    return _exists(path, option) and path.is_dir()


def _exists(path: Path, option: str) -> bool:
    try:
        return bool(os.stat(path))
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:  # too long, a file in its way, no right to look, a NUL
        if isinstance(error, NotADirectoryError):
            return False
        reason = getattr(error, "strerror", None) or error
        raise InvalidExperiment(
            f"{option} {str(path)[:200]!r} cannot be written: {reason}. Give another place."
        ) from None


def _require_writable(folder: Path, option: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidExperiment(
            f"{option}: the folder {str(folder)!r} cannot be written to. Give another place, or "
            "the right to write there."
        )
