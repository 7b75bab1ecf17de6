"""`nas train`, `nas evaluate`, `nas predict`: one architecture, by the code of a search."""

import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from nas.cli.main import cli
from nas.evaluation.cost import Latency
from nas.evaluation.submission import answer_texts, submission_name
from nas.evaluation.suites.glue import GLUE, glue_tasks
from nas.single.exported import ExportedModel, encode_for, finetune_exported, read_tasks
from search_spaces.errors import NasError

SMALL = "{'l': 1, 'o': ['sa'], 'h': [16], 'n': [2], 'f': [[16]], 'p': ['sdp']}"
FAST = (
    "--tasks", "cola,stsb", "--tokens", "1000", "--quiet",
    "--recipe", "finetune_epochs=1", "--recipe", "max_train_examples=60",
    "--recipe", "max_dev_examples=30", "--recipe", "precision=fp32",
    "--recipe", "max_length=24", "--recipe", "block_length=16",
)  # fmt: skip


WORDS = ["cat", "dog", "bird", "fish", "sleeps", "runs", "sings", "quickly", "slowly", "never"]


def official(folder):
    """A directory with three tasks in the official layout, CoLA with its test set."""
    rng = np.random.default_rng(0)

    def sentence():
        return " ".join(["the", *rng.choice(WORDS, 5), "."])

    def write(name, split, header, rows):
        (folder / name).mkdir(parents=True, exist_ok=True)
        text = "".join("\t".join(map(str, row)) + "\n" for row in [*header, *rows])
        (folder / name / f"{split}.tsv").write_text(text)

    for split, count in (("train", 40), ("dev", 20)):
        write("CoLA", split, [], [("g", i % 2, "", sentence()) for i in range(count)])
        pairs = [(i, sentence(), sentence()) for i in range(count)]
        head = ("index", "sentence1", "sentence2")
        write("STS-B", split, [(*head, "score")], [(*row, row[0] % 6) for row in pairs])
        names = ("entailment", "not_entailment")
        write("RTE", split, [(*head, "label")], [(*row, names[row[0] % 2]) for row in pairs])
    write("CoLA", "test", [("index", "sentence")], [(i, sentence()) for i in range(7)])
    return folder


@pytest.fixture(scope="module")
def glue(tmp_path_factory):
    return official(tmp_path_factory.mktemp("data") / "glue")


def call(*arguments):
    """Return the exit code and what was printed; 2 for an error that a user is to read."""
    answer = CliRunner().invoke(cli, [str(a) for a in arguments])
    if isinstance(answer.exception, NasError):
        return 2, str(answer.exception)
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer.exit_code, answer.output


@pytest.fixture(scope="module")
def trained(glue, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo") / "small"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.training.trial.measure_latency", lambda *a, **k: Latency(1, 1, 0, 1))
        code, said = call("train", SMALL, "--seeds", 2, "--to", folder, *FAST, "--data", glue)
    assert code == 0
    return folder, said


def score_of(name, said):
    line = next(line for line in said.splitlines() if line.startswith(name))
    return float(line.split()[1])


def test_training_prints_scores_beside_the_majority_and_exports(trained):
    folder, said = trained
    header = next(line for line in said.splitlines() if line.startswith("task"))
    assert header.split() == ["task", "score", "±", "majority"]
    assert "parameters" in said
    assert "latency" in said
    assert {p.name for p in folder.iterdir()} >= {"cola", "stsb", "config.json", "README.md"}
    assert not list(folder.parent.glob(".*"))


def test_the_exported_heads_score_what_training_reported(trained, tmp_path):
    folder, _ = trained
    code, said = call("evaluate", folder, "--quiet")
    assert code == 0
    from nas.zoo.card import read_card

    scores = read_card(folder)["scores"]
    # ranks of nearly equal answers may change places: arithmetic differs in the last digit
    for name in ("cola", "stsb"):
        assert score_of(name, said) == pytest.approx(scores[name], abs=0.02)


def test_an_interrupted_training_continues(trained, glue, tmp_path, monkeypatch):
    from nas.training.task_runs import TaskTraining

    real, folder = TaskTraining.run, tmp_path / "again"

    def die(self, tasks):
        raise KeyboardInterrupt

    monkeypatch.setattr(TaskTraining, "run", die)
    monkeypatch.setattr("nas.training.trial.measure_latency", lambda *a, **k: Latency(1, 1, 0, 1))
    again = ["train", SMALL, "--to", str(folder), *FAST, "--data", str(glue)]
    CliRunner().invoke(cli, again)
    assert not folder.exists()
    assert list(tmp_path.glob(".again.training/seed-0/pretrain.safetensors"))
    monkeypatch.setattr(TaskTraining, "run", real)
    code, _ = call(*again)
    assert code == 0
    first, second = ((p / "model.safetensors").read_bytes() for p in (trained[0], folder))
    assert first == second


def test_finetuning_anew_drops_out_what_the_recipe_says(trained, glue):
    folder, _ = trained
    model = ExportedModel.open(folder)
    recipe = model.recipe({"dropout": 0.25, "finetune_epochs": 1}, "glue-mini")
    data = encode_for(model, read_tasks(str(glue), ["cola"], 0), recipe, 0)
    seen = set()

    def keep(task, encoder, head, result):
        parts = [*encoder.modules(), *head.modules()]
        seen.update(part.p for part in parts if isinstance(part, torch.nn.Dropout))

    finetune_exported(model, data, recipe, seed=0, keep=keep)
    assert seen == {0.25}


def test_finetuning_anew_and_starting_from_the_weights(trained, glue, tmp_path, monkeypatch):
    monkeypatch.setattr("nas.training.trial.measure_latency", lambda *a, **k: Latency(1, 1, 0, 1))
    folder, _ = trained
    code, said = call("evaluate", folder, "--finetune", "--tasks", "rte", "--quiet")
    assert code == 0
    assert -1 <= score_of("rte", said) <= 1
    wider = SMALL.replace("16", "32")
    code, said = call(
        "train", wider, "--pretrained", folder, "--to", tmp_path / "w", *FAST, "--data", glue
    )
    assert code == 0
    same = (tmp_path / "w" / "tokenizer.json").read_text()
    assert json.loads(same) == json.loads((folder / "tokenizer.json").read_text())


@pytest.mark.parametrize("again", [True, False])
def test_a_submission_has_the_servers_format(again, trained, glue, tmp_path):
    options = ["--finetune"] if again else []
    code, said = call(
        "evaluate", trained[0], "--data", glue, "--tasks", "cola", "--submission",
        tmp_path / "out", *options,
    )  # fmt: skip
    assert code == 0
    lines = (tmp_path / "out" / "CoLA.tsv").read_text().splitlines()
    assert lines[0] == "index\tprediction"
    assert [line.split("\t")[0] for line in lines[1:]] == [str(i) for i in range(7)]
    assert {line.split("\t")[1] for line in lines[1:]} <= {"0", "1"}
    assert "missing: SST-2.tsv" in said


def test_predictions_of_plain_lines_and_of_official_files(trained, glue, tmp_path):
    plain = tmp_path / "s.txt"
    test = glue / "CoLA" / "test.tsv"
    lines = test.read_text().splitlines()[1:3]
    plain.write_text("".join(line.split("\t")[1] + "\n" for line in lines))
    code, said = call("predict", trained[0], "--task", "CoLA", plain)
    assert code == 0
    assert said.splitlines()[0] == "index\tprediction"
    target = tmp_path / "a.tsv"
    call("predict", trained[0], "--task", "cola", test, "--to", target)
    assert target.read_text().splitlines()[:3] == said.splitlines()
    pair = tmp_path / "p.txt"
    pair.write_text("A cat .\tA dog .\n")
    _, said = call("predict", trained[0], "--task", "stsb", pair)
    assert 0 <= float(said.split()[-1]) <= 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("one sentence only\n", "line 1: 1 columns, and stsb needs 2 columns"),
        ("sentence1\tsentence2\n", "has no examples, only a first line"),
        ("", "is empty"),
    ],
)
def test_a_file_that_is_none_is_refused(content, message, trained, tmp_path):
    path = tmp_path / "f.txt"
    path.write_text(content)
    code, said = call("predict", trained[0], "--task", "stsb", path)
    assert code == 2
    assert message in said


def test_names_of_files_and_labels():
    names = [submission_name(task, split) for task in glue_tasks() for split in task.test]
    assert names == [
        "CoLA.tsv", "SST-2.tsv", "MRPC.tsv", "STS-B.tsv", "QQP.tsv", "MNLI-m.tsv", "MNLI-mm.tsv",
        "QNLI.tsv", "RTE.tsv", "WNLI.tsv",
    ]  # fmt: skip
    assert answer_texts(GLUE["mnli"], np.array([0, 1, 2])) == [
        "entailment", "neutral", "contradiction",
    ]  # fmt: skip
    assert answer_texts(GLUE["qnli"], np.array([1.0])) == ["not_entailment"]
    assert answer_texts(GLUE["stsb"], np.array([-1.0, 2.5, 7.0])) == ["0.000", "2.500", "5.000"]
    assert answer_texts(GLUE["wnli"], np.array([1])) == ["1"]


def nothing_was_left(folder):
    return not folder.exists() and not list(folder.parent.glob(f".{folder.name}*"))


def test_bad_input_is_refused_before_anything_is_trained(trained, glue, tmp_path):
    folder, target = trained[0], tmp_path / "t"
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n\n")
    marks = tmp_path / "marks.txt"
    marks.write_text("\n".join("नमस्ते" for _ in range(3000)))
    broken = official(tmp_path / "broken")
    (broken / "CoLA" / "train.tsv").write_text("g\tyes\t\tA cat .\n")
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    foreign = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = foreign["model"]["vocab"]
    del vocabulary[max(vocabulary, key=vocabulary.get)]
    (other / "tokenizer.json").write_text(json.dumps(foreign))
    (tmp_path / "foreign.json").write_text(json.dumps(foreign))
    train = ("train", SMALL, "--to", target, "--data", glue)
    cases = [
        ((*train, "--tokens", 0), "pretrain_tokens is 0, but must be a whole number of at least 1"),
        ((*train, "--corpus", empty), "is empty. Name a file with text in it"),
        (
            (*train, "--corpus", marks, "--pretrained", folder, "--quiet"),
            "no usable text: ",
        ),
        ((*train, "--data", broken), "label 'yes' in column 'label' is not allowed. Allowed: 0, 1"),
        ((*train, "--recipe", "nonsense"), "is no setting. Write KEY=VALUE"),
        ((*train, "--recipe", "tokenizer=bpee"), "Did you mean 'bpe'?"),
        (
            (*train, "--pretrained", folder, "--recipe", f"tokenizer={tmp_path / 'foreign.json'}"),
            "is not the one that the weights in",
        ),
        (("train", "bert-minni", "--to", target), "Did you mean 'bert-mini'?"),
        (("train", "{'l': 1", "--to", target), "is no dictionary"),
        (("train", SMALL, "--to", folder), "exists already"),
        (("evaluate", folder, "--recipe", "max_length=64"), "reads at most 24 tokens"),
        (("evaluate", folder, "--tasks", "rte"), "task of this model is called 'rte'"),
        (("evaluate", folder, "--tasks", "stsb", "--submission", target), "has no test sets of"),
        (("evaluate", other), "they do not belong together"),
        (("evaluate", tmp_path / "none"), "is no folder"),
    ]
    for arguments, message in cases:
        code, said = call(*arguments)
        assert code == 2, arguments
        assert message in said, (arguments, said)
    assert nothing_was_left(target)
