"""Several labels at once and a label for each word: from files to models that answer elsewhere."""

import json
import random

import pytest
import yaml

from nas.runs.mistakes import trial_mistakes
from search_spaces.errors import InvalidData

SEARCH = {
    "trials": 1,
    "policy": "random",
    "execution": {"engine": "inline"},
    "recipe": {"pretrain_tokens": 1000, "finetune_epochs": 3, "precision": "fp32",
               "block_length": 16, "dropout": 0.0, "finetune_learning_rate": 0.003},
}  # fmt: skip
NAMES = {"PER": ("Ann Fox", "Ravi"), "LOC": ("Cape Town", "Oslo")}


@pytest.fixture(scope="module")
def place(tmp_path_factory, make_checkpoint):
    place, rng = tmp_path_factory.mktemp("kinds"), random.Random(0)
    words, several = [], []
    for number in range(60):
        for kind, names in NAMES.items():
            for part, word in enumerate(rng.choice(names).split()):
                words.append(f"{word} {'I' if part else 'B'}-{kind}")
            words.append("went O")
        words.append("")
        topics = rng.sample(["sea", "farm", "bank"], number % 3)
        several.append({"text": f"about {' and '.join(topics) or 'nothing'}", "topics": topics})
    (place / "names.conll").write_text("\n".join(words))
    (place / "topics.jsonl").write_text("\n".join(map(json.dumps, several)))
    (place / "plan.yaml").write_text(yaml.safe_dump(SEARCH))
    make_checkpoint(place / "tiny")
    return place


@pytest.mark.parametrize("start", ["nothing", "a checkpoint"])
def test_a_label_for_each_word_and_several_labels(nas, place, warm_python, start, capsys):
    more = ("--from", place / "tiny") if start == "a checkpoint" else ()
    run, model = place / f"run {start}", place / f"model {start}"
    nas(
        "search", place / "plan.yaml", "--run", run, *more,
        "--task", place / "names.conll", "--task", place / "topics.jsonl",
    )  # fmt: skip
    assert "names" in capsys.readouterr().err
    (path,) = (run / "mistakes").iterdir()
    wrong = trial_mistakes(run, path.stem)
    assert sorted(wrong["names"]["dev"].names) == ["LOC", "PER"]
    assert sorted(wrong["topics"]["dev"].names) == ["bank", "farm", "sea"]
    words = {word for names in NAMES.values() for name in names for word in name.split()}
    assert {row.right.partition(": ")[0] for row in wrong["names"]["dev"].worst} <= {*words, "went"}
    nas("export", run, "--to", model)
    assert capsys.readouterr().out.count("as in the search") == 2
    (place / "asked.jsonl").write_text('{"tokens": ["Ravi", "went", "Cape", "Town"]}\n')
    nas("predict", model, "--task", "names", place / "asked.jsonl")
    header, row = capsys.readouterr().out.strip().split("\n")
    assert header == "tokens,label"
    assert len(row.partition(",")[2].split()) == 4
    nas("predict", model, "--task", "topics", place / "topics.jsonl")
    assert capsys.readouterr().out.startswith("text,topics,label,probability\n")
    nas("evaluate", model, "--task", f"names={place / 'names.conll'}", "--quiet")
    assert "entity_f1" in capsys.readouterr().out
    nas("evaluate", model, "--task", f"names={place / 'names.conll'}", "--json")
    found = json.loads(capsys.readouterr().out)["tasks"]["names"]
    support = {name: of["support"] for name, of in found["classes"].items()}
    written = [line.split()[1] for line in (place / "names.conll").read_text().split("\n") if line]
    assert support == {name: written.count(name) for name in support}
    nas("evaluate", model, "--task", place / "topics.jsonl", "--per-class", "--quiet")
    assert "support" in capsys.readouterr().out
    nas("zoo", "check", model)
    code = (
        "import sys; from transformers import pipeline;"
        f"p = pipeline('token-classification', model={str(model / 'names')!r},"
        "trust_remote_code=True); assert 'nas' not in sys.modules;"
        "print(len(p.model(**p.tokenizer('Ravi went', return_tensors='pt')).logits[0][0]))"
    )
    answer = warm_python.run("-c", code)
    assert answer.stdout.strip() == "5", answer.stderr


def test_what_is_wrong_with_words(nas, place):
    bad = place / "bad.conll"
    bad.write_text("one O\ntwo\n")
    with pytest.raises(InvalidData, match=r"line 2: 'two' is a word without a label"):
        nas("search", place / "plan.yaml", "--task", bad)
    rows = [{"tokens": ["a", "b"], "tags": ["O", "X"]}] * 12
    rows.append({"tokens": ["a"], "tags": ["O", "X"]})
    (place / "bad.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InvalidData, match=r"line 13: 1 words in 'tokens' and 2 labels in 'tags'"):
        nas("search", place / "plan.yaml", "--task", place / "bad.jsonl")
