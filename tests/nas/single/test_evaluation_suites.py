"""Suites that only evaluate: read whole, scored as published, and refused where they may not be."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nas.cli.main import cli
from nas.config import make_experiment
from nas.data.adversarial import read_adversarial
from nas.evaluation.bootstrap import interval
from nas.evaluation.cost import Latency
from nas.evaluation.majority import majority_score
from nas.evaluation.suites.advglue import PARTS
from nas.evaluation.suites.glue import GLUE
from nas.single.exported import ExportedModel
from nas.single.suites import SUITE_SCORERS
from nas.single.suites.advglue import mean_of, summary
from search_spaces.errors import InvalidData, InvalidExperiment, NasError

SHARED = Path(os.environ.get("NAS_DATA", Path(__file__).parents[4] / "shared" / "data"))
SMALL = "{'l': 1, 'o': ['sa'], 'h': [16], 'n': [2], 'f': [[16]], 'p': ['sdp']}"
FAST = (
    "--tasks", "sst2,rte", "--tokens", "1000", "--quiet",
    "--recipe", "finetune_epochs=1", "--recipe", "max_train_examples=60",
    "--recipe", "max_dev_examples=30", "--recipe", "precision=fp32",
    "--recipe", "vocabulary_size=300", "--recipe", "max_length=24", "--recipe", "block_length=16",
)  # fmt: skip


def call(*arguments):
    """Return the exit code and what was printed; 2 for an error that a user is to read."""
    answer = CliRunner().invoke(cli, [str(a) for a in arguments])
    if isinstance(answer.exception, NasError):
        return 2, str(answer.exception)
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer.exit_code, answer.output


def write_blimp(folder):
    for number, name in enumerate(("causative", "passive_1")):
        rows = [
            {"sentence_good": f"the cat {i} sleeps .", "sentence_bad": f"cat {i} {i} the sleeps ."}
            for i in range(4 + number)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An exported model of two tasks, scored on minimal pairs when it was trained."""
    suite = f"blimp={write_blimp(tmp_path_factory.mktemp('blimp'))}"
    folder = tmp_path_factory.mktemp("zoo") / "small"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.training.trial.measure_latency", lambda *a, **k: Latency(1, 1, 0, 1))
        assert call("train", SMALL, "--to", folder, "--suite", suite, *FAST)[0] == 0
    return folder


def items(part, labels):
    return [
        {"idx": i, "label": label} | {name: f"a {name} {i}" for name in part.columns}
        for i, label in enumerate(labels)
    ]


@pytest.fixture
def adversarial(tmp_path):
    """A file in the published form with four items of each part."""
    file = tmp_path / "dev.json"
    file.write_text(json.dumps({part.key: items(part, [0, 1, 1, 0]) for part in PARTS}))
    return file


def right(labels, share):
    """Answers of which a share is right."""
    answers = np.array(labels)
    wrong = round(len(answers) * (1 - share))
    answers[:wrong] = 1 - answers[:wrong]
    return answers, np.array(labels)


def test_the_published_example_of_the_aggregation():
    """SST-2 60, QQP (50, 40), MNLI (30, 34), QNLI 70 and RTE 55 are 52.4."""
    hundred = [0, 1] * 50
    # of 60 questions 10 are found, 20 rightly left, 30 wrong: accuracy 50 %, F1 20 / 50
    questions = (
        np.repeat([1, 0, 1, 0], [10, 20, 15, 15]),
        np.repeat([1, 0, 0, 1], [10, 20, 15, 15]),
    )
    answered = {
        "sst2": {"dev": right(hundred, 0.6)},
        "qqp": {"dev": questions},
        "mnli": {"matched": right(hundred, 0.3), "mismatched": right(hundred, 0.34)},
        "qnli": {"dev": right(hundred, 0.7)},
        "rte": {"dev": right(hundred, 0.55)},
    }
    assert mean_of(answered) == pytest.approx(0.524)
    found = summary(answered, {"sst2": 0.9, "rte": 0.6})
    assert [row.name for row in found.rows] == ["advglue", "sst2", "qqp", "mnli", "qnli", "rte"]
    assert [row.items for row in found.rows] == [560, 100, 60, 200, 100, 100]
    assert found.rows[0].clean is None  # not known of all five
    assert found.rows[1].clean == 0.9
    assert all(low < row.score < high for row in found.rows for low, high in [row.interval])
    assert "The file has 560 items; the published one has 738" in found.notes[0]


def test_the_interval_is_that_of_a_share():
    """Four hundred answers, half of them right: 1.96 standard errors are 0.049."""
    hits = np.arange(400) % 2
    low, high = interval(lambda rows: hits[rows[0]].mean(), [400], seed=1)
    assert (low, high) == pytest.approx((0.451, 0.549), abs=0.006)
    assert interval(lambda rows: hits[rows[0]].mean(), [400], seed=1) == (low, high)
    assert interval(lambda rows: hits[rows[0]].mean(), [400], seed=2) != (low, high)


def test_each_part_is_drawn_from_itself():
    seen = []
    interval(lambda rows: seen.append([len(r) for r in rows]) or 0.0, [3, 7], resamples=2)
    assert seen == [[3, 7], [3, 7]]


def test_labels_mean_what_glue_calls_them(adversarial):
    parts = read_adversarial(adversarial)
    assert list(parts["mnli"]) == ["matched", "mismatched"] == list(GLUE["mnli"].dev)
    assert GLUE["mnli"].labels == ("entailment", "neutral", "contradiction")
    assert parts["qnli"]["dev"].first[0] == "a question 0"
    assert parts["qnli"]["dev"].second[3] == "a sentence 3"
    assert parts["sst2"]["dev"].second is None


def test_a_suite_with_its_folder_in_one_word(folder, tmp_path):
    for number in range(4):
        row = {"Context1": "the cat sleeps .", "Target1": f"it rests {number} .",
               "Target2": f"{number} {number} it the .", "Context2": "no"}  # fmt: skip
        name = ("social-relations", "agent-properties")[number % 2]
        with (tmp_path / f"{name}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
    code, said = call("evaluate", folder, "--suite", f"ewok={tmp_path}", "--quiet")
    assert code == 0
    whole = next(line.split() for line in said.splitlines() if line.startswith("ewok"))
    assert whole[1] == "4"
    assert 0 <= float(whole[2]) <= 1
    assert "agent-properties" in said
    assert "9 of 11 files are not there, such as material-dynamics.jsonl" in said
    longer = call("evaluate", folder, "--suite", "ewok", "--data", tmp_path, "--quiet")
    assert longer == (code, said)
    for wrong in (("--suite", "ewok="), ("--suite", f"ewok={tmp_path}", "--data", tmp_path)):
        code, said = call("evaluate", folder, *wrong)
        assert code == 2
        assert "Write --suite ewok=FOLDER" in said


def test_a_model_is_scored_on_the_tasks_it_has(folder, adversarial):
    code, said = call("evaluate", folder, "--suite", "advglue", "--data", adversarial)
    assert code == 0
    table = [line.split() for line in said.splitlines()]
    assert ["advglue", "8"] in [row[:2] for row in table]
    assert ["sst2", "4"] in [row[:2] for row in table]
    head = next(row for row in table if "clean" in row)
    assert head == ["items", "score", "95", "%", "interval", "clean", "gap"]
    assert "Not asked: qqp, mnli, qnli" in said
    assert (
        call("evaluate", folder, "--suite", "advglue", "--data", adversarial.parent)[1].split(
            "\n", 1
        )[1:]
        == said.split("\n", 1)[1:]
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["rte"][1].pop("sentence2"), "item 1 of rte needs the texts sentence1, sent"),
        (lambda d: d["mnli"][0].update(label=3), "item 0 of mnli has the label 3. Allowed: 0 to 2"),
        (lambda d: d["sst2"][0].update(label=True), "label True. Allowed: 0 to 1"),
        (lambda d: d.update(qqp=[]), "qqp is no list of items"),
        (lambda d: (d.clear(), d.update(cola=[])), "holds .'cola'.*lists called sst2, qqp"),
    ],
)
def test_a_damaged_file_is_named(adversarial, change, words):
    content = json.loads(adversarial.read_text())
    change(content)
    adversarial.write_text(json.dumps(content))
    with pytest.raises(InvalidData, match=words):
        read_adversarial(adversarial)


def test_what_is_asked_wrongly_is_said(folder, adversarial, tmp_path):
    (tmp_path / "bad.json").write_text("{")
    for arguments, words in [
        (("--suite", "advgleu", "--data", adversarial), "Did you mean 'advglue'"),
        (("--suite", "advglue"), "needs its dev.json: give it with --data"),
        (("--suite", "advglue", "--data", tmp_path / "no"), "There is no file"),
        (("--suite", "advglue", "--data", tmp_path / "bad.json"), "is no JSON"),
        (("--suite", "advglue", "--data", adversarial, "--tasks", "sst2"), "--tasks does not go"),
        (("--suite", "advglue", "--data", adversarial, "--task", "a.csv"), "--task does not go"),
        (("--suite", "advglue", "--data", adversarial, "--limit", 3), "always asked whole"),
        (("--limit", 3), "--limit is of a suite"),
    ]:
        code, said = call("evaluate", folder, *arguments)
        assert (code, words in said) == (2, True), said


def test_it_is_no_objective_and_no_task():
    for settings in ({"objectives": "advglue:max"}, {"tasks": "AdvGLUE"}):
        with pytest.raises(InvalidExperiment, match="for evaluation only.*evaluate FOLDER --suite"):
            make_experiment(settings)
    with pytest.raises(InvalidExperiment, match="advglue is no objective"):
        make_experiment({"constraints": "advglue>0.5"})


def test_every_suite_says_what_it_needs():
    for name, suite in SUITE_SCORERS.items():
        assert (suite.name, bool(suite.title), bool(suite.needs)) == (name, True, True)


class Labels:
    def __init__(self, labels):
        self.labels = labels


def test_the_published_file():
    place = SHARED / "advglue"
    if not place.is_dir():
        pytest.skip("no AdvGLUE here; set NAS_DATA")
    parts = read_adversarial(place)
    counts = {part.key: len(parts[part.task][part.split]) for part in PARTS}
    assert counts == {part.key: part.items for part in PARTS}
    assert sum(counts.values()) == 738
    answered = {
        name: {
            split: (np.full(len(s), np.bincount(s.labels).argmax()), s.labels)
            for split, s in splits.items()
        }
        for name, splits in parts.items()
    }
    found = summary(answered, dict.fromkeys(parts, 0.9))
    for row in found.rows[1:]:
        labels = {split: Labels(s.labels) for split, s in parts[row.name].items()}
        expected = [
            majority_score(
                GLUE[row.name], {"train": part, **dict.fromkeys(GLUE[row.name].dev, part)}
            )
            for part in labels.values()
        ]
        assert row.score == pytest.approx(np.mean(expected))
    assert found.rows[0].items == 738
    assert found.rows[0].clean == pytest.approx(0.9)


@pytest.fixture
def blimp(tmp_path):
    return write_blimp(tmp_path)


def test_a_trial_measures_what_evaluating_the_exported_folder_does(folder, blimp):
    scores = ExportedModel.open(folder).facts["scores"]
    assert list(scores) == ["glue", "sst2", "rte", "blimp"]
    said = call("evaluate", folder, "--suite", "blimp", "--data", blimp)[1]
    assert f"{scores['blimp']:.3f}" in next(s for s in said.splitlines() if s.startswith("blimp"))
    assert scores["glue"] == pytest.approx((scores["sst2"] + scores["rte"]) / 2)


def test_minimal_pairs_are_told_by_the_masked_model_of_a_folder(folder, blimp):
    code, said = call("evaluate", folder, "--suite", "blimp", "--data", blimp)
    assert code == 0
    table = {row[0]: row[1:] for row in map(str.split, said.splitlines()) if row}
    assert [table[name][0] for name in ("blimp", "causative", "passive_1")] == ["9", "4", "5"]
    mean = (float(table["causative"][1]) + float(table["passive_1"][1])) / 2
    assert float(table["blimp"][1]) == pytest.approx(mean, abs=0.001)
    assert "65 of 67 files are not there, such as adjunct_island.jsonl" in said
    said = call("evaluate", folder, "--suite", "blimp", "--data", blimp, "--limit", 2)[1]
    assert ["blimp", "4"] in [line.split()[:2] for line in said.splitlines()]


def test_a_folder_that_was_never_pre_trained_has_no_likelihoods(folder, blimp, make_checkpoint):
    checkpoint = blimp / "bert"
    make_checkpoint(checkpoint)
    code, said = call("evaluate", checkpoint, "--suite", "blimp", "--data", blimp)
    assert (code, "is a trained encoder from elsewhere" in said) == (2, True)
    code, said = call("evaluate", folder, "--suite", "blimp", "--data", blimp / "no")
    assert (code, "There is no folder" in said) == (2, True)
