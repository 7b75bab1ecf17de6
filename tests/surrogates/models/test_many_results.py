"""Many results: what a model looks at is bounded, in steps, and the same after a restore."""

import json

import numpy as np
import pytest

from search_spaces import FiniteSpace, load_space
from surrogates import make_policy
from surrogates.boshnas.kernels import SizeAndContent
from surrogates.features.columns import Featurizer
from surrogates.models.gaussian_process import SumKernelGP
from surrogates.models.many_results import KEPT, MANY, best_in_turn, first_told, kept
from surrogates.models.told import Told
from surrogates.models.warping import RankWarp
from surrogates.objectives import parse_objectives
from surrogates.policies.gp_hamming import Hamming, LayerCodes
from surrogates.record import Record

TWO = {"glue": "max", "latency_ms": "min"}


@pytest.fixture(scope="module")
def architectures():
    return load_space("flexibert-test-fine").sample(520, seed=4)


@pytest.mark.parametrize("content", [False, True])
def test_growing_by_what_is_assumed_equals_factorising_anew(architectures, content):
    features = LayerCodes() if content else Featurizer(FiniteSpace(architectures))
    kernels = Hamming() if content else SizeAndContent(3)
    noise = None if content else (lambda rows: rows[:, :3])
    known, pool, rng = architectures[:40], architectures[40:120], np.random.default_rng(0)
    targets = np.sin(np.arange(47.0))
    grown, anew = (SumKernelGP(features, kernels, noise_features=noise) for _ in range(2))
    for model in (grown, anew):
        model.fit(known, targets[:40], rng)
    grown.assume(pool[70:72], targets[40:42])  # before the pool was scored
    grown.believe(pool)
    grown.assume(pool[3:4], targets[42:43])  # of the pool
    grown.assume([pool[9], pool[20], *architectures[200:202]], targets[43:])  # some of it
    added = [*pool[70:72], pool[3], pool[9], pool[20], *architectures[200:202]]
    anew.condition([*known, *added], targets)
    for asked in (pool, pool[::7], architectures[300:310]):
        found, expected = grown.believe(asked), anew.believe(asked)
        assert np.allclose(found.mean, expected.mean)
        assert np.allclose(found.epistemic, expected.epistemic)
        assert np.allclose(found.aleatoric, expected.aleatoric)
    assert np.allclose(grown.factor, anew.factor)
    assert np.allclose(grown.alpha, anew.alpha)


def test_hamming_counts_what_differs(architectures):
    rows = LayerCodes()(architectures[:20])
    distances = (rows[:, None] != rows[None]).sum(-1)
    weights = np.array([0.2, 0.3, 0.4])
    parts = np.stack([np.exp(-distances / length) for length in Hamming.lengths])
    assert np.allclose(Hamming().cross(rows, rows), parts)
    assert np.allclose(Hamming().weighted(weights, rows, rows), np.tensordot(weights, parts, 1))


def test_what_is_learned_from_grows_in_steps_of_a_quarter():
    steps = [first_told(n) for n in range(1, 1001)]
    assert steps[:MANY] == list(range(1, MANY + 1))
    assert sorted(set(steps[MANY:])) == [200, 250, 312, 390, 487, 608, 760, 950]
    assert all(step <= n < 1.26 * step for n, step in enumerate(steps, 1) if n > MANY)


def test_the_best_and_the_newest_are_kept_and_no_more_than_the_cap():
    values = np.random.default_rng(0).standard_normal((1000, 2))
    ranked = best_in_turn(values)
    assert sorted(ranked) == list(range(1000))
    chosen = kept(1000, ranked)
    assert len(chosen) == len(set(chosen.tolist())) == KEPT
    assert set(values.argmax(0).tolist()) <= set(chosen.tolist())
    assert int(values.sum(1).argmax()) in chosen
    assert set(range(900, 1000)) <= set(chosen)
    assert np.array_equal(kept(KEPT, ranked[ranked < KEPT]), np.arange(KEPT))


def test_between_the_steps_nothing_is_learned_again(architectures, score):
    record, fits, rows = Record(parse_objectives({"glue": "max"})), {}, []
    codes, sizes = LayerCodes(), []
    for i, architecture in enumerate(architectures[:505]):
        failed = i % 50 == 7
        values = None if failed else {"glue": score(architecture)}
        record.tell(architecture, values, "lost" if failed else None, None)
        if i + 1 in (205, 249, 260, 420, 505):
            model = SumKernelGP(codes, Hamming(), fits=fits)
            Told("glue", 1, record, lower=True).fit(model, RankWarp, np.random.default_rng(0), None)
            sizes.append(len(fits))
            rows.append(len(model.rows))
    assert sizes == [1, 1, 2, 3, 4]
    assert rows == [205, 249, 260, KEPT, KEPT]


@pytest.mark.parametrize("many", [MANY + 20, KEPT + 20])
def test_a_restored_policy_proposes_the_same_after_many_results(many, score):
    space = load_space("flexibert-micro")
    policy, rng = make_policy("boshnas", space, TWO, seed=1), np.random.default_rng(0)

    def tell(architectures):
        for a in architectures:
            latency = len(a) * (1 + 0.1 * rng.standard_normal())
            policy.tell(a, {"glue": score(a), "latency_ms": latency})

    tell(space.sample(many, seed=2))
    first = policy.ask(2)
    late = policy.ask(3)
    tell([*late, first[1]])  # results come in another order than they were asked for
    twin = make_policy("boshnas", space, TWO, seed=1)
    twin.load_state_dict(json.loads(json.dumps(policy.state_dict())))
    asked = policy.ask(3)
    assert [a.hash for a in twin.ask(3)] == [a.hash for a in asked]
    assert [twin.explain(a) for a in asked] == [policy.explain(a) for a in asked]
    assert len({a.hash for a in (*first, *late, *asked)}) == 8


def test_many_results_at_low_fidelities_alone_can_be_learned_from(architectures, score):
    space = FiniteSpace(architectures[:300])
    policy = make_policy("boshnas", space, {"glue": "max"})
    for a in architectures[:205]:  # the first of them say nothing about the highest fidelity
        policy.tell(a, {"glue": score(a) - 0.1}, fidelity=0.25)
    for a in architectures[:60]:
        policy.tell(a, {"glue": score(a)})
    rest = architectures[205:300]
    mean = policy.predict(rest)["glue"].mean
    assert np.corrcoef(mean, [score(a) for a in rest])[0, 1] > 0.6
