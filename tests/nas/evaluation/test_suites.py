"""Suites of files: every row can be read, names become files, and what is missing is said."""

import json
import os
from pathlib import Path

import pytest

from nas.config import make_experiment
from nas.data.own.reading import read_own_task
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.files import in_folder
from nas.evaluation.suites.glue import GLUE
from nas.evaluation.suites.named import SUITES
from search_spaces.errors import InvalidData, InvalidExperiment, NasError, UnknownName

SHARED = Path(os.environ.get("NAS_DATA", Path(__file__).parents[4] / "shared" / "data"))
ROWS = [(suite, task) for suite in SUITES.values() for task in suite.tasks]

CB = [
    {"premise": "He may have left.", "hypothesis": "he left", "label": "neutral", "idx": 0},
    {"premise": "She knows he left.", "hypothesis": "he left", "label": "entailment", "idx": 1},
    {"premise": "He did not leave.", "hypothesis": "he left", "label": "contradiction", "idx": 2},
]
DOUBLED = [{**row, "premise": f"So: {row['premise']}", "idx": row["idx"] + 3} for row in CB]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def superglue(tmp_path):
    for part in ("train", "val"):
        write(tmp_path / "CB" / f"{part}.jsonl", [*CB, *DOUBLED])
    return tmp_path


def make(data, **settings):
    return make_experiment({"data": str(data), **settings})


@pytest.mark.parametrize(("suite", "task"), ROWS, ids=[task.name for _, task in ROWS])
def test_every_row_names_a_kind_metrics_that_go_with_it_and_its_source(suite, task):
    assert set(task.metrics) <= set(TASK_KINDS[task.kind].allowed)
    assert task.name not in GLUE
    assert task.name not in SUITES
    assert len(task.source) > 20
    assert len(suite.source) > 20


def test_a_task_by_name_is_its_files_with_the_official_columns_and_metrics(superglue):
    (task,) = make(superglue, tasks="CB").tasks
    assert task.train == str(superglue / "CB" / "train.jsonl")
    assert task.metrics == ("accuracy", "macro_f1")
    found = read_own_task(task).data
    assert found.row.labels == ("contradiction", "entailment", "neutral")
    assert list(found.dev["dev"].second) == ["he left"] * 6


def test_a_folder_without_tasks_named_gives_what_of_its_suite_is_there(superglue):
    plan = make(superglue)
    assert plan.task_names == ("cb",)
    assert plan.objectives == {"score": "max", "parameters": "min", "latency_ms": "min"}
    assert plan == make(superglue, tasks="superglue") == make(superglue, tasks=["cb"])


def test_what_an_experiment_says_is_read_again_where_the_folder_is_gone(superglue):
    plan = make(superglue, tasks="cb")
    for file in (superglue / "CB").iterdir():
        file.unlink()
    (superglue / "CB").rmdir()
    assert make_experiment(plan.model_dump(mode="json")) == plan


def test_tasks_of_glue_and_of_files_stand_beside_each_other(superglue):
    plan = make(superglue, tasks="rte,cb")
    assert plan.task_names == ("rte", "cb")
    assert plan.data == str(superglue)
    assert "score" in plan.objectives


def test_a_folder_of_glue_stays_what_it_was(superglue):
    write(superglue / "RTE" / "train.tsv", [])
    assert make(superglue).tasks == ()
    assert "glue" in make(superglue).objectives


def nested(row):
    """Put columns such as "target.word" where files have them: below "target"."""
    found = {}
    for name, value in row.items():
        outer, _, inner = name.partition(".")
        if inner:
            found.setdefault(outer, {})[inner] = value
        else:
            found[name] = value
    return found


def examples(task):
    """Rows of a made-up file of a task, of two labels."""
    for number in range(8):
        yes = number % 2
        row = dict.fromkeys(task.text, f"ram bhai {number}")
        if task.kind == "words":
            row = dict.fromkeys(task.text, ["ram", "bhai"])
            label = ["B-per" if yes else "O", "O"]
        else:
            label = yes if task.kind == "choice" else ("no", "yes")[yes]
        yield nested(row) | {name: f"{name} is it" for name in task.choices} | {task.label: label}


@pytest.mark.parametrize(("suite", "task"), ROWS, ids=[task.name for _, task in ROWS])
def test_every_row_reads_its_official_layout(tmp_path, suite, task):
    for part in ("train", "val"):
        write(tmp_path / task.folder / f"{part}.jsonl", examples(task))
    found = make(tmp_path, tasks=suite.name).tasks
    assert [settings.name for settings in found] == [task.name]
    row = read_own_task(found[0]).data.row
    assert (row.columns, row.kind, row.metrics) == (task.text, task.kind, task.metrics)
    assert (row.language, row.choices, len(row.labels)) == (task.language, task.choices, 2)


def test_a_task_by_its_own_name_whatever_it_has_underscores(tmp_path):
    for part in ("train", "val"):
        rows = [{"premise": f"It is {n}.", "hypothesis": "so", "label": "no" if n % 2 else "yes"}
                for n in range(6)]  # fmt: skip
        write(tmp_path / "RTE" / f"{part}.jsonl", rows)
    for name in ("superglue_rte", "SuperGLUE-RTE"):
        assert make(tmp_path, tasks=name).task_names == ("superglue_rte",)
    with pytest.raises(UnknownName, match="superglue_rte"):
        make(tmp_path, tasks="superglue_rta")


def test_passages_with_questions_with_answers_are_an_example_an_answer(tmp_path):
    asked = [
        {"question": f"What of {n}?", "idx": n,
         "answers": [{"text": f"it {k}", "idx": k, "label": (n + k) % 2} for k in range(2 + n)]}
        for n in range(3)
    ]  # fmt: skip
    rows = [
        {"idx": p, "passage": {"text": f"So it is, {p}.", "questions": asked}} for p in range(2)
    ]
    for part in ("train", "val"):
        write(tmp_path / "MultiRC" / f"{part}.jsonl", rows)
    (task,) = make(tmp_path, tasks="multirc").tasks
    found = read_own_task(task).data
    assert (found.row.labels, found.row.metrics) == (("0", "1"), ("f1",))
    train = found.train
    wanted = [
        (q["question"], f"{a['text']}\n{row['passage']['text']}", a["label"])
        for row in rows for q in asked for a in q["answers"]
    ]  # fmt: skip
    assert list(zip(train.first, train.second, train.labels, strict=True)) == wanted


def test_answers_of_boolq_are_true_and_false(tmp_path):
    rows = [{"question": "is it", "passage": "It is so.", "label": n % 2 == 0} for n in range(4)]
    for part in ("train", "val"):
        write(tmp_path / "BoolQ" / f"{part}.jsonl", rows)
    (task,) = make(tmp_path, tasks="boolq").tasks
    found = read_own_task(task).data
    assert len(found.row.labels) == 2
    assert found.train.labels.tolist() in ([0, 1, 0, 1], [1, 0, 1, 0])


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"tasks": "cbb"}, UnknownName, "No task is called 'cbb'. Did you mean 'cb'"),
        ({"tasks": "cb", "data": "glue-mini"}, InvalidData, "cb is of SuperGLUE.*--data DIR"),
        (
            {"tasks": "cb", "data": "/not/here"},
            InvalidData,
            "/not/here does not exist.*CB, COPA",
        ),
        ({"tasks": "boolq"}, InvalidData, "needs the folder .*BoolQ.*Folders found: CB"),
        ({"tasks": "cb,cb"}, InvalidExperiment, "Two tasks are called 'cb'"),
        ({"tasks": "cb", "objectives": "glue:max"}, UnknownName, "objective .*'glue'.*score"),
    ],
)
def test_what_cannot_be_is_said(superglue, settings, error, words):
    with pytest.raises(error, match=words):
        make_experiment({"data": str(superglue), **settings})


def test_a_part_that_is_not_there_is_named_with_what_lies_beside_it(superglue):
    (superglue / "CB" / "val.jsonl").rename(superglue / "CB" / "held_out.jsonl")
    with pytest.raises(InvalidData, match=r"CB/val.jsonl.*beside it: held_out.jsonl, train.jsonl"):
        make(superglue, tasks="cb")
    with pytest.raises(InvalidData, match="holds no task of SuperGLUE"):
        make(superglue, tasks="superglue")


def test_the_real_commitment_bank():
    folder = SHARED / "superglue"
    if not folder.is_dir():
        pytest.skip("no SuperGLUE files here; set NAS_DATA")
    cb = next(task for _, task in ROWS if task.name == "cb")
    found = read_own_task(in_folder(cb, SUITES["superglue"], folder)).data
    assert (len(found.train), len(found.dev["dev"])) == (250, 56)
    assert [int((found.train.labels == n).sum()) for n in range(3)] == [119, 115, 16]
    copa = next(task for _, task in ROWS if task.name == "copa")
    found = read_own_task(in_folder(copa, SUITES["superglue"], folder)).data
    assert (len(found.train), len(found.dev["dev"])) == (400, 100)


def test_a_suite_of_minimal_pairs_is_an_objective_where_its_folder_is_named(tmp_path):
    goals = "glue:max,blimp:max,latency_ms:min"
    plan = make_experiment({"objectives": goals, "suites": {"blimp": str(tmp_path)}})
    assert plan.suites["blimp"].limit == 20
    assert make_experiment(plan.model_dump(mode="json")) == plan
    assert make_experiment({"suites": {"blimp": {"data": "x", "limit": None}}}).suites
    with pytest.raises(InvalidExperiment, match="--suite blimp=FOLDER"):
        make_experiment({"objectives": goals})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"suites": {"blipm": "x"}}, "Did you mean 'blimp'"),
        ({"suites": {"advglue": "x"}}, "advglue is scored in no trial.*evaluation only"),
        ({"suites": {"blimp": {"data": "x", "limit": 0}}}, "blimp.limit.*greater.*given: 0"),
        ({"suites": {"blimp": {"limit": 3}}}, "blimp.data: Field required.*data: FOLDER"),
        ({"suites": "blimp"}, "name suites with their folders"),
        ({"suites": {"blimp": "x"}, "checkpoint": "bert"}, "suites is blimp.*Leave suites or"),
    ],
)
def test_a_suite_that_no_trial_can_be_scored_on_is_said(settings, words):
    with pytest.raises(NasError, match=words):
        make_experiment(settings)
