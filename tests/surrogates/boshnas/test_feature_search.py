"""Climbing in the features: the torch surrogate against ours, and where climbs end."""

import numpy as np
import pytest
import torch

from search_spaces import load_space
from surrogates import make_policy
from surrogates.boshnas.feature_search import bound_in_torch, climbed_candidates
from surrogates.boshnas.kernels import SizeAndContent
from surrogates.features.columns import Featurizer
from surrogates.models.gaussian_process import SumKernelGP


@pytest.fixture(scope="module")
def fitted():
    space = load_space("flexibert-test-fine")
    features, drawn = Featurizer(space), space.sample(300, seed=1)
    model = SumKernelGP(features, SizeAndContent(3), trend=lambda rows: 0.6 * rows[:, :3].mean(1))
    model.fit(drawn[:25], np.sin(features(drawn[:25]).sum(1)), np.random.default_rng(0))
    return model, features, drawn


def test_the_bound_in_torch_is_ours(fitted):
    model, features, drawn = fitted
    belief = model.believe(drawn[20:60])
    found = bound_in_torch(model, 1.5)(torch.as_tensor(features(drawn[20:60])))
    assert np.allclose(found.numpy(), belief.mean + 1.5 * belief.epistemic, atol=1e-4)


def test_climbs_end_at_members_better_than_their_starts_on_average(fitted):
    model, features, drawn = fitted
    bound = bound_in_torch(model, 1.0)
    starts = drawn[25:45]
    ends = climbed_candidates(model, features, starts, drawn[45:], np.random.default_rng(0))
    assert len({a.hash for a in ends}) == len(ends) > 0
    assert all(a in drawn[45:] for a in ends)
    value = [bound(torch.as_tensor(features(side))).mean() for side in (starts, ends)]
    assert value[1] > value[0]


def test_the_policy_with_input_search_is_deterministic_and_stays_in_the_space(score):
    space, runs = load_space("flexibert-test-fine"), []
    for _ in range(2):
        policy = make_policy("boshnas", space, seed=4, options={"input_search": True})
        for _ in range(6):
            (a,) = policy.ask()
            assert a in space
            policy.tell(a, {"glue": score(a)})
        runs.append([t.architecture.hash for t in policy.trials()])
    assert runs[0] == runs[1]
