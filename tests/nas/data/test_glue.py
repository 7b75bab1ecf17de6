"""Readers of the official files: their quirks, their real sizes, and every message."""

import os
from pathlib import Path

import numpy as np
import pytest

from nas.data.glue import available_tasks, read_split, read_task
from nas.evaluation.suites.glue import GLUE
from search_spaces.errors import InvalidData, UnknownName

REAL = Path(os.environ.get("NAS_DATA", Path(__file__).parents[4] / "shared" / "data")) / "glue"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="no GLUE files here; set NAS_DATA")

ROWS = {
    "CoLA": (8551, 1043),
    "SST-2": (67349, 872),
    "MRPC": (3668, 408),
    "STS-B": (5749, 1500),
    "RTE": (2490, 277),
    "WNLI": (635, 71),
}


STSB_COLUMNS = [
    *("index", "genre", "filename", "year", "old_index"),
    *("source1", "source2", "sentence1", "sentence2", "score"),
]


def write(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.fixture
def rte(tmp_path):
    header = "index\tsentence1\tsentence2\tlabel\n"
    rows = '0\tA "cat" sat.\tIt sat.\tentailment\n1\tNo.\tYes.\tnot_entailment\r\n'
    for file in ("train.tsv", "dev.tsv"):
        write(tmp_path / "RTE", file, header + rows)
    return tmp_path


def test_a_pair_task_is_read_without_quote_handling(rte):
    data = read_task(rte, "rte")
    assert data.train.first == ['A "cat" sat.', "No."]
    assert data.train.second == ["It sat.", "Yes."]
    labels = GLUE["rte"].labels
    assert [labels[i] for i in data.dev["dev"].labels] == ["entailment", "not_entailment"]


def test_mrpc_begins_with_a_byte_order_mark_and_cola_has_no_header(tmp_path):
    text = "﻿Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tAn A.\tA B.\n"
    path = write(tmp_path, "mrpc.tsv", text)
    assert read_split(path, GLUE["mrpc"]).first == ["An A."]
    path = write(tmp_path, "cola.tsv", "gj04\t0\t*\tCats the sat.\ngj04\t1\t\tCats sat.\n")
    split = read_split(path, GLUE["cola"])
    assert split.first == ["Cats the sat.", "Cats sat."]
    assert split.second is None
    assert split.labels.tolist() == [0, 1]


def test_a_line_separator_inside_a_sentence_ends_no_row(tmp_path):
    path = write(tmp_path, "sst.tsv", "sentence\tlabel\nodd\u2028break\t1\n")
    assert read_split(path, GLUE["sst2"]).first == ["odd\u2028break"]


def test_regression_labels_are_numbers(tmp_path):
    row = "\t".join(["0"] * 7 + ["a", "b", "3.500"])
    path = write(tmp_path, "sts.tsv", "\t".join(STSB_COLUMNS) + "\n" + row + "\n")
    assert read_split(path, GLUE["stsb"]).labels.tolist() == [3.5]


def test_folders_may_be_spelt_differently(rte):
    (rte / "RTE").rename(rte / "rte")
    assert available_tasks(rte) == ["rte"]
    assert len(read_task(rte, "RTE").train) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"train.tsv is empty"),
        ("index\tsentence1\tsentence2\tlabel\n", r"train.tsv has no examples"),
        ("index\tsentence1\tlabel\n0\ta\tentailment\n", r"no column 'sentence2'. Columns found: i"),
        (
            "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\ta\tentailment\n",
            r"train.tsv, line 3: 3 columns, expected 4",
        ),
        (
            "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tmaybe\n",
            r"line 2: label 'maybe' in column 'label' is not allowed. Allowed: .*entailment",
        ),
    ],
)
def test_a_malformed_file_is_named_with_its_line(rte, text, message):
    write(rte / "RTE", "train.tsv", text)
    with pytest.raises(InvalidData, match=message):
        read_task(rte, "rte")


def test_what_is_missing_is_named(rte, tmp_path):
    with pytest.raises(InvalidData, match="does not exist. Give the folder that holds CoLA"):
        read_task(tmp_path / "nothing", "rte")
    with pytest.raises(InvalidData, match="Task 'cola' needs the folder .*Folders found: RTE"):
        read_task(rte, "cola")
    (rte / "RTE" / "dev.tsv").unlink()
    with pytest.raises(InvalidData, match=r"dev.tsv does not exist. Files found beside it: train"):
        read_task(rte, "rte")
    with pytest.raises(InvalidData, match="is a file, not a directory"):
        available_tasks(write(tmp_path, "file", "x"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidData, match="holds no GLUE task. It needs a folder such as CoLA"):
        available_tasks(tmp_path / "empty")
    with pytest.raises(UnknownName, match="'rta'. Did you mean 'rte'"):
        read_task(rte, "rta")


def test_bytes_that_are_no_text_are_placed(rte):
    (rte / "RTE" / "train.tsv").write_bytes(b"index\tsentence1\n\xff\xfe")
    with pytest.raises(InvalidData, match=r"train.tsv, line 2: not UTF-8 text"):
        read_task(rte, "rte")


def test_a_number_out_of_range_is_refused(tmp_path):
    for bad in ("7.0", "high", "nan"):
        row = "\t".join(["0"] * 7 + ["a", "b", bad])
        path = write(tmp_path, "sts.tsv", "\t".join(STSB_COLUMNS) + "\n" + row + "\n")
        with pytest.raises(InvalidData, match=f"label '{bad}'.*numbers from 0"):
            read_split(path, GLUE["stsb"])


@needs_real
@pytest.mark.parametrize("folder", sorted(ROWS))
def test_real_files_have_the_official_number_of_rows(folder):
    data = read_task(REAL, folder)
    (dev,) = data.dev.values()
    assert (len(data.train), len(dev)) == ROWS[folder]
    assert np.isfinite(data.train.labels).all()
    assert all(text for text in dev.first)


@needs_real
def test_real_mnli_has_two_development_sets_and_three_labels():
    data = read_task(REAL, "mnli")
    assert set(data.dev) == {"matched", "mismatched"}
    assert set(data.train.labels.tolist()) == {0, 1, 2}
    assert len(data.dev["matched"]) == 9815


@needs_real
def test_real_test_files_have_no_labels():
    data = read_task(REAL, "rte", test=True)
    assert data.test["test"].labels is None
    assert len(data.test["test"]) == 3000


def test_broken_rows_are_skipped_in_training_data_alone(tmp_path):
    header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
    whole, broken = "1\t2\t3\ta\tb\t0\n", "1\t2\t3\ta broken\n"
    write(tmp_path / "QQP", "train.tsv", header + broken + whole)
    write(tmp_path / "QQP", "dev.tsv", header + whole)
    assert len(read_task(tmp_path, "qqp").train) == 1
    write(tmp_path / "QQP", "dev.tsv", header + whole + broken)
    with pytest.raises(InvalidData, match=r"dev.tsv, line 3: 4 columns, expected 6"):
        read_task(tmp_path, "qqp")
    write(tmp_path / "QQP", "dev.tsv", header + whole)
    write(tmp_path / "QQP", "test.tsv", "id\tquestion1\tquestion2\n0\ta\tb\n1\ta broken\n")
    with pytest.raises(InvalidData, match=r"test.tsv, line 3: 2 columns, expected 3"):
        read_task(tmp_path, "qqp", test=True)


def test_a_nul_is_no_text(rte):
    (rte / "RTE" / "dev.tsv").write_bytes(b"index\tsentence1\tsentence2\tlabel\n0\ta\0\tb\tx\n")
    with pytest.raises(InvalidData, match=r"dev.tsv, line 2: a NUL character"):
        read_task(rte, "rte")
