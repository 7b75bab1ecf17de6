"""Which columns of a table are texts, which one is the label, and what kind of label it is.

Told by name first, then by content; where that leaves a doubt, the user is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nas.data.own.choice_columns import RIGHT, find_choices, find_question
from nas.data.own.span_columns import find_spans
from nas.evaluation.suites.own import TaskSettings
from search_spaces.errors import InvalidData, UnknownName

if TYPE_CHECKING:
    import pyarrow as pa

# What people call columns, the surest first. A pair is one only with both of its columns.
_PAIRS = (
    ("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"),
    ("text1", "text2"), ("text_a", "text_b"), ("text_1", "text_2"), ("sentence_a", "sentence_b"),
    ("question", "sentence"), ("question", "passage"), ("question", "context"),
    ("question", "answer"), ("query", "passage"), ("query", "document"), ("first", "second"),
)  # fmt: skip
_TEXTS = (
    "text", "texts", "sentence", "review", "review_text", "content", "body", "message", "comment",
    "document", "article", "tweet", "post", "utterance", "question", "description", "abstract",
    "tokens", "words",
)  # fmt: skip
_LABELS = (
    "label", "labels", "class", "category", "target", "gold_label", "sentiment", "topic", "intent",
    "tag", "tags", "ner_tags", "pos_tags", "score", "rating", "stars", "similarity", "y",
)  # fmt: skip
IDS = ("id", "idx", "index", "guid", "uid", "uuid", "row_id", "example_id", "")
_LOOKED_AT = 2_000  # rows, to tell texts from words
_WORDS_OF_A_TEXT = 3.0  # on average
# With more values than this, numbers are no names of classes, nor are words.
MOST_NUMBERED, MOST_CLASSES = 20, 1_000


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are.

    Attributes:
        text: Those with the texts, in their order.
        label: The one with the label.
        others: The rest, which nothing reads.
        choices: Those with the answers of a choice.
        span: Whether questions about texts are answered by spans of them.
        start: That with the first character of such an answer, where it has a column.
    """

    text: tuple[str, ...]
    label: str
    others: tuple[str, ...]
    choices: tuple[str, ...] = ()
    span: bool = False
    start: str = ""


def find_columns(table: "pa.Table", settings: TaskSettings, place: str) -> Columns:
    """Return what the columns of a training file are.

    Raises:
        UnknownName: A column that was named is not there.
        InvalidData: No column, or more than one, could be the text or the label.
    """
    names = table.column_names
    given = (*settings.text, *settings.choices, settings.label, settings.start)
    for name in filter(None, given):
        if name not in names:
            raise UnknownName(f"column of {place}", name, names)
    span = find_spans(table, settings, place)
    if span is not None:
        others = tuple(n for n in names if n not in (*span.text, span.label, span.start))
        return Columns(span.text, span.label, others, span=True, start=span.start)
    choices = find_choices(table, settings, place)
    taken = (*settings.text, *choices)
    label = settings.label or _named(names, (*_LABELS, *(RIGHT if choices else ())), taken)
    text = settings.text
    if choices and not text:
        text = find_question(table, [n for n in names if n not in (*choices, label)], place)
    text = text or _find_text(table, label, place)
    label = label or _find_label(table, (*text, *choices), place)
    if label in (*text, *choices):
        raise InvalidData(f"{place}: the column {label!r} cannot be both a text and the label.")
    others = tuple(n for n in names if n != label and n not in (*text, *choices))
    return Columns(text, label, others, choices)


def find_texts(table: "pa.Table", columns: Sequence[str], place: str) -> tuple[str, ...]:
    """Return the text columns of a file to answer, which may have another name for its only text.

    Raises:
        InvalidData: It has no such column.
    """
    if all(name in table.column_names for name in columns):
        return tuple(columns)
    if len(columns) == 1 and len(table.column_names) == 1:
        return tuple(table.column_names)
    raise InvalidData(
        f"{place} has no text column {' or '.join(map(repr, columns))}, which the model was "
        f"trained to read. Columns found: {', '.join(table.column_names)}. Rename the one with "
        "the text."
    )


def _named(names: list[str], known: Sequence[str], taken: Sequence[str] = ()) -> str | None:
    lower = {name.strip().lower(): name for name in names if name not in taken}
    return next((lower[name] for name in known if name in lower), None)


def _find_text(table: "pa.Table", label: str | None, place: str) -> tuple[str, ...]:
    names = [name for name in table.column_names if name != label]
    lower = {name.strip().lower(): name for name in names}
    for pair in _PAIRS:
        if all(name in lower for name in pair):
            return tuple(lower[name] for name in pair)
    named = [lower[name] for name in _TEXTS if name in lower and _may_be_text(table[lower[name]])]
    found = named[:1] or [n for n in names if _may_be_text(table[n]) and _reads_as_text(table[n])]
    if len(found) == 1:
        return tuple(found)
    if found:
        raise InvalidData(
            f"{place} has {len(found)} columns that could be the text: {', '.join(found)}. Name "
            f"it with text: {found[0]}, or several that are read together with "
            f"text: [{', '.join(found[:2])}] (on the command line --text {','.join(found[:2])})."
        )
    raise InvalidData(
        f"{place} has no column with text. Columns found: {_described(table)}. Name one with "
        "text: COLUMN (on the command line --text COLUMN)."
    )


def _find_label(table: "pa.Table", text: Sequence[str], place: str) -> str:
    left = [n for n in table.column_names if n not in text and n.strip().lower() not in IDS]
    found = [name for name in left if _few_values(table[name])]
    if len(found) == 1:
        return found[0]
    words = f"could be any of {', '.join(found)}" if found else "is none of its columns"
    raise InvalidData(
        f"{place}: the label {words}. Columns found: {_described(table)}. Name it with "
        "label: COLUMN (on the command line --label COLUMN)."
    )


def _may_be_text(column: "pa.ChunkedArray") -> bool:
    import pyarrow as pa

    kind = column.type
    texts = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return texts or pa.types.is_list(kind) and pa.types.is_string(kind.value_type)


def _reads_as_text(column: "pa.ChunkedArray") -> bool:
    some = column.slice(0, _LOOKED_AT).to_pylist()
    counts = [
        len(value) if isinstance(value, list) else len((value or "").split()) for value in some
    ]
    return float(np.mean(counts)) >= _WORDS_OF_A_TEXT


def _few_values(column: "pa.ChunkedArray") -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_nested(column.type):
        return True
    distinct = pc.count_distinct(column).as_py()
    return 1 < distinct <= min(MOST_CLASSES, max(2, len(column) // 2)) or pa.types.is_floating(
        column.type
    )


def _described(table: "pa.Table") -> str:
    """Return columns with a value of each."""
    first = {name: repr(table[name][0].as_py())[:30] for name in table.column_names[:12]}
    return ", ".join(f"{name} ({value})" for name, value in first.items())
