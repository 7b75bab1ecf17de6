"""What holds for every kind of task: right answers score 1, a loss falls, labels are checked."""

import numpy as np
import pytest
import torch

from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.kinds.span import Span
from nas.evaluation.kinds.words import BETWEEN, CONTINUED
from nas.evaluation.majority import majority_metrics
from nas.evaluation.metrics import entities, entity_f1, exact_match, micro_f1, score
from nas.evaluation.suites.task import Task
from nas.training.prediction import Scale
from search_spaces.errors import InvalidData

RNG = np.random.default_rng(0)
NAMES = {
    "classes": ("a", "b", "c"),
    "number": (),
    "choice": ("0", "1", "2"),
    "labels": ("a", "b"),
    "words": ("B-x", "I-x", "O"),
    "span": ("no answer",),
}
COLUMNS = {"span": ("question", "context")}
PER_TOKEN = ("words", "span")
LABELS = {
    "classes": RNG.integers(3, size=12).astype(np.float32),
    "choice": np.arange(12, dtype=np.float32) % 3,
    "number": RNG.normal(size=12).astype(np.float32),
    "labels": RNG.integers(2, size=(12, 2)).astype(np.float32),
    "words": np.array(
        [BETWEEN, 0, CONTINUED, 1, 2, BETWEEN, BETWEEN, 2, 0, BETWEEN], dtype=np.float32
    ),
    "span": np.array([0, -1, 1, 2, -1, 3, -1, 0, 0, -1], dtype=np.float32),
}


def task(name, **facts):
    kind = TASK_KINDS[name]
    usual = {"labels": NAMES[name], "metrics": kind.metrics} | facts
    return Task(
        name="t", folder="", columns=COLUMNS.get(name, ("text",)), label="y", source="",
        kind=name, own=True, **usual,
    )  # fmt: skip


class Part:
    def __init__(self, labels, passages=None):
        self.labels, self.passages = labels, passages


class Asked:
    """Two questions about one text: the second has no answer."""

    answers = (("the sea", "sea"), ())

    def context_of(self, question):
        return "It was the sea"


@pytest.mark.parametrize("name", sorted(TASK_KINDS))
def test_a_kind(name):
    kind, labels, row = TASK_KINDS[name], LABELS[name], task(name)
    kind.check(row)
    assert kind.check_labels(row, labels) is None
    assert set(kind.metrics) <= set(kind.allowed)
    part = Part(labels, Asked() if name == "span" else None)
    right = kind.right(part)
    answers = np.where(labels < 0, 0, labels) if name == "words" else labels.astype(np.float64)
    if name == "span":
        answers = np.empty(2, dtype=object)
        answers[:] = [Span("The sea.", 7), Span("", -1)]
    every = task(name, metrics=tuple(m for m in kind.allowed if m not in ("f1", "matthews")))
    found = score(every, answers, right)
    assert all(value == pytest.approx(1.0) for value in found.values()), found
    constant = majority_metrics(row, {"train": part, "dev": part})["dev"]
    assert all(value < 1 for value in constant.values())
    with pytest.raises(InvalidData, match="does not go with"):
        kind.check(task(name, metrics=("bleu",)))
    if NAMES[name]:
        assert kind.check_labels(row, labels + 7) is not None
        with pytest.raises(InvalidData):
            kind.check(task(name, labels=("a", "a")))


@pytest.mark.parametrize("name", sorted(TASK_KINDS))
def test_a_loss_falls_and_its_answers_are_the_labels(name):
    kind, labels = TASK_KINDS[name], torch.from_numpy(LABELS[name])
    if name in PER_TOKEN:
        labels = labels.view(2, 5)
    wide = 3 if name == "choice" else kind.outputs(task(name))  # answers stand side by side
    shape = (*labels.shape[: 2 if name in PER_TOKEN else 1], wide)
    outputs = torch.zeros(shape, requires_grad=True)
    optimizer = torch.optim.Adam([outputs], 0.2)
    scale = Scale.of(LABELS[name]) if name == "number" else Scale()
    losses = []
    for _ in range(120):
        loss = kind.loss(outputs, labels, scale)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.1 * losses[0]
    answers = kind.answers(outputs.detach(), scale)
    if name == "span":  # of each window its first and its last token
        likely = outputs.detach().masked_fill((labels < 0)[..., None], -torch.inf).argmax(1)
        assert likely.tolist() == [[2, 3], [0, 0]]
        answers = labels
    there = labels >= 0 if name == "words" else torch.ones_like(labels, dtype=torch.bool)
    assert torch.allclose(answers[there].float(), labels[there], atol=0.1)
    same = kind.soft_loss(outputs.detach(), outputs.detach(), 2.0)
    other = kind.soft_loss(-outputs.detach(), outputs.detach(), 2.0)
    assert same < other
    broken = torch.full(shape, torch.nan)
    assert kind.answers(broken, scale).isnan().all()


def test_entities_of_labels():
    assert entities(["B-x", "I-x", "O", "I-y", "B-y"]) == {(0, 2, "x"), (3, 4, "y"), (4, 5, "y")}
    assert entities(["x", "x", "", "x", "O"]) == {(0, 2, "x"), (3, 4, "x")}
    assert entities(["B-x", "", "I-x"]) == {(0, 1, "x"), (2, 3, "x")}
    right = ["B-x", "I-x", "O", "B-y", "O", "B-y"]
    said = ["B-x", "O", "O", "B-y", "O", "B-x"]
    # one of three claimed is right, and three are true
    assert entity_f1(said, right) == pytest.approx(2 * 1 / 6)
    assert entity_f1(["O", "O"], ["O", "O"]) == 0.0


def test_metrics_of_several_labels_against_scikit_learn():
    from sklearn.metrics import accuracy_score, f1_score

    said, right = RNG.integers(2, size=(2, 50, 4))
    assert micro_f1(said, right) == pytest.approx(f1_score(right, said, average="micro"))
    assert exact_match(said, right) == pytest.approx(accuracy_score(right, said))
