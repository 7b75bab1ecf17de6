"""Noisy improvement over our surrogates: against plain samples, and against the closed forms."""

import numpy as np
import pytest

from search_spaces import FiniteSpace, load_space
from surrogates import make_policy
from surrogates.acquisition import noisy_front
from surrogates.acquisition.functions import expected_improvement
from surrogates.acquisition.hypervolume import expected_hypervolume_improvement
from surrogates.acquisition.noisy_front import noisy_improvement

REFERENCE = np.zeros(2)
KNOWN, CANDIDATES = 4, 6


def area(points):
    total = height = 0.0
    for x, y in sorted(points.tolist(), reverse=True):
        if x > 0 and y > height:
            total, height = total + x * (y - height), y
    return total


def joint(seed, outcomes=2, doubt=0.4):
    """Means and covariances of known points and candidates."""
    rng, n = np.random.default_rng(seed), KNOWN + CANDIDATES
    mean = rng.uniform(0.2, 0.9, (n, outcomes))
    sides = doubt * rng.standard_normal((outcomes, n, n)) / n**0.5
    return mean, sides @ sides.transpose(0, 2, 1)


def bend(samples):
    """Outcomes to objectives: increasing, and not a line."""
    return np.stack([samples[..., 0], np.sinh(samples[..., 1])], -1)


@pytest.fixture
def many(monkeypatch):
    monkeypatch.setattr(noisy_front, "SAMPLES", 1024)
    monkeypatch.setattr(noisy_front, "PRUNING", 4096)


@pytest.mark.parametrize("seed", range(3))
def test_gain_is_the_mean_over_plain_joint_samples(seed, many):
    mean, covariance = joint(seed)
    found = noisy_improvement(mean, covariance, KNOWN, bend, REFERENCE, seed)
    rng = np.random.default_rng(seed)
    draws = [
        rng.multivariate_normal(mean[:, j], covariance[j], 2000, method="svd") for j in range(2)
    ]
    gains = np.array(
        [
            [area(np.vstack([p[:KNOWN], p[[i]]])) - area(p[:KNOWN]) for i in range(KNOWN, len(p))]
            for p in bend(np.stack(draws, -1))
        ]
    )
    error = gains.std(0) / len(gains) ** 0.5
    assert (np.abs(found - gains.mean(0)) < 5 * error + 0.002).all()
    assert np.ptp(found) > 10 * error.max()


def test_without_doubt_of_what_was_told_it_is_the_closed_form(many):
    mean, covariance = joint(4)
    covariance[:, :KNOWN] = covariance[:, :, :KNOWN] = 0
    found = noisy_improvement(mean, covariance, KNOWN, lambda x: x, REFERENCE, 0)
    spread = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)).T
    wanted = expected_hypervolume_improvement(mean[KNOWN:], spread[KNOWN:], mean[:KNOWN], REFERENCE)
    assert found == pytest.approx(wanted, abs=0.01)


def test_of_one_objective_it_is_the_expected_improvement(many):
    mean, covariance = joint(5, outcomes=1)
    covariance[:, :KNOWN] = covariance[:, :, :KNOWN] = 0
    found = noisy_improvement(mean, covariance, KNOWN, lambda x: x, np.zeros(1), 0)
    spread = np.sqrt(np.diagonal(covariance[0]))[KNOWN:]
    wanted = expected_improvement(mean[KNOWN:, 0], spread, mean[:KNOWN, 0].max())
    assert found == pytest.approx(wanted, abs=0.01)


def test_a_lucky_result_is_not_believed(many):
    # the first known point was told high and is doubted; the second is surely a little lower
    mean = np.array([[0.9], [0.8], [0.85]])
    covariance = np.diag([0.2**2, 0.0, 0.001**2])[None]
    doubted = noisy_improvement(mean, covariance, 2, lambda x: x, np.zeros(1), 0)
    covariance[0, 0, 0] = 0
    sure = noisy_improvement(mean, covariance, 2, lambda x: x, np.zeros(1), 0)
    assert doubted[0] > 0.01 > sure[0]


@pytest.mark.parametrize(
    "objectives", [{"glue": "max"}, {"glue": "max", "parameters": "min", "latency_ms": "min"}]
)
def test_the_option_searches_with_constraints_batches_and_failures(objectives, score):
    space = FiniteSpace(load_space("flexibert-test").sample(80, seed=5))

    def search():
        policy = make_policy(
            "boshnas", space, objectives, seed=3, constraints=("energy<50",),
            options={"improvement": "noisy"},
        )  # fmt: skip
        for turn in range(4):
            for i, a in enumerate(policy.ask(4)):
                if turn == 2 and i == 0:
                    policy.tell(a, error="out of memory")
                    continue
                told = {"glue": score(a), "latency_ms": len(a) + score(a), "energy": 80 * score(a)}
                policy.tell(a, told)
        return [t.architecture.hash for t in policy.trials()]

    found = search()
    assert len(set(found)) == 16
    assert found == search()
