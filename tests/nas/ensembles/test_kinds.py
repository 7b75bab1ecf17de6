"""Every kind of ensemble keeps the contract of its base; a new one needs no new test for it."""

import numpy as np
import pytest
import torch

from nas.ensembles import ENSEMBLES, Answers, Weighted, bandit, stacked
from nas.ensembles.bandit import reinforce, rewards_of
from nas.ensembles.base import Standard
from nas.ensembles.folds import out_of_fold

KINDS = sorted(ENSEMBLES)


def made(*, members=3, count=60, classes=3, width=4, knowledge=0, seed=0, accuracy=None):
    """Return answers and labels; member 0 is the best unless `accuracy` says otherwise."""
    rng = np.random.default_rng(seed)
    accuracy = accuracy or [0.9, *([0.5] * (members - 1))]
    if classes == 1:
        labels = rng.normal(size=count)
        said = np.stack([labels + (1 - a) * 3 * rng.normal(size=count) for a in accuracy])[
            ..., None
        ]
    else:
        labels = rng.integers(0, classes, count).astype(float)
        hit = rng.random((members, count)) < np.array(accuracy)[:, None]
        decided = np.where(hit, labels, (labels + 1) % classes).astype(int)
        said = 0.7 * np.eye(classes)[decided] + 0.3 / classes
    vectors = rng.normal(size=(count, members * width))
    return Answers(said, vectors, rng.normal(size=(count, knowledge))), labels


def fitted(kind, answers, labels, seed=0):
    ensemble = ENSEMBLES[kind]()
    ensemble.fit(answers, labels, seed=seed)
    return ensemble


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(bandit, "STEPS", 60)


@pytest.mark.parametrize("classes", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_every_example_and_the_seed_decides_all(kind, classes):
    answers, labels = made(classes=classes, knowledge=2)
    first, again = (fitted(kind, answers, labels).combine(answers) for _ in range(2))
    assert first.shape == (60, classes)
    assert np.array_equal(first, again)
    one_by_one = [fitted(kind, answers, labels).combine(answers.at(np.array([n]))) for n in (0, 7)]
    np.testing.assert_allclose(np.concatenate(one_by_one), first[[0, 7]], atol=1e-12)
    if classes > 1:
        np.testing.assert_allclose(first.sum(1), 1)
        assert (first >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_of_more_bits_than_torch_takes_decides_too(kind):
    answers, labels = made()
    assert fitted(kind, answers, labels, seed=10**30).combine(answers).shape == (60, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_drawn_touches_the_generator_of_others(kind):
    before = torch.get_rng_state()
    fitted(kind, *made())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_few_examples_of_one_label_are_no_reason_to_fail(kind, classes):
    answers, _ = made(count=2, classes=classes)
    found = fitted(kind, answers, np.zeros(2)).combine(answers)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("kind", ["bandit", "weighted"])
def test_shares_go_to_the_best_member(kind, classes, monkeypatch):
    monkeypatch.setattr(bandit, "STEPS", 200)
    answers, labels = made(count=400, classes=classes, accuracy=[0.5, 0.95, 0.5])
    shares = fitted(kind, answers, labels).shares(answers)
    assert shares.sum() == pytest.approx(1)
    assert shares.argmax() == 1
    assert shares[1] > 0.6


def test_a_weight_for_one_member_alone_gives_its_answers():
    answers, _ = made()
    ensemble = Weighted()
    np.testing.assert_allclose(ensemble.combine(answers), answers.probabilities.mean(0))
    ensemble.weights = np.array([0.0, 1.0, 0.0])
    np.testing.assert_allclose(ensemble.combine(answers), answers.probabilities[1])


def test_weights_are_the_likeliest_there_are():
    """By trying every weight: likelihood, and one example for free for each member."""
    answers, labels = made(members=2, accuracy=[0.8, 0.7])
    weights = fitted("weighted", answers, labels).weights
    right = answers.probabilities[:, np.arange(60), labels.astype(int)]
    grid = np.linspace(0.001, 0.999, 999)
    value = [
        np.log(w * right[0] + (1 - w) * right[1]).sum() + np.log(w) + np.log(1 - w) for w in grid
    ]
    assert weights[0] == pytest.approx(grid[int(np.argmax(value))], abs=0.002)


def test_weights_of_numbers_have_the_least_squared_error():
    answers, labels = made(members=2, classes=1, accuracy=[0.9, 0.8])
    weights = fitted("weighted", answers, labels).weights
    first, second = answers.probabilities[..., 0]
    grid = np.linspace(0, 1, 1001)
    value = [
        ((w * first + (1 - w) * second - labels) ** 2).sum()
        + labels.var() * ((w - 0.5) ** 2 + (0.5 - w) ** 2 + 0.5)
        for w in grid
    ]
    assert weights[0] == pytest.approx(grid[int(np.argmin(value))], abs=0.01)
    assert weights.sum() == pytest.approx(1)


def test_nothing_learnt_of_vectors_is_a_plain_mean(monkeypatch):
    monkeypatch.setattr(stacked, "STEPS", 0)
    for classes in (1, 3):
        answers, labels = made(classes=classes)
        found = fitted("stacked", answers, labels).combine(answers)
        np.testing.assert_allclose(found, answers.probabilities.mean(0), atol=1e-9)


def test_vectors_correct_members_that_are_all_wrong():
    answers, labels = made(count=300, classes=2, accuracy=[0.5, 0.5, 0.5])
    answers.vectors[:, 5] = np.where(labels, 1.0, -1.0)
    said = out_of_fold(ENSEMBLES["stacked"], answers, labels, seed=0)
    assert (said.argmax(1) == labels).mean() > 0.9


@pytest.mark.parametrize("classes", [1, 2])
def test_vectors_that_say_nothing_are_hardly_learnt_from(classes):
    """The members are good: a network that learnt noise by heart would spoil their mean."""
    worse = []
    for seed in range(3):
        answers, labels = made(count=80, classes=classes, width=40, accuracy=[0.9] * 3, seed=seed)
        said = out_of_fold(ENSEMBLES["stacked"], answers, labels, seed=seed)
        mean = answers.probabilities.mean(0)
        if classes == 1:
            far = [np.square(one[:, 0] - labels).mean() / labels.var() for one in (said, mean)]
        else:
            far = [(one.argmax(1) != labels).mean() for one in (said, mean)]
        worse.append(far[0] - far[1])
    assert np.mean(worse) < 0.03


def arms(seed, steps=600):
    generator = torch.Generator().manual_seed(seed)
    chance = torch.tensor([0.6, 0.9, 0.7])

    def reward(rows, actions):
        return (torch.rand((), generator=generator) < chance[actions]).float()

    found = reinforce(
        torch.ones(1, 1), reward, arms=3, steps=steps, batch=1, entropy=0.0, shrink=0.0,
        generator=generator,
    )  # fmt: skip
    return found[:, 0].softmax(0)


def test_the_best_of_three_arms_is_found():
    assert arms(0)[1].item() == pytest.approx(0.979, abs=5e-4)
    assert [int(arms(seed, 200).argmax()) for seed in (1, 2)] == [1, 1]


@pytest.mark.parametrize("where", ["vectors", "knowledge"])
def test_a_policy_that_reads_beats_the_best_member(where, monkeypatch):
    """Each of two members is right where a fact has its sign: none is more than half right."""
    monkeypatch.setattr(bandit, "STEPS", 300)
    answers, labels = made(members=2, count=400, classes=2, knowledge=3, accuracy=[0.5, 0.5])
    facts = getattr(answers, where)
    right = np.stack([facts[:, 1] > 0, facts[:, 1] <= 0])
    decided = np.where(right, labels, 1 - labels).astype(int)
    answers = Answers(0.9 * np.eye(2)[decided] + 0.05, answers.vectors, answers.knowledge)
    alone = (answers.probabilities.argmax(2) == labels).mean(1).max()
    said = out_of_fold(ENSEMBLES["bandit"], answers, labels, seed=0, folds=2)
    assert (said.argmax(1) == labels).mean() > alone + 0.2


def test_rewards_by_hand():
    said = np.array([[[0.9, 0.1]], [[0.2, 0.8]], [[1.0, 0.0]]])
    found = rewards_of(Answers(said, np.zeros((1, 0)), np.zeros((1, 0))), np.array([1.0]))
    expected = [0.1 * np.log(0.1), 1 + 0.1 * np.log(0.8), -0.7]
    np.testing.assert_allclose(found[:, 0], expected)
    numbers = Answers(
        np.array([[[0.0], [2.0]], [[1.4], [9.0]]]), np.zeros((2, 0)), np.zeros((2, 0))
    )
    found = rewards_of(numbers, np.array([0.0, 2.0]))  # a deviation of 1
    np.testing.assert_allclose(found, [[1, 1], [-0.1 * 1.96, -0.7]])


def test_no_ensemble_is_fitted_on_what_it_answers():
    answers, labels = made(count=23)
    seen, answered = [], []

    class Spy(Weighted):
        def fit(self, answers, labels, *, seed):
            self.own = {row.tobytes() for row in answers.vectors}
            seen.append(len(labels))

        def combine(self, answers):
            rows = {row.tobytes() for row in answers.vectors}
            assert not rows & self.own
            answered.append(len(rows))
            return np.full((len(answers), 3), len(answered))

    found = out_of_fold(Spy, answers, labels, seed=0)
    assert sum(answered) == 23
    assert seen == [23 - n for n in answered]
    assert sorted(answered) == [4, 4, 5, 5, 5]
    assert (found > 0).all()
    answered.clear()
    out_of_fold(Spy, answers.at(np.arange(3)), labels[:3], seed=0)
    assert answered == [1, 1, 1]


def test_a_column_that_never_moves_says_nothing():
    rows = np.array([[1.0, 5.0], [3.0, 5.0]])
    assert Standard(rows)(rows).tolist() == [[-1, 0], [1, 0]]
