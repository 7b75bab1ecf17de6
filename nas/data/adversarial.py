"""Reads the published file of AdvGLUE: one JSON object, a list of items for each part."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from nas.data.tables import Split
from nas.evaluation.suites.advglue import PARTS, Part
from nas.evaluation.suites.glue import GLUE
from search_spaces.errors import InvalidData

FILE = "dev.json"


def read_adversarial(place: str | Path) -> dict[str, dict[str, Split]]:
    """Return task -> development split -> items.

    Args:
        place: The file, or the folder with a file dev.json.

    Raises:
        InvalidData: It is missing or no JSON, has no known part, or an item lacks a text or has a
            label that is none of its task's.
    """
    path = Path(place) / FILE if Path(place).is_dir() else Path(place)
    if not path.is_file():
        raise InvalidData(
            f"There is no file {path}. Give the published dev.json of AdvGLUE, or its folder, with "
            "--data."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidData(f"{path} is no JSON ({str(error)[:100]}). Put back the file.") from None
    keys = [part.key for part in PARTS]
    if not isinstance(content, dict) or not any(key in content for key in keys):
        held = list(content)[:10] if isinstance(content, dict) else type(content).__name__
        raise InvalidData(
            f"{path} holds {held}, and AdvGLUE's file has lists called {', '.join(keys)}. Give "
            "its dev.json."
        )
    found: dict[str, dict[str, Split]] = {}
    for part in PARTS:
        if part.key in content:
            found.setdefault(part.task, {})[part.split] = _items(path, part, content[part.key])
    return found


def _items(path: Path, part: Part, items: Any) -> Split:
    classes = len(GLUE[part.task].labels)
    if not isinstance(items, list) or not items:
        raise InvalidData(f"{path}: {part.key} is no list of items. Put back the file.")
    for number, item in enumerate(items):
        texts = [item.get(name) if isinstance(item, dict) else None for name in part.columns]
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise InvalidData(
                f"{path}: item {number} of {part.key} needs the texts {', '.join(part.columns)}, "
                f"and is {str(item)[:80]!r}."
            )
        label = item.get("label")
        if isinstance(label, bool) or label not in range(classes):
            raise InvalidData(
                f"{path}: item {number} of {part.key} has the label {label!r}. Allowed: 0 to "
                f"{classes - 1}."
            )
    columns = [[item[name] for item in items] for name in part.columns]
    labels = np.array([item["label"] for item in items], np.int64)
    return Split(columns[0], columns[1] if len(columns) > 1 else None, labels)
