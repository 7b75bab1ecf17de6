"""Every registered policy keeps the contract of surrogates/policy.py."""

import json
import subprocess
import sys

import numpy as np
import pytest

from search_spaces import FiniteSpace, load_space
from search_spaces.errors import PolicyError, UnknownName
from surrogates import list_policies, make_policy

every_policy = pytest.mark.parametrize("name", list_policies())
TWO = {"glue": "max", "parameters": "min"}


def told(policy, architectures, score):
    for architecture in architectures:
        policy.tell(architecture, {"glue": score(architecture), "loss": 1.0})


def shorts(architectures):
    return [a.short for a in architectures]


@every_policy
@pytest.mark.parametrize("objectives", [{"glue": "max"}, TWO], ids=["one", "two"])
def test_never_repeats_and_ends_cleanly_when_the_space_is_exhausted(
    name, objectives, small_space, score
):
    policy, seen = make_policy(name, small_space, objectives), []
    while batch := policy.ask(4):
        told(policy, batch, score)
        seen += batch
    assert len(seen) == len({a.hash for a in seen}) == len(small_space)
    assert all(a in small_space for a in seen)
    assert policy.ask(3) == []


@every_policy
def test_pending_architectures_are_not_asked_again(name, small_space, score):
    policy = make_policy(name, small_space)
    told(policy, policy.ask(4), score)
    batches = [policy.ask(2) for _ in range(5)]
    asked = [a.hash for batch in batches for a in batch]
    assert len(set(asked)) == 10
    assert {a.hash for a in policy.pending()} == set(asked)


@every_policy
def test_same_seed_and_history_same_proposals(name, small_space, score):
    runs = []
    for _ in range(2):
        policy = make_policy(name, small_space, TWO, seed=3)
        asked = []
        for size in (3, 2, 1, 1):
            batch = policy.ask(size)
            asked += shorts(batch)
            told(policy, batch, score)
        runs.append(asked)
    assert runs[0] == runs[1]


@every_policy
def test_a_restored_state_asks_the_same_next_architectures(name, small_space, score):
    policy = make_policy(name, small_space, seed=5)
    told(policy, small_space.sample(2, seed=9), score)
    batch = policy.ask(5)
    told(policy, batch[:3], score)
    policy.tell(batch[3], error="out of memory", cost=12.0)
    state = json.loads(json.dumps(policy.state_dict()))
    twin = make_policy(name, small_space, seed=5)
    twin.load_state_dict(state)
    assert shorts(twin.pending()) == shorts(policy.pending()) == shorts(batch[4:])
    assert twin.explain(batch[0]) == policy.explain(batch[0])
    assert shorts(twin.ask(3)) == shorts(policy.ask(3))
    assert twin.state_dict() == policy.state_dict()


@every_policy
def test_restore_takes_events_of_architectures_and_dictionaries(name, small_space, score):
    a, b = small_space.sample(2, seed=0)
    policy = make_policy(name, small_space)
    policy.restore(
        [{"ask": a}, {"tell": a.to_dict(), "values": {"glue": 0.5}}, {"tell": b, "error": "nan"}]
    )
    assert [t.values for t in policy.trials()] == [{"glue": 0.5}, None]
    assert [t.error for t in policy.trials()] == [None, "nan"]


@every_policy
def test_warm_start_is_accepted_and_not_proposed(name, small_space, score):
    policy = make_policy(name, small_space)
    warm = small_space.sample(10, seed=2)
    told(policy, warm, score)
    asked = policy.ask(20)
    assert len(asked) == 20
    assert not {a.hash for a in asked} & {a.hash for a in warm}


@every_policy
def test_results_from_outside_the_space_teach_and_are_not_proposed(name, small_space, score):
    policy = make_policy(name, small_space)
    outside = [a for a in load_space("flexibert-micro").sample(8, seed=0) if a not in small_space]
    told(policy, outside, score)
    asked = policy.ask(6)
    assert all(a in small_space for a in asked)


@every_policy
def test_what_the_space_says_to_begin_with_comes_first_and_once(name, small_space, score):
    first = [*small_space.sample(3, seed=8)]
    space = FiniteSpace(list(small_space), name="begun")
    space.first = tuple(first)
    sizes = [make_policy("random", space).exact("parameters", a) for a in first]
    policy = make_policy(name, space, constraints=(f"parameters<{max(sizes)}",))
    wanted = [a for a, size in zip(first, sizes, strict=True) if size < max(sizes)]
    told(policy, wanted[:1], score)
    asked = policy.ask(1) + policy.ask(4)
    assert asked[: len(wanted) - 1] == wanted[1:]
    assert len({a.hash for a in [*asked, *wanted]}) == len(asked) + 1
    assert policy.explain(wanted[1])["reason"] == "initial"


@every_policy
def test_failures_are_survived_even_if_all_fail(name, small_space):
    policy = make_policy(name, small_space)
    for _ in range(3):
        for architecture in policy.ask(3):
            policy.tell(architecture, error="out of memory")
    assert (
        len({a.hash for a in policy.ask(3)} | {t.architecture.hash for t in policy.trials()}) == 12
    )


@every_policy
def test_exact_constraints_hold_and_equal_values_do_not_confuse(name, small_space):
    sizes = [make_policy("random", small_space).exact("parameters", a) for a in small_space]
    bound = float(np.median(sizes))
    policy = make_policy(name, small_space, constraints=(f"parameters<={bound}",))
    asked = []
    while batch := policy.ask(5):
        asked += batch
        for architecture in batch:
            policy.tell(architecture, {"glue": 0.5})
    assert len(asked) == sum(s <= bound for s in sizes)
    assert all(policy.exact("parameters", a) <= bound for a in asked)


@every_policy
def test_big_spaces_are_not_enumerated(name, score):
    space = load_space("flexibert-test-fine")
    policy = make_policy(name, space, TWO)
    for _ in range(3):
        batch = policy.ask(2)
        assert all(a in space for a in batch)
        told(policy, batch, score)


@every_policy
def test_refuses_what_cannot_be_learned(name, small_space):
    policy = make_policy(name, small_space, {"glue": "max", "latency_ms": "min"})
    a, b, *_ = small_space
    with pytest.raises(PolicyError, match=r"glue = inf, which is no finite number"):
        policy.tell(a, {"glue": float("inf"), "latency_ms": 1.0})
    with pytest.raises(PolicyError, match=r"glue = nan, which is no finite number\. Tell a failed"):
        policy.tell(a, {"glue": float("nan"), "latency_ms": 1.0})
    with pytest.raises(PolicyError, match=r"latency_ms = 'fast', which is no finite number"):
        policy.tell(a, {"glue": 0.5, "latency_ms": "fast"})
    with pytest.raises(PolicyError, match=r"lacks 'latency_ms'; it has cola, glue\."):
        policy.tell(a, {"glue": 0.5, "cola": 0.5})
    with pytest.raises(PolicyError, match="got neither values and error; give exactly one"):
        policy.tell(a)
    with pytest.raises(PolicyError, match="got both values and error; give exactly one"):
        policy.tell(a, {"glue": 0.5, "latency_ms": 1}, error="nan")
    with pytest.raises(PolicyError, match=r"cost -1 of architecture .* no non-negative number"):
        policy.tell(a, {"glue": 0.5, "latency_ms": 1}, cost=-1)
    with pytest.raises(PolicyError, match="tell needs an Architecture, not dict"):
        policy.tell(a.to_dict(), {"glue": 0.5})
    policy.tell(a, {"glue": 0.5, "latency_ms": 1})
    with pytest.raises(PolicyError, match=f"result for architecture {a.short} was told before"):
        policy.tell(a, {"glue": 0.5, "latency_ms": 1})
    policy.tell(b, error="nan")
    with pytest.raises(PolicyError, match="told before; results cannot be told twice"):
        policy.tell(b, {"glue": 0.5, "latency_ms": 1})


@every_policy
def test_what_no_float_can_hold_is_refused(name, small_space):
    policy, a = make_policy(name, small_space), next(iter(small_space))
    with pytest.raises(PolicyError, match=r"glue = 10{59}…, which is no finite number"):
        policy.tell(a, {"glue": 10**400})
    with pytest.raises(PolicyError, match="a number of thousands of digits, which is no finite"):
        policy.tell(a, {"glue": 10**5000})
    with pytest.raises(PolicyError, match="cost 10+… of architecture .* is no non-negative"):
        policy.tell(a, {"glue": 0.5}, cost=10**400)
    assert policy.trials() == []


@every_policy
@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    "values",
    [(1.7e308, -1.7e308, 0.5), (1e155, 0.5, 0.7, 0.6), (5e-324, 0.5, 0.0), (1e-310, 2e-310, 1e300)],
)
@pytest.mark.parametrize("objectives", [{"loss": "min"}, {"glue": "max", "loss": "min"}])
def test_values_beyond_all_measure_are_survived(name, objectives, values, small_space, score):
    policy = make_policy(name, small_space, objectives)
    for i, a in enumerate(list(small_space)[:12]):
        policy.tell(a, {"glue": score(a), "loss": values[i % len(values)]})
    for a in policy.ask(2):
        assert np.isfinite(policy.explain(a).get("acquisition", 0.0))


@every_policy
def test_explains_what_it_asked_and_nothing_else(name, small_space, score):
    policy = make_policy(name, small_space)
    for _ in range(6):
        told(policy, policy.ask(1), score)
    reasons = {"initial", "optimise", "uncertainty", "diversity"}
    assert all(t.why["reason"] in reasons for t in policy.trials())
    unseen = next(a for a in small_space if a.hash not in policy.seen())
    assert policy.explain(unseen) is None


def test_bad_settings_are_refused(small_space):
    with pytest.raises(
        UnknownName, match=r"No policy is called 'boshnass'. Did you mean 'boshnas'"
    ):
        make_policy("boshnass", small_space)
    with pytest.raises(PolicyError, match="The seed -1 is not allowed; give a non-negative"):
        make_policy("random", small_space, seed=-1)
    with pytest.raises(PolicyError, match="has the direction 'up'; write 'max' or 'min'"):
        make_policy("random", small_space, {"glue": "up"})
    with pytest.raises(PolicyError, match="give at least one, such as"):
        make_policy("random", small_space, {})
    with pytest.raises(PolicyError, match=r"no option 'lenght'\. Did you mean 'length'\?"):
        make_policy("random", small_space, options={"lenght": 3})
    with pytest.raises(PolicyError, match="Constraint 'parameters=3' cannot be read"):
        make_policy("random", small_space, constraints=["parameters=3"])
    with pytest.raises(PolicyError, match="bound that is not a finite number"):
        make_policy("random", small_space, constraints=["parameters<inf"])
    with pytest.raises(PolicyError, match="option initial is 0; give one proposal or more"):
        make_policy("boshnas", small_space, options={"initial": 0})
    with pytest.raises(PolicyError, match=r"ask was given n = 0; ask for one architecture"):
        make_policy("random", small_space).ask(0)


def test_states_of_others_are_refused(small_space):
    policy = make_policy("random", small_space)
    good = policy.state_dict()
    for change, message in [
        ({"version": 0}, r"its version is 0, this policy's is 1"),
        ({"policy": "boshnas"}, r"its policy is 'boshnas', this policy's is 'random'"),
        ({"seed": 7}, r"its seed is 7"),
        ({"objectives": {"cola": "max"}}, r"its objectives is \{'cola': 'max'\}"),
    ]:
        with pytest.raises(PolicyError, match=message):
            policy.load_state_dict({**good, **change})
    with pytest.raises(PolicyError, match="its version is 'text'"):
        policy.load_state_dict("text")
    with pytest.raises(PolicyError, match="An event has the keys told; it needs 'ask' or 'tell'"):
        policy.restore([{"told": 1}])
    a = next(iter(small_space))
    with pytest.raises(PolicyError, match="was asked or told before; a policy proposes each"):
        policy.restore([{"ask": a}, {"ask": a}])


def test_policies_without_a_model_do_not_predict(small_space):
    with pytest.raises(PolicyError, match="'random' has no model to predict with"):
        make_policy("random", small_space).predict(list(small_space))
    with pytest.raises(PolicyError, match="'boshnas' has been told no result yet"):
        make_policy("boshnas", small_space).predict(list(small_space))


def test_predictions_are_in_units_and_exact_objectives_exact(small_space, score):
    policy = make_policy("boshnas", small_space, {"loss": "min", "parameters": "min"})
    every = list(small_space)
    for a in every[:20]:
        policy.tell(a, {"loss": 3 - score(a)})
    found = policy.predict(every[20:])
    truth = [3 - score(a) for a in every[20:]]
    assert np.corrcoef(found["loss"].mean, truth)[0, 1] > 0.8
    assert np.abs(found["loss"].mean - truth).mean() < 0.1
    assert (found["loss"].epistemic > 0).all()
    assert (found["loss"].aleatoric > 0).all()
    assert found["parameters"].mean.tolist() == [policy.exact("parameters", a) for a in every[20:]]
    assert not found["parameters"].epistemic.any()
    assert not found["parameters"].aleatoric.any()


def test_boshnas_beats_random(score):
    space = FiniteSpace(load_space("flexibert-test").sample(400, seed=0))
    best = max(map(score, space))
    regret = {}
    for name in ("random", "boshnas"):
        finals = []
        for seed in range(3):
            policy = make_policy(name, space, seed=seed)
            told(policy, space.sample(4, seed=seed), score)
            for _ in range(10):
                told(policy, policy.ask(1), score)
            finals.append(best - max(t.values["glue"] for t in policy.trials()))
        regret[name] = np.mean(finals)
    assert regret["boshnas"] < 0.5 * regret["random"]


def test_importing_loads_nothing_heavy():
    heavy = ("torch", "botorch", "optuna", "scipy", "sklearn")
    code = f"import sys, surrogates; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
