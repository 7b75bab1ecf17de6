"""Which columns of a table have answers to choose among, and which say to what."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas.evaluation.suites.own import TaskSettings
from search_spaces.errors import InvalidData, InvalidExperiment

if TYPE_CHECKING:
    import pyarrow as pa

KIND = "choice"
# What people call a column with a list of answers, and columns with an answer each.
_LISTS = ("choices", "options", "endings", "alternatives", "candidates", "answers")
_ONE_EACH = re.compile(
    r"(choice|option|answer|ending|sol|solution|alternative|candidate|hyp|hypothesis)"
    r"[_ ]?([0-9]|[a-f])"
)
# What is asked, all of it that is there; and what says which answer is right.
QUESTIONS = (
    "context", "passage", "article", "story", "premise", "text", "sentence", "ctx", "question",
    "question_stem", "stem", "goal", "prompt", "query", "startphrase", "beginning",
)  # fmt: skip
RIGHT = (
    "answer", "answerkey", "answer_key", "correct", "correct_answer", "right", "gold",
    "answer_idx", "answer_index", "solution",
)  # fmt: skip


def find_choices(table: "pa.Table", settings: TaskSettings, place: str) -> tuple[str, ...]:
    """Return the columns with the answers of a choice; none where this is no choice.

    Raises:
        InvalidData: It is said to be a choice, and no column has answers.
        InvalidExperiment: Columns of answers are named for another kind of task.
    """
    if settings.choices:
        if settings.kind not in (None, KIND):
            raise InvalidExperiment(
                f"The task {settings.name!r} is of the kind {settings.kind!r} and names columns of "
                f"answers ({', '.join(settings.choices)}). Leave choices out, or write kind: "
                f"{KIND}."
            )
        return settings.choices
    if settings.kind not in (None, KIND):
        return ()
    taken = {*settings.text, settings.label}
    lower = {n.strip().lower(): n for n in table.column_names if n not in taken}
    for name in _LISTS:
        if name in lower and is_list(table[lower[name]]):
            return (lower[name],)
    stems: dict[str, list[str]] = {}
    for short, name in lower.items():
        found = _ONE_EACH.fullmatch(short)
        if found and _is_text(table[name]):
            stems.setdefault(found.group(1), []).append(name)
    most = max(stems.values(), key=len, default=[])
    if len(most) > 1:
        return tuple(sorted(most, key=str.lower))
    if settings.kind == KIND:
        raise InvalidData(
            f"{place} has no answers to choose among. Columns found: "
            f"{', '.join(table.column_names)}. Give columns such as choice1 and choice2, or name "
            "them with choices: [COLUMN, COLUMN] (on the command line --choices COLUMN,COLUMN)."
        )
    return ()


def find_question(table: "pa.Table", left: Sequence[str], place: str) -> tuple[str, ...]:
    """Return the columns of what is asked: those with a usual name, in the order of the file.

    Args:
        table: The file.
        left: Columns that are no answers and no label.
        place: What the file is called.

    Raises:
        InvalidData: None has such a name.
    """
    found = [name for name in left if name.strip().lower() in QUESTIONS and _is_text(table[name])]
    if not found:
        raise InvalidData(
            f"{place} has answers to choose among, and no column says to what. Columns left: "
            f"{', '.join(left) or 'none'}. Name it with text: COLUMN (on the command line --text "
            "COLUMN)."
        )
    return tuple(found)


def _is_text(column: "pa.ChunkedArray") -> bool:
    import pyarrow as pa

    return pa.types.is_string(column.type) or pa.types.is_large_string(column.type)


def is_list(column: "pa.ChunkedArray") -> bool:
    """Whether a column holds lists of texts."""
    import pyarrow as pa

    return pa.types.is_list(column.type) and pa.types.is_string(column.type.value_type)
