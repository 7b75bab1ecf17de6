"""Evolution forgets the old, local search climbs and starts anew, NSGA-II breeds from the best."""

import numpy as np
import pytest

from search_spaces import FiniteSpace, count_parameters, load_space
from search_spaces.errors import PolicyError
from surrogates import make_policy


@pytest.fixture(scope="module")
def table():
    return FiniteSpace(load_space("flexibert-test").sample(200, seed=3), name="table")


def test_the_oldest_die_however_good(table):
    policy = make_policy("evolution", table, options={"population": 3, "tournament": 3})
    a, b, c, d, e = list(table)[:5]
    for architecture, glue in [(a, 0.9), (b, 0.2), (c, 0.4)]:
        policy.tell(architecture, {"glue": glue})
    assert policy.alive() == [a, c, b]
    policy.tell(d, {"glue": 0.3})
    assert policy.alive() == [c, d, b]
    policy.tell(e, error="nan")  # a failure lives, and never wins against a result
    assert policy.alive() == [c, d, e]


def test_age_counts_from_the_result_not_from_the_question(table):
    policy = make_policy("evolution", table, options={"population": 2})
    slow, quick, quicker = policy.ask(3)
    for architecture in (quick, quicker, slow):
        policy.tell(architecture, {"glue": 0.5})
    assert set(policy.alive()) == {quicker, slow}


def test_a_full_tournament_mutates_the_best_alive(table):
    policy = make_policy("evolution", table, options={"population": 5, "tournament": 5})
    first = list(table)[:5]
    for i, architecture in enumerate(first):
        policy.tell(architecture, {"glue": 0.1 * i})
    assert policy.ask(1)[0] in table.neighbours(first[-1])


def size(architecture):
    return count_parameters(architecture, vocabulary_size=1000, max_length=128)


def test_a_warm_start_takes_the_largest_of_each_draw(table):
    cold = make_policy("warm-evolution", table, seed=2, options={"drawn": 1})
    assert cold.ask(6) == make_policy("evolution", table, seed=2).ask(6)
    everything = make_policy("warm-evolution", table, options={"drawn": len(table)})
    by_size = sorted(table, key=size)
    # one draw may give an architecture twice, so the largest need not be in it
    assert set(everything.ask(6)) <= set(by_size[-20:])
    warm, random = (make_policy(n, table, seed=1).ask(20) for n in ("warm-evolution", "random"))
    sizes = [np.median([size(a) for a in found]) for found in (warm, random)]
    assert sizes[0] > sizes[1]


def test_a_warm_start_leads_to_evolution(table):
    policy = make_policy("warm-evolution", table, options={"population": 3, "tournament": 3})
    first = policy.ask(3)
    for i, architecture in enumerate(first):
        policy.tell(architecture, {"glue": 0.1 * i})
    (child,) = policy.ask()
    assert policy.explain(child)["reason"] == "optimise"
    assert child in table.neighbours(first[-1])


def test_local_search_climbs_then_starts_anew(table):
    policy = make_policy("local-search", table, options={"initial": 1})
    (start,) = policy.ask()
    policy.tell(start, {"glue": 0.5})
    around = policy.ask(10)
    assert set(around) == set(table.neighbours(start))
    for architecture in around[:-1]:
        policy.tell(architecture, {"glue": 0.1})
    (restart,) = policy.ask()  # nothing left to try around the best
    assert policy.explain(restart)["reason"] == "diversity"
    policy.tell(restart, {"glue": 0.2})  # worse than the first climb's best, yet climbed from
    (after,) = policy.ask()
    assert after in table.neighbours(restart)
    policy.tell(after, {"glue": 0.3})
    assert policy.ask()[0] in table.neighbours(after)


def test_nsga2_breeds_from_the_best(table):
    told = list(table)[:5]
    for seed in range(8):
        policy = make_policy("nsga2", table, seed=seed, options={"initial": 5, "population": 1})
        for i, architecture in enumerate(told):
            policy.tell(architecture, {"glue": 0.1 * i})
        assert policy.ask(1)[0] in table.neighbours(told[-1])


@pytest.mark.parametrize(
    ("name", "option"),
    [("evolution", "population"), ("local-search", "initial"), ("nsga2", "population")],
)
def test_options_are_checked(name, option, table):
    with pytest.raises(PolicyError, match=rf"option {option} is 0; give "):
        make_policy(name, table, options={option: 0})
