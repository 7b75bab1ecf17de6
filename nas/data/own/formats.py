"""Files of examples as Arrow tables: CSV, TSV, JSON lines, JSON, Parquet, saved datasets, the hub.

Nothing here looks at what the columns mean. Every cell of CSV and TSV is text.
"""

import contextlib
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.data.own.compressed import OPENERS, format_of, is_compressed, opened, read_text
from nas.data.own.delimited import not_utf8, read_delimited
from nas.data.own.nested import plain_columns
from nas.data.own.squad import is_squad, squad_table
from nas.evaluation.suites.own import HUB
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa

_JSON_BLOCK = 1 << 26  # bytes: no example is longer than this


def read_table(place: str, split: str = "train") -> "pa.Table":
    """Return the rows of one split.

    Args:
        place: A file, a folder that `datasets` saved, or "hub:" and the name of a dataset.
        split: Which of them, where the place has several.

    Raises:
        InvalidData: It is missing, of no known format, damaged, or has no row.
    """
    if place.startswith(HUB):
        found = _from_hub(place.removeprefix(HUB), split)
    else:
        found = _from_disk(Path(place), split)
    if not found.num_rows:
        raise InvalidData(f"{place} has no examples, only the names of its columns.")
    twice = sorted({n for n in found.column_names if found.column_names.count(n) > 1})
    if twice:
        raise InvalidData(f"{place} has two columns called {twice[0]!r}. Rename one of them.")
    return plain_columns(found)


def is_table(path: Path) -> bool:
    """Whether a file or folder is one of those that `read_table` reads, and no plain text."""
    return path.is_dir() or format_of(path) in _READERS


def row_word(place: str) -> str:
    """Return what a row of a file is called: "line", or "row" where the first line has names."""
    return "line" if format_of(Path(place)) in (".jsonl", ".ndjson") else "row"


def splits_of(place: str) -> list[str]:
    """Return the names of the splits in a saved dataset's folder; none for a single file."""
    index = Path(place) / "dataset_dict.json"
    if place.startswith(HUB) or not index.is_file():
        return []
    found = _json(index)
    names = found.get("splits") if isinstance(found, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _from_disk(path: Path, split: str) -> "pa.Table":
    if path.is_dir():
        return _saved_dataset(path, split)
    if not path.is_file():
        beside = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
        raise InvalidData(
            f"The file {path} does not exist. Files found beside it: "
            f"{', '.join(beside[:20]) or 'none'}."
        )
    if not path.stat().st_size:
        raise InvalidData(f"{path} is empty. Give a file with examples.")
    suffix = format_of(path)
    reader = _READERS.get(suffix)
    if reader is None:
        raise InvalidData(
            f"{path} has the ending {suffix or 'none'!r}, of no format that is read. Give one of "
            f"{', '.join(_READERS)} ({', '.join(OPENERS)} behind it is fine; unpack anything "
            "else), or a folder of save_to_disk."
        )
    if suffix == ".parquet" and is_compressed(path):
        raise InvalidData(
            f"{path} is Parquet, which is compressed inside, and compressed once more. Unpack it "
            f"to {path.stem}."
        )
    try:
        return reader(path)
    except OSError as error:
        raise InvalidData(f"{path} cannot be read: {error}") from None


def _json_lines(path: Path) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import json as arrow

    try:
        with opened(path) as file:
            found = arrow.read_json(
                file, read_options=arrow.ReadOptions(use_threads=False, block_size=_JSON_BLOCK)
            )
        found.validate(full=True)  # halves of characters, which JSON can write, are none
        _inner_names(found.schema.types)  # nor has Arrow looked at these
        return found
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0]
    raise InvalidData(_json_problem(path) or f"{path} cannot be read: {reason}")


def _inner_names(kinds: Iterable["pa.DataType"]) -> list[str]:
    """Return the names of fields inside columns.

    Raises:
        UnicodeDecodeError: One is no UTF-8.
    """
    fields = [kind.field(i) for kind in kinds for i in range(kind.num_fields)]
    names = [field.name for field in fields]
    return names + _inner_names([field.type for field in fields]) if fields else names


def _json_problem(path: Path) -> str | None:
    """Say which line is none, or where a value has another type than above it."""
    types: dict[str, tuple[str, int]] = {}
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                return (
                    f"{path}, line {number}: no JSON ({str(error)[:100]}): {line[:80]!r}. Write "
                    'one object a line, such as {"text": "…", "label": "…"}.'
                )
            if not isinstance(row, dict):
                return f"{path}, line {number}: {line[:80]!r} is no object with names and values."
            if _has_halves(row):
                return f"{path}, line {number}: {_HALF}"
            for name, value in row.items():
                kind = _TYPES.get(type(value), type(value).__name__)
                before, where = types.setdefault(name, (kind, number))
                if value is not None and kind != before:
                    return (
                        f"{path}, line {number}: {name!r} is {kind} ({value!r:.60}), and "
                        f"{before} in line {where}. Write all values of a column alike."
                    )
                if value is None:
                    types.pop(name)
    return None


_TYPES = {str: "a text", int: "a number", float: "a number", bool: "true or false", list: "a list"}


def _json_document(path: Path) -> "pa.Table":
    """Read one list of objects, as pandas writes it; SQuAD's; or JSON lines that are .json."""
    import pyarrow as pa

    with opened(path) as file:
        start = file.read(1 << 16).lstrip()
    if b'"data"' in start and start.startswith(b"{"):
        found = None
        with contextlib.suppress(InvalidData):  # lines are no document
            found = _json(path)
        if is_squad(found):
            return squad_table(found, path)
    if not start.startswith(b"["):
        return _json_lines(path)
    found = _json(path)
    if not all(isinstance(row, dict) for row in found):
        raise InvalidData(f"{path} is no list of objects. Write one object an example.")
    try:
        return pa.Table.from_pylist(found)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise InvalidData(
            f"{path} cannot be read: {str(error)[:200]}. Write all values of a column alike."
        ) from None


def _json(path: Path) -> Any:
    try:
        text = read_text(path)
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidData(f"{path} is no JSON: {str(error)[:200]}") from None
    if "\\ud" in text.lower() and _has_halves(found):
        raise InvalidData(f"{path}: {_HALF}")
    return found


_HALF = (
    'a text has half of a character, such as "\\ud83d" without its other half behind it. Write '
    "whole ones, or delete it."
)


def _has_halves(document: Any) -> bool:
    """Whether a text of a document has a surrogate without its other half, which is no text."""
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _conll(path: Path) -> "pa.Table":
    """Read a word a line, its label last, a blank line between one text and the next."""
    import pyarrow as pa

    try:
        lines = read_text(path).split("\n")
    except UnicodeDecodeError:
        raise InvalidData(f"{path} cannot be read: {not_utf8(path)}") from None
    words: list[list[str]] = [[]]
    tags: list[list[str]] = [[]]
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if not cells or cells[0].startswith("-DOCSTART-"):
            if words[-1]:
                words.append([])
                tags.append([])
            continue
        if line.startswith("# ") and not words[-1]:
            continue  # what is said of a text before it
        if len(cells) < 2:
            raise InvalidData(
                f"{path}, line {number}: {line[:80]!r} is a word without a label. Write the word, "
                "a space or tab, and its label."
            )
        words[-1].append(cells[0])
        tags[-1].append(cells[-1])
    full = [place for place, found in enumerate(words) if found]
    return pa.table({"tokens": [words[i] for i in full], "tags": [tags[i] for i in full]})


def _parquet(path: Path) -> "pa.Table":
    import pyarrow as pa
    from pyarrow import parquet

    try:
        found = parquet.read_table(path)
        found.validate(full=True)  # nothing else has looked at the bytes of texts, for example
        return _named_classes(found)
    except pa.ArrowException as error:
        raise InvalidData(f"{path} is no Parquet file that can be read: {error}") from None


def _saved_dataset(folder: Path, split: str) -> "pa.Table":
    """Read what `Dataset.save_to_disk` and `DatasetDict.save_to_disk` write."""
    import pyarrow as pa

    named = splits_of(str(folder))
    if named:
        if split not in named:
            raise InvalidData(
                f"{folder} has no split {split!r}. It has {', '.join(named)}; name the folder of "
                f"one: {folder / named[0]}"
            )
        folder = folder / split
    files = sorted(folder.glob("*.arrow"))
    if not files:
        raise InvalidData(
            f"{folder} is a folder without *.arrow files, so no dataset that save_to_disk wrote. "
            "Give a file such as train.csv, or such a folder."
        )
    parts = []
    for file in files:
        try:
            with pa.memory_map(str(file)) as source:
                parts.append(pa.ipc.open_stream(source).read_all())
            parts[-1].validate(full=True)
            found = pa.concat_tables(parts)
        except (pa.ArrowException, OSError) as error:
            raise InvalidData(f"{file} cannot be read: {error}") from None
    return _named_classes(found)


def _named_classes(table: "pa.Table") -> "pa.Table":
    """Put the names of classes in place of their numbers, as `datasets` notes them beside."""
    import pyarrow as pa

    for name, feature in _noted_features(table).items():
        inner = feature.get("feature") if isinstance(feature, dict) else None
        listed = isinstance(inner, dict)
        if listed:
            feature = inner
        if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
            continue
        noted = feature.get("names")
        # noted once, and removed or changed since
        if name not in table.column_names or not _are_numbers(table[name].type, listed=listed):
            continue
        if not isinstance(noted, list) or not all(isinstance(one, str) for one in noted):
            continue
        names = dict(enumerate(noted))
        column = table[name].to_pylist()
        if listed:
            texts = [[names.get(value) for value in values or ()] for values in column]
        else:
            texts = [names.get(value) for value in column]
        kind = pa.list_(pa.string()) if listed else pa.string()
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(texts, kind))
    return table


def _noted_features(table: "pa.Table") -> dict[str, Any]:
    """Return what `datasets` noted of the columns; nothing where it did not, or something odd."""
    noted = (table.schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(noted)["info"]["features"] if noted else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _are_numbers(kind: "pa.DataType", *, listed: bool) -> bool:
    """Whether cells of a type are whole numbers, or lists of them."""
    import pyarrow as pa

    if listed:
        return pa.types.is_list(kind) and pa.types.is_integer(kind.value_type)
    return pa.types.is_integer(kind)


def _from_hub(name: str, split: str) -> "pa.Table":
    try:
        import datasets
    except ImportError:
        raise InvalidData(
            f"{HUB}{name} needs the datasets library. Run: pip install 'encoder-nas[hub]'"
        ) from None
    try:
        found = datasets.load_dataset(name, split=split)
    except Exception as error:  # the library raises whatever its transport raised
        raise InvalidData(
            f"The dataset {name!r}, split {split!r}, could not be had from the hub: {error}. Check "
            "its name and the network, or give files."
        ) from None
    return _named_classes(found.with_format("arrow")[:])


_READERS: dict[str, Callable[[Path], "pa.Table"]] = {
    ".csv": partial(read_delimited, separator=","),
    ".tsv": partial(read_delimited, separator="\t"),
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json_document,
    ".parquet": _parquet,
    ".conll": _conll,
    ".bio": _conll,
    ".iob": _conll,
    ".iob2": _conll,
}
