"""BoTorch's processes behind our model interface: the same numbers as BoTorch gives directly."""

import numpy as np
import pytest
import torch
from botorch.acquisition import LogExpectedImprovement
from gpytorch.kernels import ScaleKernel

from search_spaces import count_parameters, load_space
from search_spaces.vectors.weisfeiler_lehman import weisfeiler_lehman_kernel
from surrogates.acquisition.functions import expected_improvement
from surrogates.features.one_hot import OneHotRows, ToldColumns
from surrogates.models.botorch_gp import BotorchGP, fitted_gp
from surrogates.policies.gp_weisfeiler_lehman import GraphKernel, KnownGraphs


@pytest.fixture(scope="module")
def architectures():
    return load_space("nas-bench-bert").sample(60, seed=0)


@pytest.fixture(scope="module")
def targets(architectures):
    sizes = np.log([count_parameters(a, vocabulary_size=1, max_length=1) for a in architectures])
    return (sizes - sizes.mean()) / sizes.std()


def make_one_hot():
    rows = OneHotRows()
    return BotorchGP(lambda told: ToldColumns(rows, told))


def make_graphs():
    graphs = KnownGraphs()
    return BotorchGP(lambda told: graphs, lambda columns: ScaleKernel(GraphKernel(graphs)))


every_process = pytest.mark.parametrize("make", [make_one_hot, make_graphs])


@every_process
def test_belief_is_the_posterior_written_out(make, architectures, targets):
    model = make()
    model.fit(architectures[:30], targets[:30], np.random.default_rng(0))
    told, new = (
        torch.as_tensor(model._rows(part)) for part in (architectures[:30], architectures[30:])
    )
    with torch.no_grad():
        kernel, noise = model.gp.covar_module, model.gp.likelihood.noise.item()
        known = kernel(told).to_dense().numpy() + noise * np.eye(30)
        cross = kernel(told, new).to_dense().numpy()
        prior = kernel(new).to_dense().numpy().diagonal()
        constant = model.gp.mean_module.constant.item()
    solved = np.linalg.solve(known, cross)
    belief = model.believe(architectures[30:])
    assert belief.mean == pytest.approx(constant + solved.T @ (targets[:30] - constant), abs=1e-6)
    assert belief.epistemic**2 == pytest.approx(prior - (cross * solved).sum(0), abs=1e-5)
    assert belief.aleatoric == pytest.approx(noise**0.5)


@every_process
def test_what_is_assumed_counts_without_a_new_fit(make, architectures, targets):
    model = make()
    model.fit(architectures[:30], targets[:30], np.random.default_rng(0))
    candidate, noise = architectures[40:41], model.gp.likelihood.noise.item()
    before = model.believe(candidate)
    model.assume(candidate, before.mean + 1)
    after = model.believe(candidate)
    assert model.gp.likelihood.noise.item() == noise
    weight = before.epistemic**2 / (before.epistemic**2 + noise)
    assert after.mean == pytest.approx(before.mean + weight, abs=1e-4)
    assert after.epistemic < before.epistemic


@every_process
def test_a_fit_does_not_depend_on_what_was_met_before(make, architectures, targets):
    beliefs = []
    for used in (False, True):
        model = make()
        if used:
            model.fit(architectures[::-1], targets[::-1], np.random.default_rng(0))
        model.fit(architectures[:30], targets[:30], np.random.default_rng(0))
        beliefs.append(model.believe(architectures[30:]))
    assert np.array_equal(beliefs[0].mean, beliefs[1].mean)
    assert np.array_equal(beliefs[0].epistemic, beliefs[1].epistemic)


def test_graph_kernel_is_that_of_the_space(architectures):
    graphs = KnownGraphs()
    graphs(architectures[20:40])  # met in pieces, in another order, some of them twice
    rows = torch.as_tensor(graphs(architectures))
    found = GraphKernel(graphs)(rows[:25], rows).to_dense().numpy()
    assert found == pytest.approx(weisfeiler_lehman_kernel(architectures[:25], architectures))
    batched = GraphKernel(graphs)(rows[:, None], rows[:25].expand(60, 25, 1)).to_dense()
    assert batched[:, 0].numpy() == pytest.approx(found.T)


def test_expected_improvement_is_that_of_botorch(architectures, targets):
    """Our closed form against LogEI, which proposals of "gp-onehot" therefore maximise."""
    model = make_one_hot()
    model.fit(architectures[:20], targets[:20], np.random.default_rng(0))
    belief, best = model.believe(architectures[20:]), targets[:20].max()
    rows = torch.as_tensor(model._rows(architectures[20:]))
    with torch.no_grad():
        theirs = LogExpectedImprovement(model.gp, best_f=best)(rows[:, None]).numpy()
    ours = expected_improvement(belief.mean, belief.epistemic, best)
    real = theirs > np.log(1e-8)
    assert real.sum() > 5
    assert np.log(ours[real]) == pytest.approx(theirs[real], abs=1e-3)
    assert np.argmax(ours) == np.argmax(theirs)


def test_the_fit_is_botorch_default_process(architectures, targets):
    rows = torch.as_tensor(OneHotRows()(architectures[:25]))
    gp = fitted_gp(rows, torch.as_tensor(targets[:25]))
    assert gp.covar_module.__class__.__name__ == "RBFKernel"
    assert gp.covar_module.lengthscale.shape == (1, rows.shape[1])
