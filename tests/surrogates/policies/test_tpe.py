"""TPE asks what Optuna's own study would, and learns from values, constraints and failures."""

import builtins

import numpy as np
import optuna
import pytest

from search_spaces import FiniteSpace, load_space
from search_spaces.errors import PolicyError
from surrogates import make_policy
from surrogates.features.categories import Categories
from surrogates.policies.optuna_study import Study


@pytest.mark.parametrize("objectives", [1, 2])
def test_picks_are_those_of_a_study_of_optuna(objectives, small_space):
    rng = np.random.default_rng(0)
    categories = Categories(small_space)
    ours = Study(objectives, startup=5, seed=7)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    theirs = optuna.create_study(
        directions=["maximize"] * objectives,
        sampler=optuna.samplers.TPESampler(n_startup_trials=5, multivariate=False, seed=7),
    )
    for architecture in small_space.architectures[:20]:
        values = rng.normal(size=objectives)
        choices = categories.encode(architecture)
        ours.add(choices, values)
        theirs.add_trial(
            optuna.trial.create_trial(
                values=list(values),
                params={name: number for name, (number, _) in choices.items()},
                distributions={
                    name: optuna.distributions.CategoricalDistribution(range(count))
                    for name, (_, count) in choices.items()
                },
            )
        )
    asked = theirs.ask()
    suggested = categories.build(
        lambda choice, options: options[asked.suggest_categorical(str(choice), range(len(options)))]
    )
    assert categories.build(ours.pick) == suggested


def wide(architecture):
    return float(architecture.layers[0].width == 256)


@pytest.fixture(scope="module")
def two_widths():
    return FiniteSpace(load_space("nas-bench-bert").sample(200, seed=0))


def test_running_trials_are_avoided(two_widths):
    categories = Categories(two_widths)
    share = {}
    for pending in (True, False):
        picked = []
        for seed in range(20):
            study = Study(1, startup=2, seed=seed)
            for a in two_widths.architectures[:30]:
                study.add(categories.encode(a), [wide(a)])
            for a in two_widths.architectures[30:] if pending else ():
                if wide(a):
                    study.add(categories.encode(a))
            picked.append(wide(categories.build(study.pick)))
        share[pending] = np.mean(picked)
    assert share[True] < share[False]


def test_failures_and_broken_constraints_teach(two_widths):
    share = {}
    for outcome in ("fine", "failed", "too slow"):
        policy = make_policy("tpe", two_widths, constraints=("latency<1",), seed=1)
        for a in two_widths.architectures[:40]:
            if outcome == "failed" and wide(a):
                policy.tell(a, error="out of memory")
            else:
                slow = outcome == "too slow" and wide(a)
                policy.tell(a, {"glue": wide(a), "latency": 9.0 if slow else 0.5})
        share[outcome] = np.mean([wide(a) for a in policy.ask(12)])
    assert share["fine"] > share["failed"] + 0.2
    assert share["fine"] > share["too slow"] + 0.2


def test_without_optuna_says_what_to_install(small_space, monkeypatch):
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name.startswith("optuna"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(PolicyError, match=r"'mo-tpe' needs Optuna\. Run: pip install 'encoder-nas"):
        make_policy("mo-tpe", small_space)


def test_proposals_are_called_initial_as_long_as_optuna_draws_at_random(two_widths):
    policy = make_policy("tpe", two_widths, options={"initial": 2})
    reasons = []
    for _ in range(4):
        (architecture,) = policy.ask()
        reasons.append(policy.explain(architecture)["reason"])
        policy.tell(architecture, {"glue": wide(architecture)})
    assert reasons == ["initial", "initial", "optimise", "optimise"]
