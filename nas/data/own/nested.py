"""Tables whose cells have columns of their own, made plain: one column each, or a row each.

Sources: Khashabi et al., "Looking Beyond the Surface: A Challenge Set for Reading Comprehension
over Multiple Sentences", NAACL 2018 (MultiRC: passages with questions with answers).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nas.data.own.span_columns import with_places

if TYPE_CHECKING:
    import pyarrow as pa

_PASSAGE = "passage"


def plain_columns(table: "pa.Table") -> "pa.Table":
    """Return a table without columns in columns: "target.span1_text" is of the column "target".

    Answers with their places stay as they are. MultiRC's passages become a row an answer, with id,
    passage, question, answer and, where it is known, label.
    """
    import pyarrow as pa

    if _PASSAGE in table.column_names and _has_questions(table[_PASSAGE]):
        return pa.Table.from_pylist(list(_answers(table[_PASSAGE].to_pylist())))
    names, columns = [], []
    for name in table.column_names:
        column = table[name]
        if not pa.types.is_struct(column.type) or with_places(column):
            names.append(name)
            columns.append(column)
            continue
        inner = pa.table({name: column}).flatten()
        names += inner.column_names
        columns += inner.columns
    return pa.table(columns, names=names) if len(names) > len(table.column_names) else table


def _has_questions(column: "pa.ChunkedArray") -> bool:
    fields = _fields(column.type)
    asked = _fields(_entry(fields.get("questions")))
    return "text" in fields and bool(_fields(_entry(asked.get("answers"))))


def _fields(kind: "pa.DataType | None") -> dict[str, "pa.DataType"]:
    """Return the columns that cells of a type have; none of another type."""
    import pyarrow as pa

    return {f.name: f.type for f in kind} if kind and pa.types.is_struct(kind) else {}


def _entry(kind: "pa.DataType | None") -> "pa.DataType | None":
    """Return the type of the entries of lists; None of another type."""
    import pyarrow as pa

    return kind.value_type if kind and pa.types.is_list(kind) else None


def _answers(passages: list[Any]) -> Iterator[dict[str, Any]]:
    for place, passage in enumerate(passages):
        for asked, question in enumerate((passage or {}).get("questions") or ()):
            for number, given in enumerate((question or {}).get("answers") or ()):
                answer = given or {}
                label = answer.get("label")
                yield {
                    "id": f"{place}-{asked}-{number}",
                    "passage": passage["text"],
                    "question": question.get("question"),
                    "answer": answer.get("text"),
                    **({} if label is None else {"label": label}),
                }
