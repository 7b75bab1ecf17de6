"""A verdict's arithmetic against closed forms, and what it says in words."""

import math
from dataclasses import replace

import numpy as np
import pytest

from nas.cli.verdict import verdict_lines
from nas.single.random_search import expected_of_random
from nas.single.verdict import (
    Comparison,
    Verdict,
    half_interval,
    pooled_deviation,
    shares_between,
)


def test_noise_is_pooled_over_encoders():
    noise, freedom = pooled_deviation([[1.0, 3.0], [10.0, 10.0, 13.0], [5.0]])
    assert freedom == 3
    assert noise == pytest.approx(math.sqrt((2 + 6) / 3))
    assert pooled_deviation([[1.0], []]) == (None, 0)


def test_intervals_are_those_of_students_t():
    assert half_interval(0.02, 4, 3, 3) == pytest.approx(2.7764 * 0.02 * math.sqrt(2 / 3), rel=1e-4)
    assert half_interval(0.02, 4, 4) == pytest.approx(2.7764 * 0.01, rel=1e-4)
    assert half_interval(0.0, 8, 3, error=0.1) == pytest.approx(2.3060 * 0.1, rel=1e-4)
    assert half_interval(None, 0, 3) is None


def test_the_share_between_architectures_is_what_seeds_do_not_explain():
    trials = {"sst2": [0.0, 1.0, 2.0], "rte": [0.0, 1.0, 2.0], "mrpc": [1.0, 2.0]}
    repeats = {"sst2": [[0.0, 0.5]], "rte": [[0.0, 2.0]], "mrpc": [[0.0, 1.0]]}
    assert shares_between(trials, repeats) == {"sst2": pytest.approx(1 - 0.125), "rte": 0.0}


def test_random_search_over_encoders_that_differ_by_chance_alone():
    """The best of two of a normal distribution is .5642 deviations above its mean."""
    rng = np.random.default_rng(0)
    sizes = np.exp(rng.uniform(10, 12, 4000))
    scores = 0.5 + 0.1 * rng.standard_normal(4000)
    found = expected_of_random(sizes, scores, sizes[:500], budget=2, noise=0.0)
    assert found.mean == pytest.approx(0.5 + 0.1 * 0.5642, abs=0.004)
    minus = expected_of_random(sizes, scores, sizes[:500], budget=2, noise=0.0, sign=-1)
    assert minus.mean == pytest.approx(0.5 - 0.1 * 0.5642, abs=0.004)


def test_random_search_where_scores_follow_size_exactly():
    """The largest of n uniform draws is at n / (n + 1)."""
    offers = np.exp(np.linspace(0, 1, 1001))
    sizes = np.exp([0.1, 0.3, 0.6, 0.9])
    found = expected_of_random(sizes, np.log(sizes), offers, budget=4, noise=0.0)
    assert found.mean == pytest.approx(4 / 5, abs=0.01)
    assert found.error < 0.01


def test_random_search_gains_nothing_by_size_where_scores_are_level():
    """Sizes and scores of a real search: steep first, then level."""
    sizes = [
        12118176, 12322048, 12422816, 12512160, 12523584, 13154304, 13311360, 13449600,
        13456800, 13498560, 13655552, 13655552, 14091744, 14591040, 15718464, 17249280,
    ]  # fmt: skip
    scores = [0.9223, 0.9546, 0.9490, 0.9452, 0.9511, 0.9532, 0.9561, 0.9521,
              0.9497, 0.9497, 0.9633, 0.9541, 0.9609, 0.9576, 0.9508, 0.9563]  # fmt: skip
    offers = np.linspace(13e6, 22e6, 500)
    found = expected_of_random(sizes, scores, offers, budget=16, noise=0.003)
    assert 0.952 < found.mean < 0.964


def test_random_search_that_sees_noise_alone_gets_the_mean():
    rng = np.random.default_rng(1)
    sizes, noise = np.exp(rng.uniform(0, 1, 2000)), 1.0
    scores = 0.5 + noise * rng.standard_normal(2000)
    found = expected_of_random(sizes, scores, sizes, budget=8, noise=1.2)
    assert found.mean == pytest.approx(0.5, abs=0.1)


def test_too_few_trials_or_one_size_say_nothing():
    assert expected_of_random([1, 2, 3], [1, 2, 3], [1, 2], budget=3, noise=0.0) is None
    assert expected_of_random([2] * 5, [1, 2, 3, 4, 5], [1, 2], budget=3, noise=0.0) is None


def verdict(difference, half, *, same=False, sign=1):
    plain = Comparison("plain", "plain BERT", 0.5, 3, difference, half, same)
    return Verdict(
        metric="glue", sign=sign, trial=7, hash="a" * 64, mean=0.5 + difference, half=0.03, seeds=3,
        selected=0.564, trials=10, noise=0.02, comparisons=(plain,),
        finalists={"b" * 64: 0.1, "c" * 64: 0.9}, shares={"sst2": 0.9, "rte": 0.1},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("difference", "half", "words"),
    [
        (0.05, 0.04, "better than plain BERT of its size, beyond noise"),
        (-0.05, 0.04, "worse than plain BERT of its size: take that one"),
        (0.03, 0.04, "is not shown to be better than plain BERT of its size: the difference"),
        (-0.03, 0.04, "is not better than plain BERT of its size: the difference is within noise"),
    ],
)
def test_it_says_plainly_whether_it_paid(difference, half, words):
    text = "\n".join(verdict_lines(verdict(difference, half), "runs/one"))
    assert words in text
    assert "the best of 10 at 0.564; expect the mean of fresh seeds" in text
    assert "At this budget these hardly tell architectures apart: rte" in text
    assert "--pick cccccccccc" in text


def test_more_seeds_are_offered_where_intervals_overlap():
    offer = "nas confirm runs/one --top 3 --seeds 5 --baselines"
    unclear = "\n".join(verdict_lines(verdict(0.03, 0.04), "runs/one"))
    assert f"still overlaps with plain BERT. More seeds tell them apart: {offer}" in unclear
    assert offer not in "\n".join(verdict_lines(verdict(0.05, 0.04), "runs/one"))
    near = replace(verdict(0.05, 0.04), finalists={"b" * 64: 0.5, "c" * 64: 0.1})
    assert f"overlaps with another finalist. More seeds tell them apart: {offer}" in "\n".join(
        verdict_lines(near, "runs/one")
    )


def test_one_seed_the_same_encoder_and_less_is_better():
    alone = "\n".join(verdict_lines(verdict(0.05, None), "run"))
    assert "one seed does not tell the noise" in alone
    assert "beyond noise" not in alone
    assert "within noise" not in alone
    same = "\n".join(verdict_lines(verdict(0.0, 0.04, same=True), "run"))
    assert "is plain BERT itself" in same
    less = "\n".join(verdict_lines(verdict(-0.05, 0.04, sign=-1), "run"))
    assert "better than plain BERT" in less
    assert "--pick bbbbbbbbbb" in less


def test_nothing_beside_it_has_no_heading():
    alone = replace(verdict(0.05, 0.04), comparisons=())
    text = "\n".join(verdict_lines(alone, "runs/one"))
    assert "Against" not in text
    assert "No plain encoder was trained beside it: nas confirm runs/one --baselines" in text
    assert "Against" in "\n".join(verdict_lines(verdict(0.05, 0.04), "runs/one"))
