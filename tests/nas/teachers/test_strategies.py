"""Every way of fine-tuning runs on what was cut out of a trained encoder."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nas.data.preparation import prepare_tasks
from nas.data.tables import Split, TaskData
from nas.data.tokenizer import Tokenizer
from nas.models.coupling import coupling_of
from nas.teachers.lessons import Lessons
from nas.training.finetunings import FINETUNINGS
from nas.training.recipe import RECIPES
from nas.training.teaching import make_teacher
from nas.training.trial import run_trial
from search_spaces import Architecture

# where a kind's settings at their default would have nothing to show here
SETTINGS = {"stilts": "stilts(task=qnli)", "transductive": "transductive(confidence=0.5)"}


@pytest.fixture(scope="module")
def data(teacher):
    words = ["the cat sat", "a dog ran in", "the cat is not a dog", "it was of the cat"]
    texts = [f"{words[i % 4]} {words[(i // 4) % 4]}" for i in range(24)]
    classes = np.array([i % 4 == 2 for i in range(24)], np.float32)
    one, pairs = Split(texts, None, classes), Split(texts, texts[::-1], 1 - classes)
    numbers = Split(texts, texts[::-1], np.linspace(0, 5, 24).astype(np.float32))
    found = {
        name: TaskData(name, split, {"dev": split})
        for name, split in (("sst2", one), ("qnli", pairs), ("stsb", numbers))
    }
    return prepare_tasks(found, Tokenizer.from_json(teacher.tokenizer_json), max_length=24)


@pytest.fixture(scope="module")
def recipe():
    return replace(
        RECIPES["checkpoint"], tasks=("sst2", "qnli", "stsb"), max_length=24, block_length=24,
        finetune_epochs=2, finetune_batch=8, precision="fp32", device="cpu",
    )  # fmt: skip


@pytest.fixture(scope="module")
def taught(tmp_path_factory, teacher, data, recipe):
    folder = tmp_path_factory.mktemp("run") / "teacher"
    make_teacher(folder, teacher, data, recipe, seed=0)
    return replace(data, teacher=folder)


def student():
    heads = [["sa_sdp_8"] * 2] * 2
    return Architecture.from_dict({"l": 2, "o": heads, "h": [32] * 2, "f": [[24]] * 2})


@pytest.mark.parametrize("kind", sorted(FINETUNINGS))
def test_it_trains_a_cut_of_a_teacher(kind, taught, recipe):
    if kind == "lora":
        pytest.importorskip("peft")
    kept = {}

    def keep(task, encoder, head, result):
        kept[task.name] = {f"encoder.{k}": v.clone() for k, v in encoder.state_dict().items()}

    own = replace(recipe, slots={"finetuning": SETTINGS.get(kind, kind)})
    found = run_trial(student(), own, taught, seed=0, keep=keep)
    assert all(np.isfinite(score) for score in found.scores.values())
    cut = Lessons(taught.teacher).cut(student(), "sst2").encoder
    moved = [
        name
        for name, value in cut.items()
        if not torch.equal(kept["sst2"][f"encoder.{name}"], value)
    ]
    assert moved
    assert (coupling_of(kept["sst2"]) is not None) == (kind == "meft")
    if kind == "meft":  # the cut's layers are as they were cut
        assert not [name for name in moved if name.startswith("layers.")]


def test_stilts_begins_from_what_the_intermediate_task_made_of_its_cut(taught, recipe):
    kept, own = {}, replace(recipe, slots={"finetuning": "stilts(task=qnli)"})

    def keep(task, encoder, head, result):
        kept[task.name] = encoder.embeddings.types.weight.detach().clone()

    slow = replace(own, per_task={"sst2": {"learning_rate": 1e-12}})
    run_trial(student(), slow, taught, seed=0, keep=keep)
    torch.testing.assert_close(kept["sst2"], kept["qnli"], atol=1e-6, rtol=0)
