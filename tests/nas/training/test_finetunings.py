"""Ways of fine-tuning: where they begin, what learns, what they add to the loss, how they end."""

import dataclasses

import pytest
import torch

from nas.data.batches import batches
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.glue import glue_task
from nas.models.coupling import uncouple
from nas.models.encoder import Encoder
from nas.training.finetunings import FINETUNINGS, Sift, finetuning_of
from nas.training.finetunings.sift import disturbed
from nas.training.intermediate import start_of
from nas.training.loop import Loop
from nas.training.one_task import task_head
from nas.training.prediction import Scale, outputs_of, task_loss
from nas.training.recipe import Recipe
from nas.training.trial import model_options, run_trial
from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment, TrialError
from search_spaces.parts import Part

CPU = torch.device("cpu")
TEXTS = ["full", "sift", "lora", "lora+sift", "stilts", "meft", "meft(variant=2)+sift",
         "meft(variant=3)", "multi-task", "self-calibrated", "transductive",
         "preference-heads"]  # fmt: skip
# "preserved" is a matter of how much of an older state each layer of meft reads
STATED = {"meft": 0.1}


def needs_peft(text):
    if "lora" in text:
        pytest.importorskip("peft")


def with_way(recipe, text, **changes):
    slots = {} if text == "full" else {"finetuning": text}
    if "stilts" in text:
        changes.setdefault("tasks", ("mnli", "sst2"))
    return dataclasses.replace(recipe, slots=slots, **changes)


@pytest.fixture
def model(architecture, recipe, data):
    """A function: encoder, head, task and a batch of it."""

    def make(task="sst2", kind=("sa", "sdp")):
        torch.manual_seed(0)
        encoder = Encoder(architecture(*kind), data.vocabulary_size, **model_options(recipe))
        head = task_head(encoder, glue_task(task), recipe, 0)
        batch = next(batches(data.tasks[task]["train"], batch_size=8))
        return encoder, head, glue_task(task), batch

    return make


def test_every_way_is_tried_here():
    assert {Part.parse(part).kind for text in TEXTS for part in text.split("+")} == set(FINETUNINGS)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "kind", [("sa", "sdp"), ("sa", "wma"), ("c", 5), ("longconv", "filter=64")]
)
def test_it_begins_and_ends_as_a_plain_encoder(text, kind, model, recipe):
    """Before training the answers are the backbone's; after it, what was learnt is kept."""
    needs_peft(text)
    encoder, _, _, batch = model(kind=kind)
    names, frozen = list(encoder.state_dict()), [p.requires_grad for p in encoder.parameters()]
    before = encoder.pooled(batch.tokens, batch.keep)
    ways = finetuning_of(with_way(recipe, text))
    with ways.applied(encoder):
        inside = encoder.pooled(batch.tokens, batch.keep)
        stated = next((v for name, v in STATED.items() if name in text), 1e-6)
        torch.testing.assert_close(inside, before, atol=stated, rtol=0)
        inside.square().sum().backward()
        learning = [p for p in encoder.parameters() if p.requires_grad and p.grad is not None]
        with torch.no_grad():
            for p in learning:
                p.add_(0.1)
        moved = encoder.pooled(batch.tokens, batch.keep)
    added = [name for name in encoder.state_dict() if name not in names]
    assert [name for name in encoder.state_dict() if name in names] == names
    assert all(name.startswith("coupling.") for name in added)
    assert bool(added) == ("meft" in text)
    assert [p.requires_grad for name, p in encoder.named_parameters() if name in names] == frozen
    after = encoder.pooled(batch.tokens, batch.keep)
    torch.testing.assert_close(after, moved, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(after, before, atol=1e-3)
    uncouple(encoder)
    assert list(encoder.state_dict()) == names


@pytest.mark.parametrize("text", ["lora(rank=2)", "meft(inner=2)", "meft(variant=3,inner=2)"])
def test_adapters_alone_learn_and_only_a_little(text, model, recipe):
    needs_peft(text)
    encoder, _, _, batch = model()
    total = sum(p.numel() for p in encoder.parameters())
    ways = finetuning_of(with_way(recipe, text))
    with ways.applied(encoder):
        learning = {name for name, p in encoder.named_parameters() if p.requires_grad}
        count = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
        encoder.pooled(batch.tokens, batch.keep).sum().backward()
        reached = {name for name, p in encoder.named_parameters() if p.grad is not None}
    assert count < total / 2
    beside = ("pooler", "coupling", "embeddings.norm")
    assert all("lora" in name or name.startswith(beside) for name in learning)
    assert reached == learning


def test_lora_says_what_it_needs(monkeypatch, model, recipe):
    import builtins

    found = builtins.__import__

    def without(name, *arguments, **settings):
        if name == "peft":
            raise ImportError(name)
        return found(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", without)
    encoder, *_ = model()
    with (
        pytest.raises(InvalidExperiment, match="install .*peft.*, or write finetuning: full"),
        finetuning_of(with_way(recipe, "lora")).applied(encoder),
    ):
        pass


@pytest.mark.parametrize("task", ["sst2", "stsb"])
def test_a_plain_loss_is_that_of_the_task(task, model, recipe):
    encoder, head, row, batch = model(task)
    ways = finetuning_of(recipe)
    plain = task_loss(encoder, head, row, batch, Scale(), CPU)
    assert torch.equal(ways.loss(encoder, head, row, batch, Scale()), plain)


@pytest.mark.parametrize("task", ["sst2", "stsb"])
def test_sift_adds_what_answers_move_uphill_of_the_noise(task, model):
    encoder, head, row, batch = model(task)
    with torch.no_grad():
        head.output.weight.mul_(50)  # an untrained head hardly tells anything apart
    kind = TASK_KINDS[row.kind]
    clean = outputs_of(encoder, head, batch, tokens=False)
    # noise of nothing: answers agree, and there is nothing to add
    still = Sift(1.0, 1e-12, 1e-12).extra_loss(encoder, head, row, batch, clean)
    assert abs(still.item()) < 1e-6

    def gap(disturbance):
        with disturbed(encoder, disturbance):
            found = outputs_of(encoder, head, batch, tokens=False)
        one = kind.soft_loss(found, clean.detach(), 1.0)
        return one + kind.soft_loss(clean.detach(), found, 1.0)

    shape = (*batch.tokens.shape, 16)
    noise = torch.nn.init.trunc_normal_(torch.empty(shape), std=0.01, a=-0.02, b=0.02)
    torch.manual_seed(5)
    drawn = torch.nn.init.trunc_normal_(torch.empty(shape), std=0.01, a=-0.02, b=0.02)
    assert drawn.abs().max() <= 0.02 + 1e-7
    assert drawn.shape == noise.shape
    losses = []
    for step in (1e-9, 0.01):
        torch.manual_seed(5)
        losses.append(Sift(1.0, 0.01, step).extra_loss(encoder, head, row, batch, clean))
    assert losses[0].item() == pytest.approx(gap(drawn).item(), rel=1e-3)
    assert losses[1] > losses[0]
    twice = Sift(2.0, 0.01, 0.01)
    torch.manual_seed(5)
    assert twice.extra_loss(encoder, head, row, batch, clean).item() == pytest.approx(
        2 * losses[1].item(), rel=1e-5
    )
    # the way uphill leaves no gradient behind, and no hook
    assert all(p.grad is None for p in encoder.parameters())
    assert torch.equal(outputs_of(encoder, head, batch, tokens=False), clean)


def test_which_tasks_begin_from_another():
    tasks = ("mnli", "qnli", "rte", "sst2", "stsb")
    stilts = Recipe(tasks=tasks, slots={"finetuning": "stilts(task=qnli)"})
    assert [start_of(stilts, task) for task in tasks] == ["qnli", None, "qnli", "qnli", "qnli"]
    older = Recipe(tasks=tasks, from_mnli=True)
    assert [start_of(older, task) for task in tasks] == [None, None, "mnli", None, "mnli"]
    assert {start_of(Recipe(tasks=tasks), task) for task in tasks} == {None}


def test_meft_says_what_cannot_be_reversed(model, recipe, data):
    way = finetuning_of(with_way(recipe, "meft"))
    described = {"l": 2, "o": ["sa"] * 2, "h": [16, 32], "n": [2] * 2, "f": [[32]] * 2,
                 "p": ["sdp"] * 2}  # fmt: skip
    uneven = Architecture.from_dict(described)
    with pytest.raises(InvalidExperiment, match=r"widths 16, 32 .* finetuning: lora, or layers of"):
        run_trial(uneven, with_way(recipe, "meft"), data, seed=0)
    encoder, *_ = model()
    encoder.layers[1].feedforward = torch.nn.Identity()
    with pytest.raises(InvalidExperiment, match="another form"):
        way.require(encoder)

    class Other(torch.nn.Module):
        feedforward = encoder.layers[0].feedforward

    encoder.layers[1] = Other()
    way.require(encoder)
    with pytest.raises(InvalidExperiment, match=r"kind Other .* finetuning: meft\(variant=1\)"):
        finetuning_of(with_way(recipe, "meft(variant=3)")).require(encoder)


@pytest.mark.parametrize(
    "text",
    [
        "sift",
        "lora",
        "meft",
        "multi-task(weights=svd)",
        "self-calibrated(folds=2)",
        "transductive(confidence=0.5)",
    ],
)
def test_what_was_cut_off_while_it_was_fine_tuned_ends_with_the_same_bits(
    text, architecture, recipe, data, tmp_path, monkeypatch
):
    needs_peft(text)
    recipe = with_way(recipe, text, pretrain_tokens=64)
    run = lambda folder: run_trial(  # noqa: E731
        architecture(), recipe, data, seed=0, checkpoint=folder, checkpoint_seconds=0
    )
    whole, step = run(tmp_path / "whole"), Loop.step

    def until(self, *arguments):
        if self._stage in ("stsb", "all tasks") and self.step_number == 3:
            raise TrialError("cut off", cause="time-out")
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "step", until)
        with pytest.raises(TrialError, match="cut off"):
            run(tmp_path / "cut")
    again = run(tmp_path / "cut")
    assert again.scores == whole.scores
    said = {name: v for name, v in whole.details.items() if "similarity" in name}
    assert bool(said) == ("multi-task" in text)
    assert said.items() <= again.details.items()
