"""CSV and TSV as Arrow tables, every cell a text.

A file is read a block at a time by one thread: blocks in flight of several threads hold what is
read of it once more, and take longer altogether.
"""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.data.own.compressed import opened
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCKS = (1 << 20, 1 << 24, 1 << 28)  # bytes: a row that is longer than one takes the next
_LONGER = "straddling object"  # what Arrow says of such a row


def read_delimited(path: Path, separator: str) -> "pa.Table":
    """Return the rows of a file whose first line names its columns.

    Args:
        path: The file, which may be compressed.
        separator: What stands between cells.

    Raises:
        InvalidData: A column has no name, a row has more or fewer cells, or it is no UTF-8.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow

    names, separator = _header(path, separator)
    bad: list[Any] = []
    reason = ""
    for block in _BLOCKS:
        try:
            with opened(path) as file:
                return arrow.read_csv(
                    file,
                    read_options=arrow.ReadOptions(use_threads=False, block_size=block),
                    parse_options=arrow.ParseOptions(
                        delimiter=separator,
                        newlines_in_values=True,
                        invalid_row_handler=lambda row: bad.append(row) or "error",
                    ),
                    convert_options=arrow.ConvertOptions(
                        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                    ),
                )
        except pa.ArrowInvalid as error:
            reason = str(error)
        if _LONGER not in reason:
            break
    if bad:
        row = bad[-1]
        number = f"row {row.number - 1}" if row.number else "a row"
        raise InvalidData(
            f"{path}, {number}: {row.actual_columns} columns, expected {row.expected_columns} "
            f"({', '.join(names)}): {row.text[:80]!r}. Put a text that has a {separator!r} in "
            "double quotes, or delete the row."
        )
    raise InvalidData(f"{path} cannot be read: {not_utf8(path) or reason}")


def _header(path: Path, separator: str) -> tuple[list[str], str]:
    """Return the names in the first line, and what stands between them."""
    with opened(path) as file:
        start = file.read(1 << 20)
    text = start.decode("utf-8-sig", errors="replace")
    if "\0" in text:
        raise InvalidData(f"{path} has NUL characters, so it is no text. Convert it to UTF-8.")
    try:
        first = next(csv.reader(text.splitlines(), delimiter=separator), [])
    except csv.Error as error:
        raise InvalidData(
            f"{path}: the first line is none of names of columns ({error}). Write their names into "
            f"it, with {separator!r} between them."
        ) from None
    if len(first) == 1 and separator == "," and ";" in first[0]:
        separator = ";"  # what a spreadsheet writes where a comma is in the numbers
        first = first[0].split(";")
    if any(not name.strip() for name in first):
        raise InvalidData(
            f"{path}: the first line names a column with nothing ({first!r:.200}). Give every "
            "column a name."
        )
    return first, separator


def not_utf8(path: Path) -> str | None:
    """Say which line of a file is no UTF-8; None where all are."""
    with opened(path) as file:
        data = bytes(file.read())
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return f"line {line} is not UTF-8 text (byte {error.start}). Convert the file to UTF-8."
    return None
