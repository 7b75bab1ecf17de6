"""Questions about texts: from files to a model that answers with their words, anywhere."""

import csv
import io
import json
import random
import subprocess
import sys

import pytest
import yaml

from nas.runs.mistakes import trial_mistakes
from search_spaces.errors import InvalidData

PLAN = {
    "trials": 1,
    "policy": "random",
    "execution": {"engine": "inline"},
    "recipe": {"pretrain_tokens": 1000, "precision": "fp32", "block_length": 16, "dropout": 0.0,
               "finetune_learning_rate": 0.003, "finetune_epochs": 4, "max_length": 24},
}  # fmt: skip
SMALL = json.dumps(
    {"l": 2, "o": [["sa_sdp_16", "sa_sdp_16"]] * 2, "h": [32, 32], "f": [[64], [64]]}
)
NAMES = ("Ann Fox", "Ravi", "Mia Cruz", "Otto")
PLACES = ("Cape Town", "Oslo", "New York", "Rome")
MORE = ("The road was dry and long.", "It rained on the old roof.", "All the bread was gone.")


def paragraphs(count, seed):
    """Return texts longer than the model reads at once, and what is asked about them."""
    rng, found = random.Random(seed), []
    for number in range(count):
        name, place = rng.choice(NAMES), rng.choice(PLACES)
        said = [
            f"Then {name} came by train.",
            f"The goal was {place}, so far.",
            *rng.sample(MORE, 2),
        ]
        text = " ".join(rng.sample(said, 4))
        answers = (("Who came?", name), ("Where to?", place), ("How much was it?", None))
        asked = [
            {"id": f"{number}-{question}", "question": question, "is_impossible": answer is None,
             "answers": [{"text": answer, "answer_start": text.index(answer)}] if answer else []}
            for question, answer in answers
        ]  # fmt: skip
        found.append({"context": text, "qas": asked})
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory, make_checkpoint):
    place = tmp_path_factory.mktemp("spans")
    for name, count in (("train", 70), ("dev", 20)):
        data = [{"title": name, "paragraphs": paragraphs(count, name)}]
        (place / f"{name}.json").write_text(json.dumps({"version": "v2.0", "data": data}))
    (place / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    make_checkpoint(place / "tiny")
    return place


@pytest.fixture(scope="module")
def model(nas, place):
    nas(
        "train", SMALL, "--experiment", place / "plan.yaml", "--to", place / "model", "--quiet",
        "--task", f"trips={place / 'train.json'},{place / 'dev.json'}",
        "--recipe", "finetune_epochs=25", "--recipe", "finetune_batch=16",
    )  # fmt: skip
    return place / "model"


@pytest.mark.slow
def test_a_model_answers_questions_with_words_of_the_text(nas, model, place, capsys):
    nas("evaluate", model, "--task", place / "dev.json", "--json")
    found = json.loads(capsys.readouterr().out)
    floor = found["majority"]["trips"]
    assert floor == pytest.approx(1 / 3)  # no answer, which is right for one of three
    assert found["scores"]["trips"] > floor + 0.3
    # the answers to a table, counted slowly, are what was scored
    with (place / "asked.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "question", "context"])
        rows = [(q, p["context"]) for p in paragraphs(20, "dev") for q in p["qas"]]
        writer.writerows((q["id"], q["question"], text) for q, text in rows)
    nas("predict", model, place / "asked.csv")
    answered = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(answered[0]) == ["id", "question", "context", "answer", "start", "probability"]
    wrong = 0
    for row, (question, text) in zip(answered, rows, strict=True):
        assert row["id"] == question["id"]
        assert 0 <= float(row["probability"]) <= 1
        if row["answer"]:
            start = int(row["start"])
            assert text[start : start + len(row["answer"])] == row["answer"]
        else:
            assert row["start"] == ""
        rights = [answer["text"].lower() for answer in question["answers"]] or [""]
        wrong += row["answer"].lower() not in rights
    assert found["tasks"]["trips"]["wrong"] == wrong
    nas("predict", model, place / "dev.json")
    said = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["answer"] for row in said] == [row["answer"] for row in answered]
    assert json.loads(said[0]["answers"])["text"] == [rows[0][0]["answers"][0]["text"]]
    (place / "lines.txt").write_text("Who came?\n")
    with pytest.raises(
        InvalidData, match="no table, and trips needs the columns question, context"
    ):
        nas("predict", model, place / "lines.txt")
    card = yaml.safe_load((model / "README.md").read_text().split("---\n")[1])
    assert card["pipeline_tag"] == "question-answering"
    assert card["metrics"] == ["exact_match", "token_f1"]
    nas("zoo", "check", model)


@pytest.mark.slow
def test_the_model_answers_where_the_project_is_not(nas, model, place, capsys):
    text = "The goal was Rome, so far. Then Mia Cruz came by train."
    code = f"""
import sys
for name in ("nas", "search_spaces", "surrogates"):
    sys.modules[name] = None
from transformers import AutoModelForQuestionAnswering, AutoTokenizer
model = AutoModelForQuestionAnswering.from_pretrained({str(model)!r}, trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained({str(model)!r}, trust_remote_code=True)
read = tokenizer("Who came?", {text!r}, return_tensors="pt", return_offsets_mapping=True)
places = read.pop("offset_mapping")[0]
answer = model(**read)
first, last = int(answer.start_logits.argmax()), int(answer.end_logits.argmax())
print({text!r}[places[first][0]:places[last][1]])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    (place / "one.jsonl").write_text(json.dumps({"question": "Who came?", "context": text}))
    nas("predict", model, place / "one.jsonl", "--recipe", "max_length=24")
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert done.stdout.strip() == row["answer"]


@pytest.mark.slow
def test_cuts_of_a_checkpoint_learn_spans(nas, place, capsys):
    run, few = place / "cuts", [{"title": "few", "paragraphs": paragraphs(8, "few")}]
    (place / "few.json").write_text(json.dumps({"data": few}))
    nas(
        "search", place / "plan.yaml", "--from", place / "tiny", "--run", run,
        "--task", f"trips={place / 'few.json'},{place / 'few.json'}",
        "--set", "recipe.finetune_epochs=1",
    )  # fmt: skip
    said = capsys.readouterr()
    assert "The teacher reaches" in said.out + said.err
    assert "in windows of 24" in said.out + said.err
    (path,) = (run / "mistakes").iterdir()
    wrong = trial_mistakes(run, path.stem)["trips"]["dev"]
    assert wrong.examples == 24
    assert len(wrong.worst) == min(10, wrong.wrong)
    assert {row.text.partition(" | ")[0] for row in wrong.worst} <= {
        "Who came?", "Where to?", "How much was it?",
    }  # fmt: skip
    nas("export", run, "--to", place / "cut", "--quantize", "int8")
    said = capsys.readouterr().out
    assert "as in the search" in said
    assert "trips: model.onnx answers as torch does" in said
    assert "trips: model.int8.onnx is" in said
