"""An architecture as a person names it on the command line."""

import ast
import json
from pathlib import Path

from search_spaces import Architecture, list_named_architectures, named_architecture
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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArchitecture(
            f"{path} cannot be read: {error}. Give {FORMS}. "
            f"Names: {', '.join(list_named_architectures())}."
        ) from None
    try:
        return Architecture.from_dict(json.loads(text))
    except ValueError as error:
        if isinstance(error, InvalidArchitecture):
            raise
        raise InvalidArchitecture(f"{path} is no JSON: {error}.") from None


def _dictionary(text: str) -> dict:
    """Read a dictionary as JSON or as Python writes it, whose quotes are single."""
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError):
            continue
        if isinstance(found, dict):
            return found
    raise InvalidArchitecture(
        f"{text[:60]!r} is no dictionary. Write one such as "
        '{"l": 2, "o": ["sa", "l"], "h": [128, 128], "n": [2, 2], "f": [[256], [256]], '
        '"p": ["sdp", "dft"]}.'
    )
