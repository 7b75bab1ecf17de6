"""Files of one's own: what is understood of them, in every format, whatever the columns are."""

import csv
import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from nas.data.own.reading import read_own_task
from nas.data.own.summary import FittingLength, summary
from nas.data.own.texts import Texts
from nas.data.preparation import prepare
from nas.data.tables import Split
from nas.data.tokenizer import train_tokenizer
from nas.evaluation.suites.own import name_of, parse_task, read_task_settings
from nas.evaluation.suites.task import Task
from search_spaces.errors import InvalidExperiment, UnknownName

MOODS = ("bad", "good", "so-so")
ROWS = [
    {"id": i, "text": f"the film number {i} was, in a word, {MOODS[i % 3]}", "label": MOODS[i % 3]}
    for i in range(60)
]


def write(path, rows, separator=","):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def read(train, **more):
    return read_own_task(read_task_settings({"train": str(train), **more}))


FORMATS = {
    "csv": lambda path: write(path, ROWS),
    "tsv": lambda path: write(path, ROWS, "\t"),
    "jsonl": lambda path: path.write_text("\n".join(map(json.dumps, ROWS))),
    "json": lambda path: path.write_text(json.dumps(ROWS)),
    "parquet": lambda path: parquet.write_table(pa.Table.from_pylist(ROWS), path),
}


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_gives_the_same(tmp_path, ending):
    path = tmp_path / f"films.{ending}"
    FORMATS[ending](path)
    own = read(path)
    task = own.data.row
    assert (task.name, task.columns, task.label, task.kind) == (
        "films",
        ("text",),
        "label",
        "classes",
    )
    assert task.labels == MOODS
    assert task.metrics == ("accuracy", "macro_f1")
    assert own.columns.others == ("id",)
    # one file: a fifth of every class is split off
    assert len(own.data.dev["dev"]) == 12
    assert np.bincount(own.data.dev["dev"].labels).tolist() == [4, 4, 4]
    assert "20% of" in own.places["dev"]
    both = [*own.data.train.first, *own.data.dev["dev"].first]
    assert sorted(both) == sorted(row["text"] for row in ROWS)


def test_the_split_follows_the_seed(tmp_path):
    settings = read_task_settings({"train": write(tmp_path / "a.csv", ROWS)})
    first, again, other = (
        list(read_own_task(settings, seed).data.dev["dev"].first) for seed in (0, 0, 1)
    )
    assert first == again != other


def test_a_saved_dataset_and_its_class_names(tmp_path):
    folder = tmp_path / "saved"
    features = {"info": {"features": {"label": {"_type": "ClassLabel", "names": list(MOODS)}}}}
    rows = [{"text": row["text"], "label": MOODS.index(row["label"])} for row in ROWS]
    table = pa.Table.from_pylist(rows).replace_schema_metadata(
        {"huggingface": json.dumps(features)}
    )
    for split in ("train", "validation", "test"):
        (folder / split).mkdir(parents=True)
        with pa.ipc.new_stream(folder / split / "data-00000-of-00001.arrow", table.schema) as file:
            file.write_table(table)
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "validation"]}')
    own = read(folder)
    assert own.data.row.labels == MOODS
    assert len(own.data.dev["dev"]) == len(own.data.train) == 60
    assert not own.data.test
    # what it calls test chooses nothing, whether there is another part to score on or not
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "validation", "test"]}')
    own = read(folder)
    assert [len(s) for s in (own.data.train, own.data.dev["dev"], own.data.test["test"])] == [
        60
    ] * 3
    assert own.places["test"].endswith("(test), scored once, at the end")
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    own = read(folder)
    assert [len(s) for s in (own.data.train, own.data.dev["dev"])] == [48, 12]
    assert len(own.data.test["test"]) == 60
    assert own.places["dev"].endswith("for it has no validation among train, test")
    bare = table.drop(["label"])
    with pa.ipc.new_stream(folder / "test" / "data-00000-of-00001.arrow", bare.schema) as file:
        file.write_table(bare)
    assert read(folder).places["test"].endswith("(test), no labels")


def test_what_is_cut_says_how_to_have_less_cut(tmp_path):
    rows = [{"text": "a word " * (10 + 3 * (i % 30)), "label": MOODS[i % 3]} for i in range(60)]
    own = read(write(tmp_path / "a.csv", rows))
    data = prepare(tasks={"a": own.data}, corpus=None, vocabulary_size=100, block_length=8,
                   max_length=64)  # fmt: skip
    (line,) = [x for x in summary(own, data, 64, own.data.train) if "lengths:" in x]
    assert line.endswith("(fewer with --set recipe.max_length=200, which takes longer)")
    (line,) = [x for x in summary(own, data, 512, own.data.train) if "lengths:" in x]
    assert line.endswith("cut after 512: 0.0%")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([10] * 100, 16),  # the least
        ([50] * 97 + [500] * 3, 128),  # 3 % are cut
        ([50] * 99 + [500], 56),  # 1 % may be
        ([400] * 100, 128),
    ],
)
def test_the_longest_sequence_follows_from_the_lengths(words, found):
    texts = [" ".join(["a"] * (count - 2)) for count in words]  # two tokens stand around
    fitting = FittingLength(128)
    split = Split(texts, None, None)
    assert fitting(train_tokenizer(texts, 64), {"t": split}) == fitting.found == found


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        (("review", "stars"), ("review",), "stars"),
        (("premise", "hypothesis", "gold_label"), ("premise", "hypothesis"), "gold_label"),
        (("Sentence1", "Sentence2", "Label"), ("Sentence1", "Sentence2"), "Label"),
        (("what they wrote", "mood"), ("what they wrote",), "mood"),
        (("id", "body", "spam?"), ("body",), "spam?"),
    ],
)
def test_columns_are_told_by_name_and_content(tmp_path, columns, text, label):
    rows = [
        {c: i if c == "id" else "yes" if c == label and i % 2 else "no" if c == label else
         f"some words about {i} things" for c in columns}
        for i in range(30)
    ]  # fmt: skip
    own = read(write(tmp_path / "a.csv", rows))
    assert (own.columns.text, own.columns.label) == (text, label)


def test_numbers_and_classes_written_as_numbers(tmp_path):
    stars = [{"text": f"words {i} and more words", "label": i % 5 + 1} for i in range(50)]
    assert read(write(tmp_path / "stars.csv", stars)).data.row.labels == tuple("12345")
    assert read(tmp_path / "stars.csv", kind="number").data.row.kind == "number"
    prices = [{"text": f"words {i} and more words", "label": i * 1.5} for i in range(50)]
    own = read(write(tmp_path / "prices.csv", prices))
    assert own.data.row.kind == "number"
    assert own.data.row.metrics == ("pearson", "spearman")
    assert own.data.train.labels.dtype == np.float32


def test_semicolons_quotes_line_breaks_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "sheet.csv"
    text = "\ufefftext;label\n" + "".join(
        f'"one; two\nand ""three"" {i}";{"a" if i % 2 else "b"}\n' for i in range(20)
    )
    path.write_text(text, encoding="utf-8")
    own = read(path)
    assert 'one; two\nand "three" 1' in {*own.data.train.first, *own.data.dev["dev"].first}


def test_the_same_text_in_both_parts_is_counted(tmp_path):
    train, dev = write(tmp_path / "a.csv", ROWS), write(tmp_path / "b.csv", ROWS[:5])
    own = read(train, dev=dev)
    assert own.warnings[0].startswith("Warning: 5 of 5 texts of dev")


def test_names_of_tasks(tmp_path):
    assert name_of("x/Reviews-2024.csv") == "reviews_2024"
    assert name_of("reuters-r8/train.csv") == "reuters_r8"
    assert name_of("sst2.tsv") == "own_sst2"
    assert name_of("2024.csv") == "task_2024"
    assert parse_task("mine=a.csv, b.csv").files == {"train": "a.csv", "dev": "b.csv"}
    assert parse_task("/x=1/a.csv").name == "a"
    for wrong in ("", "a=", "a.csv,", "a,b,c,d", "Mine=a.csv", "cola=a.csv", "score=a.csv"):
        with pytest.raises(InvalidExperiment):
            parse_task(wrong)
    with pytest.raises(InvalidExperiment, match="Did you mean 'label'"):
        read_task_settings({"train": "a.csv", "lable": "x"})


def test_metrics_are_chosen_within_the_kind(tmp_path):
    path = write(tmp_path / "a.csv", ROWS)
    assert read(path, metrics=["auc"]).data.row.metrics == ("auc",)
    with pytest.raises(InvalidExperiment, match="'pearson' .* does not go with classes"):
        read(path, metrics=["pearson"])
    with pytest.raises(InvalidExperiment, match="no such metric"):
        read(path, metrics=["acuracy"])
    with pytest.raises(UnknownName, match="Did you mean 'label'"):
        read(path, label="lable")


def test_a_task_survives_its_file():
    task = Task(
        name="a", folder="", columns=("x", "y"), label="z", labels=("1", "2"),
        metrics=("accuracy",), source="f", test={}, own=True, kind="classes", language="ne",
    )  # fmt: skip
    again = Task.from_dict(json.loads(json.dumps(task.to_dict())))
    assert again.to_dict() == task.to_dict()
    assert again.own
    assert again.labels == ("1", "2")
    for change in ({"labels": 3}, {"columns": []}, {"more": 1}):
        with pytest.raises(ValueError):  # noqa: PT011
            Task.from_dict({**task.to_dict(), **change})


def test_texts_that_stand_in_others_are_found_as_by_sets():
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(40)]
    column = pa.chunked_array([rng.choice(words, 30).tolist(), rng.choice(words, 50).tolist()])
    for mine, theirs in ((np.arange(20), np.arange(20, 80)), (rng.permutation(80)[:30], None)):
        here, other = Texts([column], mine), Texts([column], theirs)
        known = set(other)
        assert here.found_in(other).tolist() == [text in known for text in here]
    large = Texts([column.cast(pa.large_string())])
    assert Texts([column], np.arange(5)).found_in(large).all()
    assert not Texts([pa.chunked_array([["x"]])]).found_in(large).any()
