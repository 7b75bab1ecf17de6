"""A teacher made ready: complete task by task, its stored answers are what it says."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from nas.data.batches import batches
from nas.evaluation.suites.glue import glue_task
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.teachers.attention import attention_of
from nas.teachers.general import GeneralText
from nas.teachers.lessons import Lessons, is_complete
from nas.training import teaching
from nas.training.recipe import RECIPES
from nas.training.teaching import make_teacher
from nas.training.trial import run_trial
from search_spaces import Architecture
from search_spaces.errors import InvalidData, TrialError


@pytest.fixture(scope="module")
def recipe():
    return replace(
        RECIPES["checkpoint"],
        slots={"distillation": "hidden"},
        tasks=("sst2", "stsb"),
        max_length=32,
        block_length=32,
        finetune_batch=8,
        precision="fp32",
        device="cpu",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, teacher, data, recipe):
    folder = tmp_path_factory.mktemp("run") / "teacher"
    make_teacher(folder, teacher, data, recipe, seed=0)
    return folder


@pytest.mark.parametrize("failures", [0, 2, 3])
def test_a_teacher_that_becomes_unstable_is_begun_again_more_gently(
    tmp_path, teacher, data, recipe, monkeypatch, failures
):
    rates, starts, finetune = [], [], teaching.finetune

    def unstable(encoder, head, task, splits, own, **more):
        rates.append(own.finetune_learning_rate)
        starts.append(next(encoder.parameters()).detach().clone())
        if len(rates) <= failures:
            with torch.no_grad():
                next(encoder.parameters()).fill_(torch.nan)
            raise TrialError("the loss was nan.", cause="nan")
        return finetune(encoder, head, task, splits, own, **more)

    monkeypatch.setattr(teaching, "finetune", unstable)
    own = replace(recipe, tasks=("stsb",))
    only = replace(data, tasks={"stsb": data.tasks["stsb"]})
    if failures == 3:
        with pytest.raises(TrialError, match=r"on stsb: at the .*0\.0001, 5e-05, 2\.5e-05.*nan"):
            make_teacher(tmp_path, teacher, only, own, seed=0)
        assert not (tmp_path / "stsb.json").exists()
    else:
        make_teacher(tmp_path, teacher, only, own, seed=0)
        assert np.isfinite(Lessons(tmp_path).scores()["stsb"])
    assert rates == [1e-4, 5e-5, 2.5e-5][: failures + 1]
    assert all(torch.equal(start, starts[0]) for start in starts)


def test_other_failures_of_a_teacher_are_not_repeated(tmp_path, teacher, data, recipe, monkeypatch):
    asked = []

    def full(*_, **__):
        asked.append(1)
        raise TrialError("no memory", cause="out-of-memory")

    monkeypatch.setattr(teaching, "finetune", full)
    with pytest.raises(TrialError, match="no memory"):
        make_teacher(tmp_path, teacher, data, recipe, seed=0)
    assert len(asked) == 1


def student(layers=2, heads=2, inner=24):
    return Architecture.from_dict(
        {
            "l": layers,
            "o": [["sa_sdp_8"] * heads] * layers,
            "h": [32] * layers,
            "f": [[inner]] * layers,
        }
    )


def test_stored_answers_are_those_of_the_teacher(folder, teacher, data, recipe):
    lessons, task = Lessons(folder), glue_task("sst2")
    whole = student(3, 4, 64)
    cut = lessons.cut(whole, "sst2")
    assert cut.layers == (0, 1, 2)
    encoder = Encoder(
        whole, teacher.vocabulary_size, max_length=32, dropout=0.0, pooling="mean"
    ).eval()
    encoder.load_state_dict(cut.encoder)
    head = ClassificationHead(32, task.outputs, 0.0).eval()
    head.load_state_dict(cut.classifier)
    split = data.tasks["sst2"]["train"]
    ask = lessons.answers(cut.origin, "sst2", split, {"states"})
    for batch in batches(split, batch_size=7, seed=3):
        found = ask(batch)
        with torch.no_grad():
            states = encoder.states(batch.tokens, batch.keep, batch.token_types)
            assert_close(
                found.outputs, head(encoder.pool(states[-1], batch.keep)), atol=1e-4, rtol=1e-4
            )
        # after each layer what the next one reads, in half precision
        for mine, its in zip(states[1:], found.states, strict=True):
            assert_close(its[batch.keep], mine[batch.keep], atol=2e-3, rtol=2e-3)


def test_a_cut_learns_the_states_that_its_next_layer_has_always_read(folder, data):
    lessons = Lessons(folder)
    split = data.tasks["stsb"]["train"]
    kept = lessons.cut(student(2), "stsb").layers
    assert len(kept) == 2
    ask = lessons.answers(lessons.origin(student(2), "stsb"), "stsb", split, {"states"})
    stored = np.load(folder / "stsb.states.npy")
    batch = next(batches(split, batch_size=1, shuffle=False))
    row = int(batch.rows[0])
    span = slice(split.offsets[row], split.offsets[row + 1])
    first, last = (state[0].numpy() for state in ask(batch).states)
    np.testing.assert_array_equal(first, stored[kept[1], span].astype(np.float32))
    np.testing.assert_array_equal(last, stored[-1, span].astype(np.float32))


def test_what_a_cut_attends_to_is_compared_with_what_its_heads_did(folder, data):
    lessons = Lessons(folder)
    whole, small = student(3, 4, 64), student(3, 2, 64)
    split = data.tasks["sst2"]["train"]
    batch = next(batches(split, batch_size=4))
    every, some = (
        lessons.answers(lessons.origin(of, "sst2"), "sst2", split, {"attention", "last", "states"})(
            batch
        )
        for of in (whole, small)
    )
    # with all neurons and in the first layer, the heads of a cut see what they always have seen
    weights = lessons.cut(small, "sst2").encoder
    encoder = Encoder(
        small, len(weights["embeddings.tokens.weight"]), max_length=32, pooling="mean"
    ).eval()
    encoder.load_state_dict(weights)
    with torch.no_grad():
        x = encoder.states(batch.tokens, batch.keep, batch.token_types)[0]
        found = attention_of(encoder.layers[0], x)
    real = batch.keep[:, None, :, None] & batch.keep[:, None, None, :]
    assert_close(
        found.scores.masked_select(real), some.attention[0].scores.masked_select(real),
        atol=2e-3, rtol=2e-3,
    )  # fmt: skip
    assert [seen.scores.shape[1] for seen in some.attention] == [2, 2, 2]
    assert some.last.scores.shape[1] == 4
    assert_close(every.attention[-1].query, every.last.query)
    # what a student of the teacher's size is taught is what it does already
    assert not any(part.requires_grad for part in (every.last.query, every.last.scores))


@pytest.mark.parametrize(
    "how", ["relations", "transfer", "transfer(schedule=joint,share=0.3)", "stages"]
)
def test_a_trial_learns_by_each_way(how, folder, data, recipe):
    own = replace(recipe, slots={"distillation": how}, finetune_epochs=1, tasks=("stsb",))
    found = run_trial(student(2, 3, 24), own, replace(data, teacher=folder), seed=5)
    assert set(found.scores) == {"glue", "stsb"}


def test_general_text_is_that_of_all_tasks_in_turn_and_the_same_again(folder, data):
    lessons = Lessons(folder)
    splits = [data.tasks[name]["train"] for name in ("sst2", "stsb")]
    origin = lessons.origin(student(2), "stsb")

    def text():
        return GeneralText(lessons, "stsb", origin, splits, size=16, seed=3)

    whole = text()
    read = [whole.batch(step) for step in range(8)]
    # three batches are a pass over 48 examples
    for turn, split in enumerate(splits):
        rows = torch.cat([batch.rows for batch in read[turn:6:2]])
        assert sorted(rows.tolist()) == list(range(48))
        for batch in read[turn::2]:
            first = int(batch.rows[0])
            tokens = split.tokens[split.offsets[first] : split.offsets[first + 1]]
            assert batch.tokens[0][batch.keep[0]].tolist() == tokens.tolist()
    assert not torch.equal(read[0].rows, read[6].rows)  # the next pass has another order
    for step in (5, 7, 2):  # after an interruption
        again = text()
        assert torch.equal(again.batch(step).tokens, read[step].tokens)
    states = {}
    for tuned, name in ((False, "checkpoint"), (True, "stsb")):
        found = whole.answers(read[0], tuned=tuned)
        keep = read[0].keep
        aims = lessons.encoder(name).states(read[0].tokens, keep, read[0].token_types)
        states[name] = found.states
        for mine, number in zip(found.states, (origin.layers[1], -1), strict=True):
            assert torch.equal(mine[keep], aims[number][keep])
        assert [seen.scores.shape[1] for seen in found.attention] == [2, 2]
    assert not torch.allclose(states["checkpoint"][0], states["stsb"][0])


def test_what_is_there_stays_and_what_lacks_is_made(folder, teacher, data, recipe):
    assert is_complete(folder, ["sst2", "stsb"])
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    (folder / "stsb.json").unlink()
    assert not is_complete(folder, ["sst2", "stsb"])
    said = []
    make_teacher(folder, teacher, data, recipe, seed=0, say=said.append)
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == {f"stsb.{end}" for end in ("json", "safetensors", "states.npy", "logits.npy")}
    assert "stsb" in said[-1]


def test_a_trial_starts_from_the_cut_and_repeats_bit_by_bit(folder, data, recipe, tmp_path):
    data = replace(data, teacher=folder)
    found = [
        run_trial(student(), recipe, data, seed=5, weights_path=tmp_path / f"{i}.safetensors")
        for i in range(2)
    ]
    assert found[0].scores == found[1].scores
    assert (tmp_path / "0.safetensors").read_bytes() == (tmp_path / "1.safetensors").read_bytes()
    assert set(found[0].scores) == {"glue", "sst2", "stsb"}
    # a tenth of the steps is another training, and a shorter one
    short = run_trial(student(), recipe, data, seed=5, fidelity=0.1)
    assert short.details["stsb_loss"] > found[0].details["stsb_loss"]


def test_what_is_damaged_is_said(folder, data, tmp_path):
    broken = tmp_path / "run" / "teacher"
    broken.mkdir(parents=True)
    for path in folder.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "sst2.safetensors").write_bytes(b"x")
    with pytest.raises(InvalidData, match=r"sst2\.safetensors .* nas resume"):
        Lessons(broken).cut(student(), "sst2")
    (broken / "stsb.logits.npy").write_bytes(b"x")
    split = data.tasks["stsb"]["train"]
    with pytest.raises(InvalidData, match=r"stsb\.logits\.npy"):
        Lessons(broken).answers(Lessons(folder).origin(student(), "stsb"), "stsb", split, ())
    (broken / "checkpoint.json").write_text(json.dumps([]))
    with pytest.raises(InvalidData, match=r"checkpoint\.json"):
        Lessons(broken)
