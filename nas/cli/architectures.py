"""An architecture as a person names it on the command line."""

import ast
import contextlib
from pathlib import Path

from search_spaces import Architecture, list_named_architectures, named_architecture
from search_spaces.documents import read_json, read_json_file
from search_spaces.errors import InvalidArchitecture

FORMS = (
    "a JSON file, a published name such as bert-mini, the text of a dictionary, an exported "
    "folder, or RUN/best and RUN/HASH for a trial of a run"
)


def read_architecture(given: str) -> Architecture:
    """Return the architecture that `given` names; `FORMS` lists the forms.

    Raises:
        NasError: It names none, or describes no encoder.
    """
    if given.lstrip().startswith("{"):
        return Architecture.from_dict(_dictionary(given))
    path = Path(given)
    if path.is_dir() and (path / "architecture.json").is_file():
        path = path / "architecture.json"
    elif (path.parent / "run.db").is_file():
        from nas.runs.directory import open_run

        return Architecture.from_dict(open_run(path.parent).pick(path.name)["architecture"])
    if not path.exists() and path.suffix != ".json":
        return named_architecture(given)
    if not path.is_file():
        raise InvalidArchitecture(
            f"{path} cannot be read: it is no file. Give {FORMS}. "
            f"Names: {', '.join(list_named_architectures())}."
        )
    return Architecture.from_dict(read_json_file(path, InvalidArchitecture))


def _dictionary(text: str) -> dict:
    """Read a dictionary as JSON or as Python writes it, whose quotes are single."""
    with contextlib.suppress(InvalidArchitecture):
        found = read_json(text, "the architecture", InvalidArchitecture)
        if isinstance(found, dict):
            return found
    # its quotes may be single, its keys not
    with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        found = ast.literal_eval(text)
        if isinstance(found, dict):
            return found
    raise InvalidArchitecture(
        f"{text[:60]!r} is no dictionary. Write one such as "
        '{"l": 2, "o": ["sa", "l"], "h": [128, 128], "n": [2, 2], "f": [[256], [256]], '
        '"p": ["sdp", "dft"]}.'
    )
