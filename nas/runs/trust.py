"""What a run names outside its own directory, and whether this user said that it may.

A run directory may come from anyone. Continuing it would import the module that its space is in,
call the function that stands in for training, connect to the cluster and write to the storage that
its experiment names. Whoever starts a search has named these; for a directory from elsewhere a
person says so once, with `--trust`.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.addresses import without_secrets
from search_spaces.errors import RunError

if TYPE_CHECKING:
    from nas.config import Experiment

# Folders of a run that may be links to another disk; a file among these may be none.
_FOLDERS = ("weights", "checkpoints", "results", "tensorboard", "data", "teacher", "mistakes")
_FILES = (
    "run.db", "run.db-wal", "run.db-shm", "run.db-journal", "run.lock", "confirmations.db",
    "confirmations.db-wal", "confirmations.db-shm", "confirmations.db-journal",
)  # fmt: skip


def named_outside(directory: Path, experiment: "Experiment") -> list[str]:
    """Return what continuing a run would use outside of its directory, as texts for people."""
    execution = experiment.execution
    found = named_code(experiment.space)
    for name in ("trial_function", "address", "storage"):
        value = getattr(execution, name)
        if value is not None and value != "auto":
            found.append(f"{name} {without_secrets(str(value))!r}")
    for name in _FOLDERS:
        if (directory / name).is_symlink():
            found.append(f"the folder {name}, a link to {os.readlink(directory / name)!r}")
    return found


def named_code(space: str | Mapping[str, Any]) -> list[str]:
    """Return what building a space of this name would import, as texts for people."""
    return [f"space {space!r}"] if isinstance(space, str) and ":" in space else []


def require_trusted(directory: Path, named: Sequence[str], command: str) -> None:
    """Check that this user said that a run may use what it names.

    Args:
        directory: The run.
        named: What it would use; nothing needs no trust.
        command: What a person writes to say so.

    Raises:
        RunError: Nobody did.
    """
    if all(_is_noted(_mark(directory, one)) for one in named):
        return
    raise RunError(
        f"The run {str(directory)!r} names {', '.join(named)}, which this user has never named for "
        "it. A run directory from elsewhere could run code or write files through this. If you "
        f"know where it is from, say so: {command} --trust"
    )


def trust(directory: Path, named: Sequence[str]) -> None:
    """Note that this user said that a run may use what it names; so it need not be said again."""
    for one in named:
        mark = _mark(directory, one)
        if mark is None:
            return
        try:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        except OSError:
            return  # nowhere to note it: it will have to be said again


def require_own_files(directory: Path) -> None:
    """Check that the files that are written in place are the run's own.

    Raises:
        RunError: One is a link, through which another file would be written.
    """
    for path in (*(directory / name for name in _FILES), *directory.glob("confirmations-*")):
        if path.is_symlink():
            raise RunError(
                f"{path} is a link to {os.readlink(path)!r}, and would be written to there. Put "
                "the file itself in its place."
            )


def _is_noted(mark: Path | None) -> bool:
    try:
        return mark is not None and mark.exists()
    except OSError:
        return False


def _mark(directory: Path, named: str) -> Path | None:
    """Return the file that is there where this was said; None where no home is known."""
    state = os.environ.get("XDG_STATE_HOME")
    if not state:
        try:
            state = str(Path.home() / ".local" / "state")
        except RuntimeError:
            return None
    text = json.dumps([str(directory.resolve()), named])
    return Path(state) / "nas" / "trusted" / hashlib.sha256(text.encode()).hexdigest()[:32]
