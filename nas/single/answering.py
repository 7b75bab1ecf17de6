"""Answers to a file of examples, as a table: a label, how sure it is, and the columns that came."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.data.own.columns import find_texts
from nas.data.own.formats import is_table, read_table, row_word
from nas.data.own.reading import choice_split
from nas.data.own.spans import span_split
from nas.data.own.text_columns import text_column, words_column
from nas.data.own.texts import Texts
from nas.data.sentences import read_sentences
from nas.data.tables import Split
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task
from nas.single.exported import ExportedModel, answer_surely
from nas.training.recipe import Recipe
from nas.zoo.configuration import read_config
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa

LABEL, ANSWER, PROBABILITY, START = "label", "answer", "probability", "start"


def answers_text(model: ExportedModel, task: Task, file: Path, recipe: Recipe) -> str:
    """Return the answers to the rows of `file` as CSV text, in their order.

    Columns of the file stay as they are; those of the answers are called "label" and, of classes,
    "probability", with "predicted_" before it where the file has a column of that name. Of a choice
    among answers, "answer" is the text of the chosen one; of spans it is the words of the text, ""
    for no answer, and "start" their first character.

    Args:
        model: Who answers.
        task: What is asked.
        file: A table with the task's text columns, or text with an example a line.
        recipe: How long sequences are.

    Raises:
        InvalidData: The file cannot be read, or lacks a text column.
    """
    table = read_table(str(file)) if is_table(file) else None
    sentences = _lines(file, task) if table is None else _sentences(table, task, file)
    answers, sure = answer_surely(model, task, sentences, recipe)
    kept = _columns(sentences, task) if table is None else _kept(table)
    if sentences.answers is not None:
        found = {
            ANSWER: [span.text for span in answers],
            START: ["" if span.start < 0 else span.start for span in answers],
        }
    elif sentences.words:
        found = {LABEL: _word_labels(model, task, sentences, answers, recipe)}
    else:
        found = {LABEL: _texts(model, task, answers)}
    if sentences.choices is not None:
        found[ANSWER] = [
            many[int(number)] for many, number in zip(sentences.choices, answers, strict=True)
        ]
    if sure is not None and not sentences.words:
        found[PROBABILITY] = list(TASK_KINDS[task.kind].sure_texts(answers, sure))
    for name, values in found.items():
        kept[f"predicted_{name}" if name in kept else name] = values
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(kept)
    writer.writerows(zip(*kept.values(), strict=True))
    return text.getvalue()


def _word_labels(
    model: ExportedModel, task: Task, sentences: Split, answers: np.ndarray, recipe: Recipe
) -> list[str]:
    """Return the labels of the words of each text; a word that was cut off has the usual one."""
    usual = "O" if "O" in task.labels else task.labels[0]
    _, places = model.tokenizer.encode_words(sentences.first, max_length=recipe.max_length)
    counts = [len(words) for words in sentences.first]
    labels = np.full(sum(counts), usual, dtype=object)
    begins = places >= 0
    labels[places[begins]] = [task.labels[int(number)] for number in answers[begins]]
    ends = np.cumsum(counts)
    return [" ".join(labels[end - n : end]) for n, end in zip(counts, ends, strict=True)]


def _sentences(table: "pa.Table", task: Task, file: Path) -> Split:
    if task.kind == "words":
        (name,) = find_texts(table, task.columns[:1], str(file))
        words = words_column(table[name], name, str(file), row_word(str(file)))
        return Split(Texts([words]), None, None, words=True)
    names = find_texts(table, (*task.columns, *task.choices), str(file))
    if task.kind == "span":
        unlabelled = table.select(list(task.columns))  # nobody is asked whether answers are right
        return span_split(unlabelled, task, str(file), row_word(str(file)))
    if task.choices:
        return choice_split(table, task, str(file))
    columns = [text_column(table[name], name, str(file), row_word(str(file))) for name in names]
    return Split(Texts(columns[:1]), Texts(columns[1:]) if len(columns) > 1 else None, None)


def _kept(table: "pa.Table") -> dict[str, Sequence[object]]:
    return {name: [_cell(v) for v in table[name].to_pylist()] for name in table.column_names}


def _cell(value: object) -> object:
    """Return a value as a cell of CSV has it."""
    nested = (
        isinstance(value, dict)
        or isinstance(value, list)
        and value[:1]
        and isinstance(value[0], dict)
    )
    if nested:
        return json.dumps(value, ensure_ascii=False)
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _lines(file: Path, task: Task) -> Split:
    if task.choices or task.kind == "span":
        raise InvalidData(
            f"{file} is no table, and {task.name} needs the columns "
            f"{', '.join((*task.columns, *task.choices))}. Give CSV, JSON lines or Parquet with "
            "them."
        )
    found = read_sentences(file, task)
    if task.kind != "words":
        return found
    return Split([text.split() for text in found.first], None, None, words=True)


def _columns(sentences: Split, task: Task) -> dict[str, Sequence[object]]:
    """Return lines of text as the columns that the task calls them."""
    if sentences.words:
        return {task.columns[0]: [" ".join(words) for words in sentences.first]}
    texts = [sentences.first, *([] if sentences.second is None else [sentences.second])]
    return dict(zip(task.columns, texts, strict=False))


def _texts(model: ExportedModel, task: Task, answers: np.ndarray) -> Sequence[str]:
    """Return answers in the words that the model's configuration has for its classes."""
    if task.own or task.is_regression:
        return TASK_KINDS[task.kind].texts(task, answers)
    names = read_config(model.folder / task.name).id2label
    return [names[int(number)] for number in answers]
