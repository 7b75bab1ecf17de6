"""Where the models of a run's trials are wrong: one small JSON file a trial, beside its weights.

It comes with the trial's result, so that nobody trains anything to know it, and goes when the
trial's weights go.
"""

import json
from pathlib import Path
from typing import Any

from nas.evaluation.mistakes import Mistakes, read_mistakes
from nas.runs.rows import unreadable
from nas.whole_files import write_whole
from search_spaces.documents import read_json_file
from search_spaces.errors import RunError

_FOLDER = "mistakes"


def mistakes_name(digest: str, fidelity: float = 1.0) -> str:
    """Return the name of an architecture's file; each fidelity has its own, as of weights."""
    return f"{_FOLDER}/{digest}{'' if fidelity == 1 else f'@{fidelity:g}'}.json"


def write_mistakes(
    directory: Path, digest: str, fidelity: float, mistakes: dict[str, dict[str, Any]]
) -> None:
    """Keep where a trial's models are wrong.

    Args:
        directory: The run's.
        digest: Hash of the architecture.
        fidelity: The trial's.
        mistakes: Task -> development split -> `nas.evaluation.mistakes.Mistakes.to_dict`.

    Raises:
        OSError: The file cannot be written; an older one is as it was.
    """
    path = directory / mistakes_name(digest, fidelity)
    path.parent.mkdir(exist_ok=True)
    # not worth waiting for the disk: nothing is computed from it
    write_whole(path, json.dumps(mistakes, ensure_ascii=False), synced=False)


def trial_mistakes(
    directory: Path, digest: str, fidelity: float = 1.0
) -> dict[str, dict[str, Mistakes]] | None:
    """Return what was kept of a trial; None where nothing was, as of a run of an older version.

    Raises:
        RunError: The file cannot be read, or holds what no trial gives.
    """
    path = directory / mistakes_name(digest, fidelity)
    if not path.is_file():
        return None
    try:
        return read_mistakes(read_json_file(path, RunError))
    except ValueError as error:
        raise unreadable(str(path), str(error)) from None
