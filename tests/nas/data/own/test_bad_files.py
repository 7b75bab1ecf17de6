"""Each thing that can be wrong with a file is one message: file, row, what is there, what to do."""

import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from nas.data.own.formats import read_table
from nas.data.own.labels import kind_of
from nas.data.own.reading import read_own_task
from nas.evaluation.suites.own import read_task_settings
from search_spaces.errors import InvalidData

GOOD = [(f"a text of {i} words", "yes" if i % 2 else "no") for i in range(20)]


def table(rows, names=("text", "label")):
    lines = [",".join(names), *(",".join(map(str, row)) for row in rows)]
    return "\n".join(lines) + "\n"


def lines(rows):
    return "\n".join(json.dumps({"text": text, "label": label}) for text, label in rows)


def replaced(row, text=None, label=None):
    rows = list(GOOD)
    rows[row] = (
        text if text is not None else rows[row][0],
        rows[row][1] if label is None else label,
    )
    return rows


NUMBERS = [(text, f"{i}.5") for i, (text, _) in enumerate(GOOD)]
CASES = {
    "no text column": (
        "a.csv", table([(i, i % 2) for i in range(20)], ("id", "label")),
        r"a\.csv has no column with text. Columns found: id \('0'\).*--text COLUMN",
    ),
    "two candidates": (
        "a.csv", table([("a text of words", "another text of words", i % 2) for i in range(20)],
                       ("title", "what", "label")),
        r"2 columns that could be the text: title, what\..*--text title,what",
    ),
    "two labels": (
        "a.csv", table([("a text of words", i % 2, i % 3) for i in range(20)], ("text", "p", "q")),
        r"the label could be any of p, q\..*--label COLUMN",
    ),
    "labels all distinct": (
        "a.csv", table([(text, f"x{i}") for i, (text, _) in enumerate(GOOD)]),
        r"'label' has 20 different labels in 20 rows, such as 'x0'.*--label COLUMN",
    ),
    "one class": ("a.csv", table([(t, "yes") for t, _ in GOOD]), "every label .* is 'yes'"),
    "an empty text": ("a.csv", table(replaced(6, text=" ")), r"row 7: the text .* is empty"),
    "a NaN label": ("a.csv", table(replaced(6, label="NaN")), r"row 7: no label"),
    "a null label": ("a.jsonl", lines([*GOOD, ("more words", None)]), r"line 21: no label"),
    "mixed types": (
        "a.jsonl", lines([*GOOD, ("more words", 3)]),
        r"line 21: 'label' is a number \(3\), and a text in line 1",
    ),
    "words among numbers": (
        "a.csv", table([*NUMBERS, ("more words", "high")]),
        r"row 21: 'high' in column 'label' is no number, and 20 of 21 labels are.*kind: classes",
    ),
    "an infinite number": (
        "a.csv", table([*NUMBERS, ("more words", "inf")]), r"row 21: 'inf' .* is no number",
    ),
    "an id twice": (
        "a.csv", table([(i % 19, *row) for i, row in enumerate(GOOD)], ("id", "text", "label")),
        r"row 20: the id '0' stands in row 1, too",
    ),
    "too many columns": (
        "a.csv", table([*GOOD, ("one, two", "yes", "x")]), r"row 21: 4 columns, expected 2",
    ),
    "a column twice": ("a.csv", table(GOOD, ("text", "text")), "two columns called 'text'"),
    "a nameless column": ("a.csv", table(GOOD, ("text", "")), "names a column with nothing"),
    "no row": ("a.csv", "text,label\n", "has no examples"),
    "nothing": ("a.csv", "", "is empty"),
    "no UTF-8": ("a.csv", b"text,label\n" + b"caf\xe9 is here,yes\n", "line 2 is not UTF-8"),
    "no text at all": ("a.csv", b"\0\1\2", "NUL"),
    "no JSON": ("a.jsonl", lines(GOOD) + "\n{", r"line 21: no JSON"),
    "half of a character": (
        "a.jsonl", lines(GOOD) + '\n{"text": "so \\ud83d it is", "label": "yes"}',
        "line 21: a text has half of a character",
    ),
    "half of a character in a document": (
        "a.json", '[{"text": "so \\ud83d it is", "label": "yes"}]', "text has half of a character",
    ),
    "no Parquet": ("a.parquet", "hello", "no Parquet file"),
    "another ending": ("a.docx", "hello", r"the ending '\.docx'"),
    "few rows": ("a.csv", table(GOOD[:5]), "has 5 examples"),
    "a list for text": (
        "a.jsonl", "\n".join(json.dumps({"text": ["a", "b"], "label": i % 2}) for i in range(20)),
        "the text column 'text' holds list",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_is_one_message(tmp_path, case):
    name, content, message = CASES[case]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidData, match=message):
        read_own_task(read_task_settings({"train": str(path)}))


def test_a_dev_file_has_the_columns_and_labels_of_training(tmp_path):
    train, dev = tmp_path / "train.csv", tmp_path / "dev.csv"
    train.write_text(table(GOOD))
    settings = read_task_settings({"train": str(train), "dev": str(dev)})
    with pytest.raises(InvalidData, match=r"dev\.csv does not exist. Files found beside it: train"):
        read_own_task(settings)
    dev.write_text(table(replaced(3, label="maybe")))
    with pytest.raises(InvalidData, match=r"dev\.csv, row 4: the label 'maybe' .* \(no, yes\)"):
        read_own_task(settings)
    dev.write_text(table(GOOD, ("body", "label")))
    with pytest.raises(InvalidData, match=r"dev\.csv has no column 'text', which the training"):
        read_own_task(settings)


def test_a_name_that_is_longer_than_any_is_no_name_of_a_column(tmp_path):
    (tmp_path / "a.csv").write_text(f"text,{'x' * 200_000}\na,b\n")
    with pytest.raises(InvalidData, match="the first line is none of names of columns"):
        read_table(str(tmp_path / "a.csv"))


def test_names_inside_json_columns_that_are_no_utf8(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": [{"caf\xe9": 1}], "text": "one two", "label": "x"}\n' * 4)
    with pytest.raises(InvalidData, match="line 1: no JSON .*can't decode byte 0xe9"):
        read_table(str(path))


def test_labels_that_are_structures(tmp_path):
    column = pa.chunked_array([pa.array([{"a": 1}, {"a": 2}])])
    with pytest.raises(InvalidData, match=r"of the type struct<a: int64>.*label: COLUMN"):
        kind_of(pa.chunked_array([["one", "two"]]), column)


def test_texts_in_parquet_that_are_no_utf8(tmp_path):
    column = pa.array([b"a film", b"\xff film"], pa.binary()).view(pa.string())
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": column, "label": ["no", "yes"]}), path)
    with pytest.raises(InvalidData, match="no Parquet file that can be read: .*UTF8"):
        read_table(str(path))


def test_parts_of_a_saved_dataset_that_do_not_go_together(tmp_path):
    for number, table in enumerate((pa.table({"text": ["a"]}), pa.table({"text": [1]}))):
        with pa.ipc.new_stream(tmp_path / f"data-{number}.arrow", table.schema) as file:
            file.write_table(table)
    with pytest.raises(InvalidData, match=r"data-1\.arrow cannot be read"):
        read_table(str(tmp_path))


CLASSES = {"names": ["no", "yes"], "_type": "ClassLabel"}


@pytest.mark.parametrize(
    "features",
    [
        [CLASSES], "x", {"text": CLASSES}, {"label": {"feature": CLASSES}}, {"gone": CLASSES},
        {"label": {**CLASSES, "names": 5}}, {"label": {**CLASSES, "names": [1, []]}},
    ],
    ids=str,
)  # fmt: skip
def test_odd_notes_about_columns_change_nothing(tmp_path, features):
    noted = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"text": ["a", "b"], "label": [0, 1]})
    parquet.write_table(table.replace_schema_metadata(noted), tmp_path / "a.parquet")
    assert read_table(str(tmp_path / "a.parquet")).to_pylist() == table.to_pylist()


@pytest.mark.parametrize(
    "questions", [["x"], [None], [{"answers": [None]}], [{"question": "q"}]], ids=str
)
def test_passages_with_odd_questions_are_no_traceback(tmp_path, questions):
    row = json.dumps({"passage": {"text": "a film", "questions": questions}})
    (tmp_path / "a.jsonl").write_text(row + "\n")
    names = set(read_table(str(tmp_path / "a.jsonl")).column_names)
    assert names <= {"id", "passage", "question", "answer", "passage.text", "passage.questions"}
