"""Slots of a recipe: training asks their registries, and fields are aliases of settings."""

import dataclasses
from pathlib import Path

import pytest
import torch

from nas.training.objectives import PRETRAINING_OBJECTIVES, MaskedTokens
from nas.training.optimizers import OPTIMIZERS
from nas.training.recipe import Recipe
from nas.training.schedule import Schedule
from nas.training.schedules import SCHEDULES
from nas.training.trial import run_trial
from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SIZE = {"size": Setting(4)}


@pytest.fixture
def dummies():
    """A dummy optimizer, objective and schedule; yields what each was made with or called with."""
    seen = []

    def optimizer(decayed, kept, *, learning_rate, weight_decay, size):
        seen.append(("optimizer", size))
        return torch.optim.SGD([*decayed, *kept], lr=learning_rate, momentum=0.9)

    class Smaller(MaskedTokens):
        def __init__(self, size):
            super().__init__(0.5)
            seen.append(("objective", size))

        def losses(self, *arguments):
            for loss in super().losses(*arguments):
                yield loss / 2

    def schedule(steps, full_steps, *, finetuning, size):
        seen.append(("schedule", size))
        return Schedule(steps, 0, 0)

    made = {
        "optimizer": (OPTIMIZERS, optimizer),
        "objective": (PRETRAINING_OBJECTIVES, Smaller),
        "schedule": (SCHEDULES, schedule),
    }
    slots = [*made, "finetune_optimizer", "augmentation"]
    for slot in slots:
        SLOTS[slot].kinds.register("dummy")(Kind("dummy", "a test kind", SIZE))
    for registry, entry in made.values():
        registry.register("dummy")(entry)
    yield seen
    for slot in slots:
        del SLOTS[slot].kinds._entries["dummy"]
    for registry, _ in made.values():
        del registry._entries["dummy"]


def chosen(architecture, **recipe):
    return Architecture(architecture().layers, recipe=recipe)


@pytest.mark.parametrize("slot", ["optimizer", "finetune_optimizer", "objective", "schedule"])
def test_a_kind_that_nobody_ships_is_trained_with(slot, dummies, architecture, recipe, data):
    open_ = Recipe.from_dict({slot: {SLOTS[slot].default: {}, "dummy": {"size": [2, 4]}}}).open
    assert open_[slot] == (SLOTS[slot].default, "dummy(size=2)", "dummy")
    opened = dataclasses.replace(recipe, open=open_, tasks=("sst2",), pretrain_tokens=64)
    usual = run_trial(chosen(architecture, **{slot: SLOTS[slot].default}), opened, data, seed=0)
    assert not dummies
    other = run_trial(chosen(architecture, **{slot: "dummy(size=2)"}), opened, data, seed=0)
    kind = "optimizer" if slot == "finetune_optimizer" else slot
    assert set(dummies) == {(kind, 2)}
    assert other.details["sst2_loss"] != usual.details["sst2_loss"]
    closed = dataclasses.replace(opened, open={})
    assert run_trial(architecture(), closed, data, seed=0).scores == usual.scores


def test_a_sum_of_objectives_is_the_sum_of_their_losses(dummies, architecture, recipe, data):
    short = dataclasses.replace(recipe, tasks=("sst2",), pretrain_tokens=32)
    losses = {
        text: run_trial(
            architecture(), dataclasses.replace(short, slots={"objective": text}), data, seed=0
        ).details["pretrain_loss"]
        for text in ("mlm(mask_rate=0.5)", "dummy", "mlm(mask_rate=0.5)+dummy")
    }
    one, half, both = losses.values()
    assert half == pytest.approx(one / 2)
    assert both == pytest.approx(one + half)


def test_a_field_is_an_alias_of_a_setting():
    fields = {"mask_rate": 0.15, "warmup": 0.2, "pretrain_decay": 0.3}
    slots = {"objective": "mlm(mask_rate=0.15)", "schedule": "linear(warmup=0.2,decay=0.3)"}
    recipe = Recipe.from_dict(slots)
    assert recipe == Recipe.from_dict(fields)
    assert [str(part) for part in recipe.standing("schedule")] == ["linear(decay=0.3,warmup=0.2)"]
    assert Recipe.from_dict({"objective": "mlm"}).mask_rate == 0.3
    started = Recipe.from_dict({"tasks": ["mnli", "rte"], "finetuning": "full(start=mnli)"})
    assert started.from_mnli
    assert Recipe.from_dict(started.to_dict()) == started


def test_what_stands_in_a_slot_is_written_and_read_back(dummies):
    given = {"optimizer": "dummy(size=2)", "objective": "dummy+mlm(mask_rate=0.2)"}
    recipe = Recipe.from_dict(given)
    written = recipe.to_dict()
    assert {name: written[name] for name in given} == given
    assert "mask_rate" not in written
    assert recipe.mask_rate == 0.2
    assert Recipe.from_dict(written) == recipe
    opened = Recipe.from_dict({"schedule": ["linear", "linear(warmup=0.3)"]})
    assert Recipe.from_dict(opened.to_dict()) == opened


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mask_rate": 0.2, "objective": "mlm"}, "mask_rate and objective are both given.*Leave"),
        ({"mask_rate": [0.1, 0.2], "objective": ["mlm", "dummy"]}, "both given"),
        ({"warmup": 0.2, "schedule": {"linear": {}}}, "warmup and schedule are both given"),
        ({"pretrain_decay": 0.2, "open": {"schedule": ["linear"]}}, "pretrain_decay and schedule"),
        ({"from_mnli": False, "finetuning": "full"}, "from_mnli and finetuning"),
        ({"optimiser": "adamw"}, "no key 'optimiser'.*Did you mean 'optimizer'"),
        ({"optimizer": "adam"}, "no optimizer is called 'adam'.*Available: .*adamw, dummy"),
        ({"optimizer": ["adam"]}, "no optimizer is called 'adam'"),
        ({"optimizer": "dummy(sise=3)"}, "sise.*Its settings: size"),
        ({"optimizer": "dummy(size=0)"}, "size is 0. Allowed: a whole number above 0"),
        ({"optimizer": "adamw+dummy"}, "one optimizer stands there at a time"),
        ({"optimizer": 3}, "optimizer is 3"),
        ({"objective": "mlm(mask_rate=1.5)"}, "mask_rate is 1.5. Allowed: .* to 1"),
        ({"objective": "mlm(mask_rate=1)"}, "mask_rate is 1.0, but must be a number above 0"),
        ({"finetuning": "full > full(start=mnli)"}, "2 phases, and has one"),
    ],
)
def test_what_a_slot_cannot_have_is_refused(dummies, settings, words):
    with pytest.raises(InvalidExperiment, match=words):
        Recipe.from_dict(settings)


def test_an_architecture_that_chose_a_slot_and_its_alias_is_refused(dummies, architecture):
    both = chosen(architecture, mask_rate=0.2, objective="dummy")
    with pytest.raises(InvalidExperiment, match="both given in the architecture"):
        Recipe().chosen(both)
    picked = Recipe().chosen(chosen(architecture, objective="dummy", optimizer="adamw"))
    assert picked.slots == {"objective": "dummy"}


def test_every_kind_of_a_recipe_has_a_line_in_the_page():
    page = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text(encoding="utf-8")
    slot, lines = "", {}
    for row in page.splitlines():
        cells = [cell.strip() for cell in row.split("|")[1:-1]]
        if len(cells) == 4:
            slot = cells[0] or slot
            for name in slot.replace("`", "").split(", "):
                lines.setdefault(name, "")
                lines[name] += row + "\n"
    for name, found in SLOTS.items():
        for kind in found.kinds.values() if found.level == "recipe" else ():
            row = next((r for r in lines[name].splitlines() if f"`{kind.name}`" in r), None)
            assert row, f"docs/recipes.md has no line for {name} {kind.name}"
            for setting in kind.settings:
                assert f"`{setting}=" in row, f"docs/recipes.md: {kind.name} has {setting}"
