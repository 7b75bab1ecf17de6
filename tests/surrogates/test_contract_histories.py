"""Every registered policy lives with what happens in a search: late, failed, forbidden, foreign."""

import json
from dataclasses import fields

import numpy as np
import pytest

from search_spaces import Architecture, FiniteSpace, load_space
from search_spaces.errors import PolicyError
from search_spaces.space import Space
from surrogates import list_policies, make_policy

every_policy = pytest.mark.parametrize("name", list_policies())
# these two never learn, and the networks of the third are not trained long enough in these tests
LEARNING = [n for n in list_policies() if n not in ("random", "parameters", "boshnas-paper")]


class OwnSpace(Space):
    """What a user has to write: three methods, and no idea of how many architectures there are."""

    name = "own"
    max_layers = 4

    def __init__(self, inside):
        self._inside = inside

    def sample(self, n, seed=0, *, accept=None):
        return self._inside.sample(n, seed, accept=accept)

    def neighbours(self, architecture):
        return self._inside.neighbours(architecture)

    def __contains__(self, architecture):
        return architecture in self._inside


@pytest.fixture(scope="module")
def two_widths():
    return FiniteSpace(load_space("nas-bench-bert").sample(120, seed=0), name="two widths")


def wide(architecture):
    return architecture.layers[0].width == 256


def hashes(architectures):
    return [a.hash for a in architectures]


@every_policy
def test_results_may_come_late_and_in_any_order(name, small_space, score):
    policy = make_policy(name, small_space, seed=2)
    first = policy.ask(4)
    policy.tell(first[2], {"glue": score(first[2])})
    second = policy.ask(2)
    policy.tell(second[1], error="killed")
    policy.tell(first[0], {"glue": score(first[0])}, cost=3.5)
    third = policy.ask(3)
    policy.tell(second[0], {"glue": score(second[0])})
    asked = hashes([*first, *second, *third])
    assert len(set(asked)) == 9
    assert hashes(policy.pending()) == hashes([first[1], first[3], *third])
    twin = make_policy(name, small_space, seed=2)
    twin.load_state_dict(json.loads(json.dumps(policy.state_dict())))
    for _ in range(2):
        batch = policy.ask(2)
        assert hashes(twin.ask(2)) == hashes(batch)
        for architecture in batch:
            policy.tell(architecture, {"glue": score(architecture)})
            twin.tell(architecture, {"glue": score(architecture)})


@every_policy
def test_asking_for_more_than_is_left_gives_what_is_left(name, small_space, score):
    policy = make_policy(name, small_space)
    for a in small_space.architectures[:27]:
        policy.tell(a, {"glue": score(a)})
    assert set(policy.ask(8)) == set(small_space.architectures[27:])
    assert policy.ask(1) == []
    alone = make_policy(name, FiniteSpace(small_space.architectures[:1]))
    (only,) = alone.ask(5)
    assert alone.ask(1) == []
    alone.tell(only, {"glue": 0.5})
    assert alone.ask(1) == []


@pytest.mark.parametrize("name", LEARNING)
def test_failures_teach(name, two_widths):
    # failures say nothing to a local search but where not to climb from, so it may take any start
    policy = make_policy(name, two_widths, seed=1)
    told = two_widths.architectures[:60]
    for i, a in enumerate(told):
        if wide(a):
            policy.tell(a, error="out of memory")
        else:
            policy.tell(a, {"glue": 0.5 + 0.001 * i})
    left = np.mean([wide(a) for a in two_widths.architectures[60:]])
    assert np.mean([wide(a) for a in policy.ask(10)]) < left


@every_policy
def test_measured_constraints_need_a_result_and_are_survived(name, two_widths):
    policy = make_policy(name, two_widths, constraints=("latency<1",))
    told = two_widths.architectures[:12]
    with pytest.raises(PolicyError, match="lacks 'latency'; it has glue"):
        policy.tell(told[0], {"glue": 0.5})
    for a in told[:6]:  # nothing keeps the constraint yet
        policy.tell(a, {"glue": 0.5, "latency": 3.0})
    assert len(policy.ask(2)) == 2
    for i, a in enumerate(told[6:]):
        policy.tell(a, {"glue": 0.1 * i, "latency": 0.5})
    assert len(policy.ask(2)) == 2


@every_policy
def test_a_lower_bound_is_the_upper_bound_of_what_is_negated(name, two_widths):
    asked = []
    for constraint, sign in (("latency<1", 1), ("gain>-1", -1)):
        policy = make_policy(name, two_widths, constraints=(constraint,), seed=3)
        metric = constraint[: -len("<1")].rstrip(">")
        for i, a in enumerate(two_widths.architectures[:9]):
            latency = 3.0 if wide(a) else 0.5
            policy.tell(a, {"glue": 0.5 + 0.01 * i, metric: sign * latency})
        asked.append(hashes(policy.ask(2)))
    assert asked[0] == asked[1]


@every_policy
def test_smaller_may_be_better_and_every_cost_exact(name, small_space, score):
    objectives = {"loss": "min", "flops": "min", "parameters": "min"}
    policy = make_policy(name, small_space, objectives)
    for _ in range(4):
        for a in policy.ask(2):
            policy.tell(a, {"loss": 1 - score(a), "flops": "ignored", "parameters": None})
    assert len({t.architecture.hash for t in policy.trials()}) == 8


@every_policy
def test_heads_in_another_order_are_the_same_architecture(name):
    space = FiniteSpace(load_space("flexibert-2").sample(8, seed=0, accept=lambda a: len(a) <= 12))
    policy = make_policy(name, space)
    for a in space.architectures[:3]:
        dictionary = a.to_dict()
        dictionary["o"] = [heads[::-1] for heads in dictionary["o"]]
        policy.tell(Architecture.from_dict(dictionary), {"glue": 0.5})
    assert set(policy.ask(8)) == set(space.architectures[3:])


@every_policy
def test_a_space_of_ones_own_needs_three_methods(name, score):
    space = OwnSpace(load_space("flexibert-test-fine"))
    policy = make_policy(name, space, constraints=("parameters<20e6",))
    for a in space.sample(6, seed=4):
        policy.tell(a, {"glue": score(a)})
    for _ in range(2):
        batch = policy.ask(2)
        assert len(batch) == 2
        for a in batch:
            assert a in space
            assert policy.exact("parameters", a) < 20e6
            policy.tell(a, {"glue": score(a)})


@every_policy
def test_misspelt_options_are_refused_by_every_policy(name, small_space):
    with pytest.raises(PolicyError, match=rf"'{name}' has no option 'legnth'. Did you mean 'len"):
        make_policy(name, small_space, options={"legnth": 3})


@every_policy
def test_options_of_another_kind_are_refused_by_every_policy(name, small_space):
    settings = fields(make_policy(name, small_space).options)
    wrong = {int: ["five", 2.5, None, True], float: ["high", None, True], bool: [1, "no"], str: [3]}
    tried = 0
    for option in settings:
        for value in wrong.get(type(option.default), []):
            with pytest.raises(PolicyError, match=rf"option {option.name} is .*; give (a|true)"):
                make_policy(name, small_space, options={option.name: value})
            tried += 1
    assert tried
