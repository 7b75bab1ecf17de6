"""The region of the policy "trust-region": where it is, and when it grows and shrinks."""

import numpy as np
import pytest

from surrogates import make_policy
from surrogates.policies.gp_hamming import LayerCodes, differing
from surrogates.policies.trust_region import (
    FAILURES,
    GROWTH,
    SHRINKAGE,
    START,
    SUCCESSES,
    Ball,
    share_of_radius,
)


def test_the_radius_follows_successes_and_failures():
    rising, level = np.arange(10.0)[:, None], np.zeros((10, 1))
    assert share_of_radius(level[:0]) == START
    assert share_of_radius(rising[:SUCCESSES]) == START * GROWTH
    assert share_of_radius(rising[: 2 * SUCCESSES]) == 1.0  # no wider than all
    assert share_of_radius(level[: FAILURES + 1]) == START * SHRINKAGE  # the first is a success
    assert share_of_radius(np.zeros((1 + 4 * FAILURES, 1))) == START  # too small: anew


def test_equal_in_one_objective_and_better_in_another_is_a_success():
    values = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    assert share_of_radius(values) == START * GROWTH
    values[2] = [1.0, 0.5]
    assert share_of_radius(values) == START


@pytest.mark.parametrize("seed", range(3))
def test_proposals_after_the_design_lie_in_the_ball(seed, small_space, score):
    policy = make_policy("trust-region", small_space, seed=seed)
    codes, asked = LayerCodes.of(small_space), 0
    for _ in range(14):
        (architecture,) = policy.ask()
        if policy.explain(architecture)["reason"] != "initial":
            told = [t for t in policy.trials() if t.values is not None]
            values = np.array([[t.values["glue"]] for t in told])
            best = codes([t.architecture for t in told if t.values["glue"] == values.max()])
            gap = differing(codes([architecture]), best).min()
            widest = differing(codes([t.architecture for t in told]), best).max()
            others = [a for a in small_space if a not in [t.architecture for t in told]]
            nearest = differing(codes(others), best).min()
            assert gap <= max(nearest, widest * share_of_radius(values))
            asked += 1
        policy.tell(architecture, {"glue": score(architecture)})
    assert asked > 5


def test_there_is_a_ball_around_each_end_of_a_front(small_space, score):
    policy = make_policy("trust-region", small_space, {"glue": "max", "parameters": "min"})
    told = sorted(small_space, key=score)[::5][:8]
    for architecture in told:
        policy.tell(architecture, {"glue": score(architecture)})
    inside = Ball(LayerCodes.of(small_space))(policy, told, 1)
    best = max(told, key=score)
    smallest = min(told, key=lambda a: policy.exact("parameters", a))
    assert best in inside
    assert smallest in inside
