"""What makes no sense together is refused when a recipe is read, with what would work."""

import re

import pytest

from nas.training.recipe import Recipe
from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import SLOTS

REFUSED = [
    ({"optimizer": "sam(base=adahessian)"}, "curvature", {"optimizer": "sam"}),
    ({"finetune_optimizer": "fsam(base=adahessian)"}, "curvature", {"finetune_optimizer": "fsam"}),
    ({"objective": "contrastive+mlm"}, "two views", {"pretrain_dropout": 0.1}),
    ({"objective": "instruction", "block_length": 8}, "sentences", {"block_length": 16}),
    ({"objective": "mlm+nsp", "block_length": 8}, "single sentences", {"block_length": 16}),
    ({"finetuning": "stilts", "tasks": ["rte"]}, "not among them", {"finetuning": "full"}),
    (
        {"finetuning": "stilts(task=qqp)", "tasks": ["rte", "qnli"]},
        "not among",
        {"finetuning": "stilts(task=qnli)"},
    ),
    ({"finetuning": "sift", "distillation": "logits"}, "teacher", {"finetuning": "full"}),
    ({"objective": "e2s2(contrastive=0,detection=0)"}, "nothing is left", {"objective": "e2s2"}),
    ({"objective": "e2s2(replace=0,shuffle=0)+mlm"}, "nothing to tell", {"objective": "e2s2"}),
    (
        {"objective": "mlm+e2s2(detection=0,replace=0,shuffle=0)"},
        "neither noise nor dropout",
        {"pretrain_dropout": 0.1},
    ),
    ({"finetuning": "meft", "distillation": "logits"}, "teacher", {"finetuning": "full"}),
    (
        {"finetuning": "meft", "finetune_optimizer": "adahessian"},
        "gradients of gradients",
        {"finetune_optimizer": "adamw"},
    ),
    (
        {"finetuning": "meft", "precision": "bf16"},
        "half precision",
        {"finetuning": "meft(segment=2)"},
    ),
    (
        {"finetuning": "meft+stilts", "tasks": ["mnli", "rte"]},
        "adapters that the next one drops",
        {"finetuning": "lora+stilts"},
    ),
    ({"finetuning": "meft(inner=4)+lora"}, "adapters", {"finetuning": "meft(inner=4)"}),
    ({"finetuning": "multi-task+lora"}, "share one encoder", {"finetuning": "multi-task"}),
    ({"finetuning": "multi-task", "tasks": ["rte"]}, "none to learn", {"finetuning": "full"}),
    ({"finetuning": "multi-task", "selection": "dev"}, "one task alone", {"selection": "none"}),
    ({"finetuning": "multi-task", "tune_trials": 2}, "one task alone", {"tune_trials": 0}),
    ({"finetuning": "multi-task", "distillation": "logits"}, "teacher", {"finetuning": "full"}),
    (
        {"finetuning": "self-calibrated+transductive"},
        "which examples count",
        {"finetuning": "self-calibrated"},
    ),
    ({"finetuning": "transductive", "distillation": "logits"}, "teacher", {"finetuning": "full"}),
    (
        {"finetuning": "preference-heads+transductive"},
        "which examples count",
        {"finetuning": "preference-heads"},
    ),
    (
        {"finetuning": "lora+preference-heads(backbone=frozen)"},
        "one freezes",
        {"finetuning": "preference-heads(backbone=learns)+lora"},
    ),
    ({"objective": "sso", "short_blocks": 0.5, "block_length": 16}, "two", {"block_length": 32}),
]


@pytest.mark.parametrize(("given", "reason", "works"), REFUSED)
def test_it_is_refused_with_the_reason_and_what_works(given, reason, works):
    with pytest.raises(InvalidExperiment) as error:
        Recipe.from_dict(given)
    assert reason in str(error.value)
    for slot, text in works.items():
        assert f"{slot}: {text}" in str(error.value)
    Recipe.from_dict({k: v for k, v in given.items() if k not in works} | works)


def test_tasks_that_learn_at_once_have_one_rate():
    given = {"finetuning": "multi-task", "per_task": {"rte": {"learning_rate": 1e-4}}}
    with pytest.raises(InvalidExperiment, match="one optimizer .* one finetune_learning_rate"):
        Recipe.from_dict(given)
    Recipe.from_dict({**given, "per_task": {"rte": {"epochs": 2}}})


@pytest.mark.parametrize(("given", "reason", "works"), REFUSED)
def test_it_is_refused_among_choices_too(given, reason, works):
    slot, text = next(iter(given.items()))
    rest = {k: v for k, v in given.items() if k != slot}
    with pytest.raises(InvalidExperiment, match=re.escape(reason)):
        Recipe.from_dict({slot: [text, SLOTS[slot].default], **rest})
