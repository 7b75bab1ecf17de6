"""From a ModernBERT's folder to an exported cut, by the command line; the teacher is tiny."""

import subprocess
import sys

import pytest
import yaml

from nas import open_run
from nas.zoo import check_model, read_card
from search_spaces.errors import NasError


@pytest.fixture(scope="module")
def place(tmp_path_factory, make_modernbert, glue_search):
    place = tmp_path_factory.mktemp("from")
    make_modernbert(place / "tiny")
    plan = glue_search(trials=3, policy="random", objectives={"glue": "max", "latency_ms": "min"})
    (place / "plan.yaml").write_text(yaml.safe_dump(plan))
    return place


@pytest.mark.slow
def test_a_search_inside_a_modernbert(nas, place, capsys):
    nas("space", "show", "--from", place / "tiny")
    assert "heads to keep: 1, 2, 3, 4" in capsys.readouterr().out
    run = place / "run"
    nas("search", place / "plan.yaml", "--from", place / "tiny", "--run", run, "--quiet")
    trials = list(open_run(run).journal.each_trial())
    assert [trial["status"] for trial in trials] == ["done"] * 3
    assert {head.split("_")[0] for t in trials for layer in t["architecture"]["o"] for head in layer
            } <= {"attention(bias=none)", "attention(bias=none,window=2)"}  # fmt: skip
    nas("replay", run)
    assert "0 differences" in capsys.readouterr().out
    nas("confirm", run, "--top", 1, "--seeds", 1, "--baselines", "--longer", 2)
    said = capsys.readouterr().out
    assert "uniform cut of" in said
    assert "whole layers of" in said
    nas("export", run, "--to", place / "model")
    assert "as in the search" in capsys.readouterr().out
    assert read_card(place / "model")["teacher"]["name"] == "tiny"
    assert not check_model(place / "model")
    code = (
        "import sys; from transformers import *;"
        f"m = AutoModel.from_pretrained({str(place / 'model')!r}, trust_remote_code=True).eval();"
        f"t = AutoTokenizer.from_pretrained({str(place / 'model')!r});"
        "assert 'nas' not in sys.modules;"
        "print(m(**t(['the cat sat'], return_tensors='pt')).last_hidden_state.shape)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True)
    assert "32])" in found.stdout, found.stderr
    # a cut is cut again
    nas("space", "show", "--from", place / "model")
    assert "cuts of model" in capsys.readouterr().out
    with pytest.raises(NasError, match="cannot be a BertModel"):
        nas("export", run, "--to", place / "plain", "--bert")


def test_the_whole_one_is_fine_tuned_and_scored(nas, place, glue_search, capsys):
    recipe = glue_search()["recipe"]
    few = [f"--recipe={key}={recipe[key]}" for key in ("max_train_examples", "max_length")]
    nas("evaluate", place / "tiny", "--tasks", "sst2", "--data", "glue-mini", *few)
    assert "fine-tuned anew" in capsys.readouterr().out
