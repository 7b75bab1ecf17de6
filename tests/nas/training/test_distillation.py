"""Distillations: every kind learns from a teacher, and equals its formula."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from nas.evaluation.suites.glue import glue_task
from nas.teachers.lessons import Answers
from nas.training.distillation import DISTILLATIONS, distillation_of
from nas.training.recipe import Recipe
from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import SLOTS

CLASSES, NUMBER = glue_task("mnli"), glue_task("stsb")
KEEP = torch.arange(5) < torch.tensor([[5], [2], [3]])


def answers(outputs, seed, layers=2):
    generator = torch.Generator().manual_seed(seed)
    states = [torch.randn(3, 5, 4, generator=generator) for _ in range(layers)]
    return Answers(torch.randn(3, outputs, generator=generator), states, KEEP)


def learning(outputs, seed):
    found = answers(outputs, seed)
    for tensor in (found.outputs, *found.states):
        tensor.requires_grad_()
    return found


def kinds():
    return [name for name in SLOTS["distillation"].kinds if name != "none"]


@pytest.mark.parametrize("name", kinds())
@pytest.mark.parametrize("task", [CLASSES, NUMBER], ids=["classes", "number"])
def test_every_kind_pulls_towards_the_teacher(name, task):
    how = distillation_of(Recipe(slots={"distillation": name}))
    outputs = 3 if task is CLASSES else 1
    student, teacher = learning(outputs, 0), answers(outputs, 1)
    zero = torch.zeros(())
    loss = how.loss(zero, student, teacher, task)
    loss.backward()
    assert loss.ndim == 0
    assert loss.isfinite()
    assert student.outputs.grad.norm() > 0
    for state in student.states:
        assert (state.grad is not None) == how.reads_states
    assert float(how.loss(zero, teacher, teacher, task)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", kinds())
def test_padding_teaches_nothing(name):
    how = distillation_of(Recipe(slots={"distillation": name}))
    student, teacher = learning(3, 0), answers(3, 1)
    how.loss(torch.zeros(()), student, teacher, CLASSES).backward()
    for state in student.states if how.reads_states else ():
        assert state.grad[~KEEP].abs().max() == 0


def test_every_kind_can_be_trained():
    assert sorted(DISTILLATIONS) == sorted(kinds())


def test_logits_by_hand():
    how = DISTILLATIONS["logits"](temperature=3.0, labels=0.25)
    student, teacher, own = answers(3, 0), answers(3, 1), torch.tensor(2.0)
    p, q = (F.softmax(a.outputs / 3, -1) for a in (teacher, student))
    divergence = (p * (p / q).log()).sum(1).mean() * 9
    assert_close(how.loss(own, student, teacher, CLASSES), 0.25 * own + 0.75 * divergence)
    square = (student.outputs - teacher.outputs).square().mean()
    assert_close(how.loss(own, student, teacher, NUMBER), 0.25 * own + 0.75 * square)


def test_hidden_states_by_hand():
    how = DISTILLATIONS["hidden"](temperature=2.0, labels=1.0, states=2.0)
    student, teacher = answers(3, 0), answers(3, 1)
    errors = []
    for mine, its in zip(student.states, teacher.states, strict=True):
        rows, targets = mine[KEEP], its[KEEP]
        variance = targets.var(0, unbiased=False).mean()
        errors.append((rows - targets).square().mean() / variance)
    own = torch.tensor(0.7)
    assert_close(how.loss(own, student, teacher, CLASSES), own + 2 * sum(errors) / 2)


def test_a_recipe_names_a_distillation_and_its_settings():
    recipe = Recipe.from_dict({"distillation": "hidden(labels=0.5)"})
    assert distillation_of(recipe).labels == 0.5
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert distillation_of(Recipe()) is None
    with pytest.raises(InvalidExperiment, match=r"Available: hidden, logits, none"):
        Recipe.from_dict({"distillation": "hiden"})
