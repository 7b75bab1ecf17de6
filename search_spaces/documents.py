"""YAML and JSON from outside, read within bounds: one meaning, little memory, or a message.

What both languages allow and no file here needs is refused at once: a key given twice, of which one
would be lost in silence; nesting and references that grow without end; numbers of thousands of
digits; files of many megabytes; what is no UTF-8.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from search_spaces.errors import NasError

MOST_BYTES = 1 << 20  # of a YAML file; its reader takes seconds for so much
MOST_JSON_BYTES = 1 << 24
DEEPEST = 50  # mappings and lists inside one another
_MOST_VALUES = 200_000  # with every reference written out
_MOST_DIGITS = 300
_SHOWN = 200  # characters of what was given that a message repeats
_TAG = "tag:yaml.org,2002:"
_KINDS = ("null", "bool", "int", "float", "str", "timestamp", "seq", "map", "merge", "value")


def read_document(path: Path, error: type[NasError]) -> Any:
    """Return the content of a YAML file.

    Args:
        path: The file.
        error: What is raised.

    Raises:
        NasError: Of the type `error`: it cannot be read, is no YAML, or is out of bounds.
    """
    return read_yaml(_content(path, MOST_BYTES, error), str(path), error)


def read_yaml(text: str | bytes, source: str, error: type[NasError]) -> Any:
    """Return what YAML text says, with the types of JSON and dates.

    Args:
        text: The text; bytes are UTF-8.
        source: What messages call it.
        error: What is raised.

    Raises:
        NasError: Of the type `error`: it is no YAML, has a key twice, or is out of bounds.
    """
    try:
        loader = _Loader(_decoded(text))
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError) as problem:
        raise error(f"{source} is no valid YAML: {_brief(problem)}") from None


def read_json(text: str | bytes, source: str, error: type[NasError]) -> Any:
    """Return what JSON text says.

    Args:
        text: The text; bytes are UTF-8.
        source: What messages call it.
        error: What is raised.

    Raises:
        NasError: Of the type `error`: it is no JSON, has a key twice, or is out of bounds.
    """
    try:
        found = json.loads(_decoded(text), object_pairs_hook=_object, parse_int=_whole)
        _check_depth(found)
    except (ValueError, RecursionError) as problem:
        raise error(f"{source} is no JSON: {_brief(problem)}.") from None
    return found


def read_json_file(path: Path, error: type[NasError]) -> Any:
    """Return the content of a JSON file.

    Raises:
        NasError: Of the type `error`: it cannot be read, is no JSON, or is out of bounds.
    """
    return read_json(_content(path, MOST_JSON_BYTES, error), str(path), error)


def _content(path: Path, most: int, error: type[NasError]) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as problem:  # a name with a NUL is a ValueError
        reason = getattr(problem, "strerror", None) or problem
        raise error(f"{str(path)!r} cannot be read: {reason}. Give a file that can.") from None
    if len(content) > most:
        raise error(f"{str(path)!r} has more than {most:,} bytes. Give a smaller file.")
    return content


def _decoded(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = text[: problem.start].count(b"\n") + 1
        raise ValueError(f"line {line} is not UTF-8 text. Convert the file to UTF-8") from None


def _brief(problem: Exception) -> str:
    if isinstance(problem, RecursionError):
        return f"it is nested more than {DEEPEST} deep"
    text = str(problem)
    return text if len(text) <= 4 * _SHOWN else f"{text[: 2 * _SHOWN]} … {text[-_SHOWN:]}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"the key {twice[:_SHOWN]!r} is given twice")
    return found


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"it has a number of {len(digits):,} digits")
    return int(digits)


def _check_depth(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise RecursionError


def _inside(value: Any) -> Iterable[Any]:
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (inner for inner in found if isinstance(inner, dict | list))


class _Loader(yaml.SafeLoader):
    """The safe loader, without what grows without end and without keys given twice."""

    def __init__(self, text: str):
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > DEEPEST:
            line = self.peek_event().start_mark.line + 1
            raise ValueError(f"line {line} is nested more than {DEEPEST} deep")
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _values(node, {})
        return node


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """Check a node and all below; return how many there are with every reference written out."""
    line = node.start_mark.line + 1
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError(f"line {line} refers to itself")
        return known[id(node)]
    known[id(node)] = 0
    if node.tag.removeprefix(_TAG) not in _KINDS:
        raise ValueError(
            f"line {line} has a value of the type {node.tag[:_SHOWN]!r}. Give texts, numbers, true "
            "or false, lists and mappings"
        )
    count = 1
    if isinstance(node, yaml.ScalarNode):
        if node.tag in (f"{_TAG}int", f"{_TAG}float") and len(node.value) > _MOST_DIGITS:
            raise ValueError(
                f"line {line} has a number of {len(node.value):,} digits. Give a shorter one"
            )
    elif isinstance(node, yaml.MappingNode):
        _refuse_twice(node)
        count += sum(_values(key, known) + _values(value, known) for key, value in node.value)
    else:
        count += sum(_values(value, known) for value in node.value)
    if count > _MOST_VALUES:
        raise ValueError(f"line {line} holds more than {_MOST_VALUES:,} values")
    known[id(node)] = count
    return count


def _refuse_twice(node: yaml.MappingNode) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError(f"line {line} has a list or a mapping as a key. Give a text")
        if key.tag == f"{_TAG}merge":
            continue
        if (key.tag, key.value) in lines:
            raise ValueError(
                f"the key {key.value[:_SHOWN]!r} is given twice, in line "
                f"{lines[key.tag, key.value]} and in line {line}. Keep one of the two"
            )
        lines[key.tag, key.value] = line


def _construct_number(make: str) -> Any:
    def construct(loader: _Loader, node: yaml.ScalarNode) -> Any:
        try:
            return getattr(loader, make)(node)
        except (ValueError, KeyError, OverflowError):  # such as !!int one
            raise ValueError(
                f"line {node.start_mark.line + 1} has {node.value[:_SHOWN]!r}, which is not of the "
                f"type {node.tag.removeprefix(_TAG)}"
            ) from None

    return construct


for _kind in ("int", "float", "bool"):
    _Loader.add_constructor(f"{_TAG}{_kind}", _construct_number(f"construct_yaml_{_kind}"))
# a date is a text here, as in JSON
_Loader.add_constructor(f"{_TAG}timestamp", yaml.SafeLoader.construct_yaml_str)
