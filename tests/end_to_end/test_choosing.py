"""Choosing among answers, from a file to models that choose elsewhere."""

import csv
import json
import random

import pytest
import yaml

from nas.zoo.card import read_card
from search_spaces.errors import InvalidData

SEARCH = {
    "trials": 1,
    "policy": "random",
    "execution": {"engine": "inline"},
    "recipe": {"pretrain_tokens": 2000, "finetune_epochs": 6, "precision": "fp32",
               "block_length": 16, "dropout": 0.0, "finetune_learning_rate": 0.003},
}  # fmt: skip
GOOD, BAD = ("it works well", "all is fine", "we won it"), ("it broke", "all was lost", "we failed")


@pytest.fixture(scope="module")
def place(tmp_path_factory, make_checkpoint):
    place, rng = tmp_path_factory.mktemp("choosing"), random.Random(0)
    with (place / "ends.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "question", "choice1", "choice2", "label"])
        for number in range(150):
            right = number % 2
            answers = [rng.choice(GOOD if i == right else BAD) for i in range(2)]
            writer.writerow([number, f"what came of plan {number}", *answers, right])
    (place / "plan.yaml").write_text(yaml.safe_dump(SEARCH))
    make_checkpoint(place / "tiny")
    return place


@pytest.mark.parametrize("start", ["nothing", "a checkpoint"])
def test_a_choice_is_searched_exported_and_answered(nas, place, warm_python, start, capsys):
    more = ("--from", place / "tiny") if start == "a checkpoint" else ()
    run, model = place / f"run {start}", place / f"model {start}"
    nas("search", place / "plan.yaml", "--run", run, *more, "--task", place / "ends.csv")
    said = capsys.readouterr()
    assert "choosing among answers in 'label' of the text in 'question', among 'choice1' and" in (
        said.out + said.err
    )
    nas("export", run, "--to", model)
    said = capsys.readouterr().out
    assert "as in the search" in said
    assert "AutoModelForMultipleChoice.from_pretrained" in said
    nas("predict", model, place / "ends.csv", "--to", place / "answers.csv")
    rows = list(csv.DictReader((place / "answers.csv").open()))
    assert list(rows[0])[-3:] == ["predicted_label", "answer", "probability"]
    for row in rows:
        assert row["answer"] == row[f"choice{int(row['predicted_label']) + 1}"]
        assert 0.5 <= float(row["probability"]) <= 1
    right = sum(row["label"] == row["predicted_label"] for row in rows) / len(rows)
    # answers are on either side equally often
    assert right > 0.6 or start == "a checkpoint", right
    if start == "a checkpoint":  # from here on it is one model as the other
        return
    nas("evaluate", model, "--task", place / "ends.csv", "--quiet")
    assert f"ends: accuracy {right:.3f}" in capsys.readouterr().out
    nas("zoo", "check", model)
    capsys.readouterr()
    code = (
        "import sys, torch; from transformers import AutoModelForMultipleChoice, AutoTokenizer;"
        f"f = {str(model)!r};"
        "m = AutoModelForMultipleChoice.from_pretrained(f, trust_remote_code=True).eval();"
        "t = AutoTokenizer.from_pretrained(f, trust_remote_code=True);"
        "x = t(['what came of plan 0'] * 2, ['it works well', 'it broke'], return_tensors='pt',"
        " padding=True); assert 'nas' not in sys.modules;"
        "print(m(**{k: v[None] for k, v in x.items()}).logits.softmax(-1).max().item())"
    )
    answer = warm_python.run("-c", code)
    assert answer.returncode == 0, answer.stderr
    (place / "one.jsonl").write_text(json.dumps(
        {"question": "what came of plan 0", "choice1": "it works well", "choice2": "it broke"}
    ))  # fmt: skip
    nas("predict", model, place / "one.jsonl")
    ours = float(capsys.readouterr().out.strip().rpartition(",")[2])
    assert float(answer.stdout) == pytest.approx(ours, abs=1e-3)
    assert read_card(model)["tasks"] == ["ends"]


def test_what_a_choice_refuses(nas, place):
    (place / "lines.txt").write_text("a line\n")
    with pytest.raises(InvalidData, match="is no table, and ends needs the columns question, ch"):
        nas("predict", place / "model nothing", place / "lines.txt")
    bad = place / "bad.csv"
    bad.write_text("question,choice1,choice2,label\nwhat,yes,no,0\nwhat,yes,,1\n")
    with pytest.raises(InvalidData, match=r"row 2: the text in column 'choice2' is empty"):
        nas("search", place / "plan.yaml", "--run", place / "none", "--task", bad)
    assert not (place / "none").exists()
