"""Our BOSHNAS finds good architectures sooner than chance; the published one keeps its phases."""

import numpy as np
import pytest
import torch

from search_spaces import FiniteSpace, load_space
from search_spaces.errors import PolicyError
from surrogates import make_policy
from surrogates.boshnas.paper_surrogate import PaperSurrogate
from surrogates.boshnas.teacher_student import Perceptron, disagreement, taught


@pytest.fixture(scope="module")
def table():
    return FiniteSpace(load_space("flexibert-test").sample(200, seed=3), name="table")


def best_after(name, space, score, seed, budget=16):
    policy, found = make_policy(name, space, seed=seed), []
    for _ in range(budget):
        (architecture,) = policy.ask()
        found.append(score(architecture))
        policy.tell(architecture, {"glue": found[-1]})
    return max(found)


def test_boshnas_beats_random_over_seeds(table, score):
    ours = [best_after("boshnas", table, score, seed) for seed in range(5)]
    chance = [best_after("random", table, score, seed) for seed in range(5)]
    top = max(score(a) for a in table)
    assert np.mean(ours) > np.mean(chance)
    assert np.mean(ours) > top - 0.02


def test_with_several_objectives_the_first_is_not_forgotten(table, score):
    policy, found = make_policy("boshnas", table, {"glue": "max", "parameters": "min"}), []
    for _ in range(20):
        (architecture,) = policy.ask()
        found.append(score(architecture))
        policy.tell(architecture, {"glue": found[-1]})
    assert max(found) > max(score(a) for a in table) - 0.03


def test_before_anything_is_told_each_of_the_three_models_counts_as_much(table):
    policy = make_policy("boshnas", table)
    assert policy._make_model(1, policy.features).shares == pytest.approx([1 / 3] * 3)


def test_paper_phases_occur_in_their_shares(small_space, score):
    # which phase it is, is drawn before anything is optimised: the plainest search will do
    options = {"initial": 4, "second_order": False, "heteroscedastic": False, "restarts": 1}
    reasons = []
    for seed in range(12):
        policy = make_policy("boshnas-paper", small_space, seed=seed, options=options)
        for _ in range(10):
            (architecture,) = policy.ask()
            reasons.append(policy.explain(architecture)["reason"])
            policy.tell(architecture, {"glue": score(architecture)})
    assert reasons.count("initial") == 48
    shares = {name: reasons.count(name) / 72 for name in ("optimise", "uncertainty", "diversity")}
    assert shares["optimise"] == pytest.approx(0.8, abs=0.15)
    assert 0 < shares["uncertainty"] < 0.25
    assert 0 < shares["diversity"] < 0.25


@pytest.mark.parametrize("option", ["second_order", "heteroscedastic"])
def test_paper_ablations_change_what_is_proposed(option, table, score):
    asked = {}
    for value in (True, False):
        policy = make_policy("boshnas-paper", table, options={option: value, "initial": 4})
        for _ in range(12):
            (architecture,) = policy.ask()
            policy.tell(architecture, {"glue": score(architecture)})
        asked[value] = [t.architecture.hash for t in policy.trials()]
    assert asked[True][:4] == asked[False][:4]
    assert asked[True] != asked[False]


def test_paper_reports_convergence_after_ten_steps_without_gain(small_space):
    policy = make_policy("boshnas-paper", small_space, options={"initial": 2}, seed=1)
    converged = []
    for i in range(24):
        (architecture,) = policy.ask()
        converged.append(policy.explain(architecture).get("converged", False))
        policy.tell(architecture, {"glue": 1.0 if i == 0 else 0.1})
    # Any other phase starts the count anew, so it is reported only where ten came in a row.
    reasons = [t.why["reason"] for t in policy.trials()]
    for i, flag in enumerate(converged):
        if flag:
            assert reasons[i - 10 : i] == ["optimise"] * 10


def test_paper_predicts_one_objective(small_space, score):
    policy = make_policy("boshnas-paper", small_space)
    with pytest.raises(PolicyError, match="has been told no result yet"):
        policy.predict(list(small_space)[:2])
    for architecture in policy.ask(6):
        policy.tell(architecture, {"glue": score(architecture)})
    prediction = policy.predict(list(small_space)[:5])["glue"]
    assert prediction.mean.shape == prediction.epistemic.shape == prediction.aleatoric.shape == (5,)
    assert (prediction.epistemic >= 0).all()
    two = make_policy("boshnas-paper", small_space, {"glue": "max", "flops": "min"})
    with pytest.raises(PolicyError, match="models all objectives as one"):
        two.predict(list(small_space)[:2])


@pytest.mark.parametrize(("unit", "direction"), [(1.0, "max"), (100.0, "max"), (100.0, "min")])
def test_paper_predicts_in_the_units_of_what_was_told(unit, direction, small_space, score):
    sign = 1.0 if direction == "max" else -1.0
    policies = []
    for scale, way in ((1.0, "max"), (sign * unit, direction)):
        policies.append(make_policy("boshnas-paper", small_space, {"value": way}, seed=2))
        for a in small_space.architectures[:8]:
            policies[-1].tell(a, {"value": scale * score(a)})
    rest = small_space.architectures[8:]
    one, other = (policy.predict(rest)["value"] for policy in policies)
    told = [score(a) for a in small_space.architectures[:8]]
    # as far apart as what was told, not as the shares between best and worst inside
    assert np.ptp(one.mean) < 3 * np.ptp(told)
    assert other.mean == pytest.approx(sign * unit * one.mean, rel=1e-3)
    for name in ("epistemic", "aleatoric"):
        assert getattr(other, name) == pytest.approx(unit * getattr(one, name), rel=1e-3)


def test_paper_options_are_checked(small_space):
    with pytest.raises(PolicyError, match="The option initial is 0; give a number of 1 or more"):
        make_policy("boshnas-paper", small_space, options={"initial": 0})


def test_teacher_learns_and_student_copies_its_doubt(monkeypatch):
    monkeypatch.setattr("surrogates.boshnas.paper_surrogate.STEPS", 3_000)
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand((40, 2), generator=generator, dtype=torch.float64)
    losses = 0.2 + 0.6 * rows[:, 0]
    fitted = PaperSurrogate(2, heteroscedastic=False, generator=generator)
    fitted.learn(rows, losses, np.random.default_rng(0))
    with torch.no_grad():
        mean, doubt, variance = fitted.moments(rows)
    assert np.corrcoef(mean, losses)[0, 1] > 0.9
    assert (variance == 0).all()
    measured = disagreement(fitted.teacher, rows, generator)
    # The published student learns at a rate that only brings it near the level of the doubt.
    assert doubt.mean().item() == pytest.approx(measured.mean().item(), abs=0.2)
    assert (fitted.bound(rows, aleatoric=False) < mean).all()


def test_the_published_networks_spread_as_what_they_learned(monkeypatch):
    """A few rounds of 3,000 steps of one row, each going on from the last, reach the targets."""
    monkeypatch.setattr("surrogates.boshnas.paper_surrogate.STEPS", 3_000)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn((20, 16), generator=generator, dtype=torch.float64)
    losses = torch.sigmoid(rows[:, 0])
    fitted = PaperSurrogate(16, heteroscedastic=True, generator=generator)
    rng, errors = np.random.default_rng(0), []
    for _ in range(12):
        fitted.learn(rows, losses, rng)
        with torch.no_grad():
            mean, _, _ = fitted.moments(rows)
        errors.append(float((mean - losses).square().mean()))
    assert errors[0] > 4 * errors[-1]
    assert mean.std() > 0.8 * losses.std()


@pytest.mark.parametrize("initial", [2, 20])
def test_the_published_networks_can_be_made_again_from_the_record(initial, small_space, score):
    """Whenever they are asked between, and whether one process told all of it or two."""
    options = {"initial": initial}
    first = make_policy("boshnas-paper", small_space, options=options, seed=3)
    told = small_space.architectures[:6]
    for architecture in told:
        first.tell(architecture, {"glue": score(architecture)})
        first.predict(told)
    second = make_policy("boshnas-paper", small_space, options=options, seed=3)
    second.load_state_dict(first.state_dict())
    one, other = (p.predict(small_space.architectures)["glue"] for p in (first, second))
    np.testing.assert_array_equal(one.mean, other.mean)
    assert [a.hash for a in first.ask(2)] == [a.hash for a in second.ask(2)]


@pytest.mark.parametrize("seed", range(3))
def test_a_student_that_converges_knows_the_doubt_where_nothing_was_told(seed):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.rand((40, 2), generator=generator, dtype=torch.float64)
    elsewhere = 4 * torch.rand((60, 2), generator=generator, dtype=torch.float64)
    teacher, student = taught(rows, 0.2 + 0.6 * rows[:, 0], elsewhere, generator)
    for asked in (rows, elsewhere):
        measured = disagreement(teacher, asked.repeat(40, 1), generator).mean().item()
        with torch.no_grad():
            assert student(asked).mean().item() == pytest.approx(measured, rel=0.3)


def test_dropout_is_off_without_a_generator():
    network = Perceptron(3, 0.3, torch.Generator().manual_seed(0))
    rows = torch.ones((4, 3), dtype=torch.float64)
    assert torch.equal(network(rows), network(rows))
    generator = torch.Generator().manual_seed(0)
    assert not torch.equal(network(rows, generator), network(rows, generator))
