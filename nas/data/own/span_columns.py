"""Which columns of a table have questions about texts, with the answers and where they begin."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from nas.evaluation.suites.own import TaskSettings
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa

KIND = "span"
_QUESTIONS = ("question", "query")
_TEXTS = ("context", "passage", "paragraph", "document", "article", "text")
_ANSWERS = ("answers", "answer", "answer_text", "answer_span")
_STARTS = ("answer_start", "start", "start_char", "answer_offset", "answer_begin")


class SpanColumns(NamedTuple):
    """The columns of questions about texts.

    Attributes:
        text: That of the questions, then that of the texts.
        label: That of the answers.
        start: That of the first character of each answer; "" where the answers say it, or nobody.
    """

    text: tuple[str, str]
    label: str
    start: str


def find_spans(table: "pa.Table", settings: TaskSettings, place: str) -> SpanColumns | None:
    """Return the columns of questions about texts; None where this is another kind of task.

    Where the kind is not said it is one if the answers say where they stand.

    Raises:
        InvalidData: It is said to be one, and a column is missing.
    """
    if settings.kind not in (None, KIND) or settings.choices:
        return None
    lower = {name.strip().lower(): name for name in table.column_names}

    def named(known: Sequence[str]) -> str | None:
        return next((lower[name] for name in known if name in lower), None)

    question, text = (
        settings.text if len(settings.text) == 2 else (named(_QUESTIONS), named(_TEXTS))
    )
    label = settings.label or named(_ANSWERS)
    start = settings.start or named(_STARTS) or ""
    if label is not None and with_places(table[label]):
        start = ""
    elif settings.kind is None and not start:
        return None
    if question and text and label and len({question, text, label, start}) == 4:
        return SpanColumns((question, text), label, start)
    if settings.kind is None and not settings.start:
        return None
    raise InvalidData(
        f"{place} has no questions about texts. Columns found: {', '.join(table.column_names)}. "
        "Give question, context, answer and answer_start, or name them with text: [QUESTION, "
        "CONTEXT], label: ANSWER and start: START."
    )


def with_places(column: "pa.ChunkedArray") -> bool:
    """Whether each row has answers with their starts: lists in one value, or a list of both."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_list(kind):
        kind = kind.value_type
    return pa.types.is_struct(kind) and {"text", "answer_start"} <= {f.name for f in kind}
