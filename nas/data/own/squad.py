"""The JSON files of SQuAD 1.1 and 2 as tables, a row a question.

Source: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP
2016; Rajpurkar et al., "Know What You Don't Know: Unanswerable Questions for SQuAD", ACL 2018
(questions without an answer).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa

_LARGEST = 1 << 31


def is_squad(document: object) -> bool:
    """Whether a JSON document has the form of SQuAD's files: articles with paragraphs."""
    data = document.get("data") if isinstance(document, dict) else None
    return isinstance(data, list) and all(
        isinstance(article, dict) and "paragraphs" in article for article in data
    )


def squad_table(document: Mapping[str, Any], path: Path) -> "pa.Table":
    """Return id, question, context and answers of every question of a document.

    Args:
        document: As `is_squad` knows it.
        path: Where it is from.

    Raises:
        InvalidData: Something of it is missing or of another type; the message names the place.
    """
    import pyarrow as pa

    answers = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))])
    fields = [("id", pa.string()), ("question", pa.string()), ("context", pa.string())]
    schema = pa.schema([*fields, ("answers", answers)])
    rows = list(_rows(document, path))
    # the text of a paragraph is said once for all of its questions
    return pa.Table.from_pylist(rows, schema=schema)


def _rows(document: Mapping[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    number = 0
    for title, article in enumerate(document["data"], 1):
        for place, paragraph in enumerate(
            _list(article, "paragraphs", path, f"article {title}"), 1
        ):
            where = f"article {title}, paragraph {place}"
            context = _value(paragraph, "context", str, path, where)
            for asked, entry in enumerate(_list(paragraph, "qas", path, where), 1):
                number += 1
                where_asked = f"{where}, question {asked}"
                found = []
                if not (isinstance(entry, dict) and entry.get("is_impossible")):
                    found = _list(entry, "answers", path, where_asked)
                yield {
                    "id": str(entry.get("id", number)),
                    "question": _value(entry, "question", str, path, where_asked),
                    "context": context,
                    "answers": {
                        "text": [_value(a, "text", str, path, where_asked) for a in found],
                        "answer_start": [
                            _value(a, "answer_start", int, path, where_asked) for a in found
                        ],
                    },
                }


def _list(holder: object, name: str, path: Path, where: str) -> list[Any]:
    return _value(holder, name, list, path, where)


def _value(holder: object, name: str, kind: type, path: Path, where: str) -> Any:
    found = holder.get(name) if isinstance(holder, dict) else None
    if type(found) is not kind or (kind is int and abs(found) >= _LARGEST):
        wanted = {str: "a text", int: "a whole number", list: "a list"}[kind]
        raise InvalidData(
            f"{path}, {where}: {name!r} is {found!r:.60}, and SQuAD's files have {wanted} there. "
            "Correct it, or delete the question."
        )
    return found
