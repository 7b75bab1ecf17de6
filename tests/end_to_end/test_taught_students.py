"""Students of any space learn from a trained encoder's folder, by the command line."""

import json

import pytest
import torch
import yaml
from transformers import BertConfig, BertModel

from nas import open_run
from nas.config import make_experiment
from nas.training.preparing import experiment_recipe, prepare_data
from nas.zoo import read_card
from search_spaces.errors import InvalidExperiment

STUDENTS = {
    "layers": [1, 2], "widths": [32], "heads": [2], "operations": {"sa": ["sdp"]},
    "feedforward_widths": [24, 32], "feedforward_depths": [1],
}  # fmt: skip


@pytest.fixture
def plan(place, glue_search):
    def write(name, recipe, **more):
        path = place / f"{name}.yaml"
        recipe = {"pretrain_tokens": 2048, **recipe}
        objectives = {"glue": "max"}
        settings = {"trials": 2, "policy": "random", "objectives": objectives, **more}
        path.write_text(yaml.safe_dump(glue_search(recipe=recipe, **settings)))
        return path

    return write


@pytest.fixture(scope="module")
def place(tmp_path_factory, make_checkpoint):
    place = tmp_path_factory.mktemp("taught")
    make_checkpoint(place / "tiny")
    return place


@pytest.mark.slow
def test_students_with_another_tokenizer_learn_the_answers(nas, plan, place, capsys):
    taught = {"teacher": str(place / "tiny"), "distillation": "logits"}
    run = place / "run"
    nas("search", plan("taught", taught), "--run", run, "--quiet")
    trials = list(open_run(run).journal.each_trial())
    assert [trial["status"] for trial in trials] == ["done"] * 2
    facts = json.loads((run / "teacher" / "checkpoint.json").read_text())
    assert facts["cuts"] is False
    # nothing of its states is kept where nothing reads them
    assert (run / "teacher" / "sst2.states.npy").stat().st_size < 1000
    nas("search", plan("alone", {}), "--run", place / "alone", "--quiet")
    alone = list(open_run(place / "alone").journal.each_trial())
    assert [t["hash"] for t in alone] == [t["hash"] for t in trials]
    pairs = [(a["details"], b["details"]) for a, b in zip(trials, alone, strict=True)]
    # pre-trained alike, and then taught
    assert all(a["pretrain_loss"] == b["pretrain_loss"] for a, b in pairs)
    assert all(a["sst2_loss"] != b["sst2_loss"] for a, b in pairs)
    capsys.readouterr()
    nas("replay", run)
    assert "0 differences" in capsys.readouterr().out
    nas("export", run, "--to", place / "model")
    assert "as in the search" in capsys.readouterr().out
    card = read_card(place / "model")
    assert card["teacher"]["name"] == "tiny"
    assert "layers" not in card["teacher"]
    with pytest.raises(InvalidExperiment, match="token by token.*another tokenizer than"):
        nas("search", plan("other", {**taught, "distillation": "relations"},
                           space=STUDENTS), "--run", place / "other", "--quiet")  # fmt: skip
    assert not (place / "other").exists()


def test_students_with_its_tokenizer_learn_states_and_relations(nas, plan, place):
    settings = yaml.safe_load(plan("small", {}, space=STUDENTS).read_text())
    experiment = make_experiment(settings)
    data = prepare_data(experiment, experiment_recipe(experiment))
    folder = place / "same"
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
    BertModel(
        BertConfig(vocab_size=data.vocabulary_size, intermediate_size=48, **sizes)
    ).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(data.tokenizer_json)
    taught = {"teacher": str(folder), "tokenizer": str(folder / "tokenizer.json")}
    taught["distillation"] = ["hidden", "relations"]
    run = place / "states"
    nas("search", plan("states", taught, space=STUDENTS, trials=3), "--run", run, "--quiet")
    trials = list(open_run(run).journal.each_trial())
    assert [trial["status"] for trial in trials] == ["done"] * 3
