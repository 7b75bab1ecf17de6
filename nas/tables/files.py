"""Tables to files and back: parquet, CSV, JSON lines."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from nas.tables.frames import flat
from nas.whole_files import whole_file
from search_spaces.errors import NasError


def json_lines(table: pd.DataFrame) -> str:
    """Return one JSON object a row; missing values are null, times in ISO format."""
    lines = [
        json.dumps({name: _plain(value) for name, value in row.items()})
        for row in table.to_dict("records")
    ]
    return "".join(f"{line}\n" for line in lines)


def _plain(value: Any) -> Any:
    if isinstance(value, dict | list | str):
        return value
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _write_json(table: pd.DataFrame, path: Path) -> None:
    path.write_text(json_lines(table), encoding="utf-8")


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".parquet": lambda table, path: flat(table).to_parquet(path, index=False),
    ".csv": lambda table, path: flat(table).to_csv(path, index=False),
    ".json": _write_json,
    ".jsonl": _write_json,
}


def write_table(table: pd.DataFrame, path: Path | str) -> Path:
    """Write `table` to a file whose ending says how: .parquet, .csv, or .json (one row a line).

    Architectures and pending trials become JSON text in parquet and CSV. The file is there whole
    or not at all.

    Raises:
        NasError: Another ending, or a file that cannot be written.
    """
    path = Path(path)
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise NasError(
            f"{str(path)!r} has the ending {path.suffix!r}. Use one of {', '.join(WRITERS)}."
        )
    try:
        with whole_file(path) as partial:
            write(table, partial)
    except OSError as error:
        raise NasError(f"{str(path)!r} cannot be written: {error}.") from None
    return path
