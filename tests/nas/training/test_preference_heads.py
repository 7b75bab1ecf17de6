"""Rewards of answers: known losses, where they are least, and what becomes of the encoder."""

import dataclasses
import math

import pytest
import torch

from nas.models.encoder import Encoder
from nas.models.outputs import make_output
from nas.training.finetunings.preference_heads import (
    PreferenceHeads,
    contrastive,
    separable,
)
from nas.training.trial import model_options, run_trial

LOSSES = {"separable": separable, "contrastive": contrastive}
FIRST = torch.tensor([0])


@pytest.mark.parametrize(
    ("name", "smoothing", "expected"),
    [
        ("separable", 0.1, 0.74019), ("contrastive", 0.1, 0.34859),
        ("separable", 0.0, 0.44019), ("contrastive", 0.0, 0.04859),
    ],
)  # fmt: skip
def test_losses_are_the_published_ones(name, smoothing, expected):
    rewards = torch.tensor([[2.0, -1.0]], dtype=torch.float64)
    found = LOSSES[name](rewards, FIRST, smoothing)
    assert found.item() == pytest.approx(expected, abs=1e-5)
    turned = LOSSES[name](rewards.flip(1), torch.tensor([1]), smoothing)
    assert turned.item() == pytest.approx(expected, abs=1e-5)


def test_separable_rewards_are_best_at_the_odds_of_the_labels():
    best = math.log(9)
    assert best == pytest.approx(2.19722, abs=1e-5)
    rewards = torch.tensor([[best, -best]], dtype=torch.float64, requires_grad=True)
    loss = separable(rewards, FIRST, 0.1)
    assert loss.item() == pytest.approx(0.65017, abs=1e-5)
    loss.backward()
    assert rewards.grad.abs().max() < 1e-12


def test_contrastive_rewards_may_lie_anywhere():
    torch.manual_seed(0)
    rewards, right = torch.randn(6, 4, dtype=torch.float64), torch.arange(6) % 4
    moved = contrastive(rewards + 7, right, 0.1)
    torch.testing.assert_close(moved, contrastive(rewards, right, 0.1))
    assert separable(rewards + 7, right, 0.1) > separable(rewards, right, 0.1) + 1


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_of_several_wrong_answers_the_mean_counts(name):
    torch.manual_seed(0)
    rewards, right = torch.randn(5, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0])
    pairs = []
    for row, place in zip(rewards, right.tolist(), strict=True):
        others = [other for other in range(4) if other != place]
        two = [LOSSES[name](row[[place, other]][None], FIRST, 0.1) for other in others]
        pairs.append(torch.stack(two).mean())
    torch.testing.assert_close(LOSSES[name](rewards, right, 0.1), torch.stack(pairs).mean())


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_it_learns_to_choose(loss, architecture, recipe, data):
    slots = {"finetuning": f"preference-heads(loss={loss})"}
    recipe = dataclasses.replace(
        recipe,
        pretrain_tokens=64,
        finetune_epochs=25,
        finetune_learning_rate=5e-3,
        slots=slots,
        tasks=("sst2",),
    )
    train = data.tasks["sst2"]["train"]
    data = dataclasses.replace(data, tasks={"sst2": {"train": train, "dev": train}})
    assert run_trial(architecture(), recipe, data, seed=0).scores["sst2"] == 1.0


def test_a_frozen_backbone_says_of_language_what_it_said(architecture, recipe, data):
    kept = {}

    def keep(task, encoder, head, result):
        kept[task.name] = {k: v.clone() for k, v in encoder.state_dict().items()}

    slots = {"finetuning": "preference-heads(backbone=frozen)"}
    changed = dataclasses.replace(recipe, pretrain_tokens=64, slots=slots)
    torch.manual_seed(0)
    run_trial(architecture(), changed, data, seed=0, keep=keep)
    encoder = Encoder(architecture(), data.vocabulary_size, **model_options(recipe)).eval()
    said = []
    tokens = torch.arange(5, 13)[None]
    torch.manual_seed(1)
    output = make_output(encoder)
    for weights in kept.values():
        encoder.load_state_dict(weights)
        said.append(output(encoder(tokens)))
    assert torch.equal(*said)
    apart = {n for n, v in kept["sst2"].items() if not torch.equal(v, kept["stsb"][n])}
    assert apart == {"pooler.weight", "pooler.bias"}


def test_weights_return_to_where_they_began(architecture, recipe, data):
    torch.manual_seed(0)
    encoder = Encoder(architecture(), data.vocabulary_size, **model_options(recipe))
    before = {name: p.detach().clone() for name, p in encoder.named_parameters()}
    way = PreferenceHeads("separable", 0.1, 0.5, "learns")
    with way.applied(encoder):
        with torch.no_grad():
            for p in encoder.parameters():
                p.add_(1.0)
        way.stepped(0.2)
        for name, p in encoder.named_parameters():
            torch.testing.assert_close(p.detach(), before[name] + 0.9)
    way.stepped(0.2)  # nothing after it
    name = "pooler.weight"
    torch.testing.assert_close(encoder.pooler.weight.detach(), before[name] + 0.9)


def test_the_pull_back_is_part_of_training(architecture, recipe, data):
    found = []
    for decay in (0, 50):
        weights = {}

        def keep(task, encoder, head, result, weights=weights):
            weights[task.name] = encoder.layers[0].mixed.weight.detach().clone()

        slots = {"finetuning": f"preference-heads(decay={decay})"}
        changed = dataclasses.replace(recipe, pretrain_tokens=64, slots=slots)
        run_trial(architecture(), changed, data, seed=0, keep=keep)
        found.append((weights["sst2"] - weights["stsb"]).norm().item())
    assert found[1] < 0.9 * found[0]
