"""Models that older code exported answer as they did: ours, and the folder's own code."""

import json

import golden_models
import pytest
from golden_files import HERE, read
from safetensors.torch import load_file

from nas.evaluation.suites.glue import glue_task
from nas.models.hf_heads import register_heads_with_transformers
from nas.zoo import export_model
from nas.zoo.files import verify
from search_spaces import Architecture

RECORDED = read("old_models.json")
NAMES = sorted(RECORDED["models"])
CLOSE = 1e-5

pytestmark = pytest.mark.golden


def check(found, recorded):
    """Compare answers: tokens exactly, numbers to `CLOSE`, however small they are."""
    assert found["tokens"] == recorded["tokens"]
    for key in ("states", "masked", "classes"):
        flat, expected = leaves(found[key]), leaves(recorded[key])
        assert len(flat) == len(expected)
        assert flat == pytest.approx(expected, abs=CLOSE, rel=0), key


@pytest.mark.parametrize("name", NAMES)
def test_the_recorded_answers_differ_by_more_than_rounding(name):
    first, second, third = RECORDED["models"][name]["classes"]
    for one, other in ((first, second), (second, third), (first, third)):
        assert abs(one[0] - other[0]) > 100 * CLOSE


def leaves(value):
    return [x for part in value for x in leaves(part)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", NAMES)
def test_an_old_model_answers_as_it_did(name):
    folder = golden_models.MODELS / name
    verify(folder)
    check(golden_models.loaded(folder), RECORDED["models"][name])  # by nas.load_model
    register_heads_with_transformers()  # loading alone leaves `transformers` as it is
    check(golden_models.automatic(folder), RECORDED["models"][name])  # the project's classes


def test_the_code_in_old_folders_answers_as_it_did_without_the_project(tmp_path, warm_python):
    script = f"""
import json, sys
for name in ("nas", "search_spaces", "surrogates"):  # as if it were not installed
    sys.modules[name] = None
sys.path.insert(0, {str(HERE)!r})
from golden_models import MODELS, automatic
found = {{name: automatic(MODELS / name, trust_remote_code=True) for name in {NAMES!r}}}
json.dump(found, open("found.json", "w"))
"""
    done = warm_python.run("-I", "-c", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert sorted(found) == NAMES
    for name in NAMES:
        check(found[name], RECORDED["models"][name])


def weights(folder):
    """The tensors of a folder under the names that a run's files have."""
    tensors = load_file(folder / "model.safetensors")
    return {name.removeprefix("flexibert."): tensor for name, tensor in tensors.items()}


def config(folder):
    """What config.json says, but for the version of the library that wrote it."""
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return {key: value for key, value in values.items() if key != "transformers_version"}


@pytest.mark.parametrize("name", NAMES)
def test_an_old_model_exported_again_is_the_same_folder(name, tmp_path):
    old, task = golden_models.MODELS / name, golden_models.TASK
    written = config(old)
    new = export_model(
        tmp_path / "again",
        architecture=Architecture.from_dict(RECORDED["architecture"]),
        weights=weights(old),
        tokenizer_json=(old / "tokenizer.json").read_text(encoding="utf-8"),
        model_options={
            "vocabulary_size": written["vocab_size"], "positions": name,
            "max_length": written["max_position_embeddings"],
            "dropout": written["hidden_dropout_prob"],
        },
        card={"architecture": "three layers", "scores": {"glue": 0.5}, "run": {"policy": "none"}},
        task_weights={glue_task(task): weights(old / task)},
    )  # fmt: skip
    for place in (".", task):  # the same, but for three classes that there were none of
        now, before = config(new / place), config(old / place)
        for head in ("TokenClassification", "QuestionAnswering", "MultipleChoice"):
            added = now["auto_map"].pop(f"AutoModelFor{head}")
            assert added == f"modeling_flexibert.FlexiBertFor{head}"
        assert now == before
    for file in ("architecture.json", "tokenizer_config.json", f"{task}/tokenizer_config.json"):
        assert (new / file).read_text() == (old / file).read_text()
    assert {p.relative_to(new) for p in new.rglob("*")} == {
        p.relative_to(old) for p in old.rglob("*")
    }
    check(golden_models.loaded(new), RECORDED["models"][name])
