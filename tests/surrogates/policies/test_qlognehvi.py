"""qLogNEHVI: BoTorch's numbers computed directly, and hypervolumes of plain samples."""

import numpy as np
import pytest
import torch
import torch.utils.cpp_extension
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.models import ModelListGP
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.multi_objective.hypervolume import Hypervolume
from botorch.utils.multi_objective.pareto import is_non_dominated

from search_spaces import FiniteSpace, load_space
from search_spaces.errors import PolicyError
from surrogates import make_policy
from surrogates.acquisition import noisy_improvement
from surrogates.acquisition.noisy_improvement import NoisyImprovement
from surrogates.models.botorch_gp import fitted_gp
from surrogates.models.compilation import never_compile

NONE = torch.empty(0, 3, dtype=torch.float64)


@pytest.fixture
def front():
    """Twelve rows of three columns with a curved front of two objectives, and six candidates."""
    rows = torch.as_tensor(np.random.default_rng(0).integers(0, 2, (18, 3)) * 1.0)
    rows += 0.1 * torch.as_tensor(np.random.default_rng(1).normal(size=(18, 3)))
    values = torch.stack([rows[:, 0] - rows[:, 2] ** 2, 1 - rows[:, 0] + rows[:, 1]], dim=1)
    values = (values - values.mean(0)) / values.std(0)
    return rows[:12], values[:12], rows[12:]


@pytest.mark.parametrize(
    ("name", "options"),
    [("qlognehvi", {}), ("boshnas", {"improvement": "noisy", "first_share": 0.0})],
)
def test_nothing_is_compiled_while_a_search_runs(name, options, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.utils.cpp_extension, "load", lambda **given: compiled.append(given))
    monkeypatch.setattr(logei, "_load_attempted", False)
    space = FiniteSpace(load_space("flexibert-test").sample(30, seed=1))
    policy = make_policy(name, space, {"glue": "max", "latency": "min"}, options=options)
    for i, a in enumerate(list(space)[:8]):
        policy.tell(a, {"glue": i / 8, "latency": (i * 5) % 8})
    policy.ask(2)
    assert not compiled


def volume(points, reference):
    best = points[is_non_dominated(points) & (points > reference).all(-1)]
    return Hypervolume(reference).compute(best) if len(best) else 0.0


def sampled_gain(improvement, baseline, candidate, samples=400):
    """Mean hypervolume that a candidate adds, over samples of the joint belief."""
    model = ModelListGP(*improvement.models)
    joint = torch.cat([baseline, candidate[None]])
    torch.manual_seed(0)
    reference, gains = improvement.reference(), []
    with torch.no_grad():
        for points in model.posterior(joint).rsample(torch.Size([samples])):
            gains.append(volume(points, reference) - volume(points[:-1], reference))
    return np.mean(gains), np.std(gains) / samples**0.5


def test_gains_are_those_of_botorch_computed_directly(front, monkeypatch):
    monkeypatch.setattr(noisy_improvement, "PRUNING", 4096)
    rows, values, candidates = front
    ours = NoisyImprovement(rows, values, [None, None], torch.empty(12, 0), seed=5)
    never_compile()  # half a minute
    theirs = qLogNoisyExpectedHypervolumeImprovement(
        ModelListGP(*(fitted_gp(rows, target) for target in values.T)),
        (values.amin(0) - 0.1 * (values.amax(0) - values.amin(0))).tolist(),
        X_baseline=rows,
        sampler=SobolQMCNormalSampler(torch.Size([noisy_improvement.SAMPLES]), seed=5),
        prune_baseline=False,
    )
    with torch.no_grad():
        expected = theirs(candidates[:, None])
    assert ours.log_gain(candidates, NONE).exp() == pytest.approx(
        expected.exp(), rel=0.25, abs=0.02
    )
    assert ours.log_gain(candidates, NONE).argmax() == expected.argmax()


def test_gains_are_mean_hypervolumes_of_samples(front, monkeypatch):
    monkeypatch.setattr(noisy_improvement, "SAMPLES", 256)
    rows, values, candidates = front
    ours = NoisyImprovement(rows, values, [None, None], torch.empty(12, 0), seed=0)
    for candidate, gain in zip(candidates, ours.log_gain(candidates, NONE).exp(), strict=True):
        mean, error = sampled_gain(ours, rows, candidate)
        assert gain == pytest.approx(mean, abs=5 * error + 0.03)


def test_a_pending_point_takes_its_gain_away(front):
    rows, values, candidates = front
    ours = NoisyImprovement(rows, values, [None, None], torch.empty(12, 0), seed=0)
    alone = ours.log_gain(candidates, NONE)
    best = int(alone.argmax())
    beside = ours.log_gain(candidates, candidates[[best]])
    assert beside[best] < alone[best] - 1
    chosen = [i for i, _ in ours.choose(candidates, NONE, 3)]
    assert chosen[0] == best
    assert len(set(chosen)) == 3


def test_exact_objectives_are_no_guess(front):
    rows, values, _ = front
    told = torch.cat([rows, values[:, 1:]], dim=1)
    ours = NoisyImprovement(told, values, [None, 3], torch.empty(12, 0), seed=0)
    candidates = torch.cat([rows[[0, 0]], torch.tensor([[9.0], [-9.0]])], dim=1)
    better, worse = ours.log_gain(candidates, torch.empty(0, 4, dtype=torch.float64)).tolist()
    assert better > worse + 3
    with torch.no_grad():
        posterior = ours.models[1].posterior(candidates)
    assert posterior.mean[:, 0].tolist() == [9.0, -9.0]
    assert not posterior.variance.any()


@pytest.fixture(scope="module")
def table():
    return FiniteSpace(load_space("nas-bench-bert").sample(150, seed=0), name="table")


@pytest.mark.parametrize("objectives", [{"glue": "max"}, {"glue": "max", "latency": "min"}])
def test_measured_constraints_are_learned(objectives, table):
    policy = make_policy("qlognehvi", table, objectives, constraints=("energy<1",))

    def wide(architecture):
        return architecture.layers[0].width == 256

    for a in table.architectures[:40]:
        values = {"glue": 0.1 * wide(a) + 0.01 * len(a), "latency": len(a)}
        policy.tell(a, {**values, "energy": 5.0 if wide(a) else 0.5})
    assert np.mean([wide(a) for a in policy.ask(6)]) < 0.4


def test_nothing_feasible_and_only_exact_objectives_are_survived(table):
    policy = make_policy("qlognehvi", table, constraints=("energy<1",))
    for a in table.architectures[:10]:
        policy.tell(a, {"glue": 0.5, "energy": 5.0})
    assert len(policy.ask(3)) == 3
    policy = make_policy("qlognehvi", table, {"parameters": "min"})
    for a in table.architectures[:10]:
        policy.tell(a, {})
    (smallest,) = policy.ask()
    left = [policy.exact("parameters", a) for a in table.architectures[10:]]
    assert policy.exact("parameters", smallest) == min(left)


def test_predictions_are_in_units(table, score):
    policy = make_policy("qlognehvi", table, {"loss": "min", "parameters": "min"})
    with pytest.raises(PolicyError, match="'qlognehvi' has been told no result yet"):
        policy.predict(list(table)[:2])
    for a in table.architectures[:60]:
        policy.tell(a, {"loss": 3 - score(a)})
    rest = table.architectures[60:]
    found, truth = policy.predict(rest), np.array([3 - score(a) for a in rest])
    assert np.abs(found["loss"].mean - truth).mean() < 0.05
    assert (found["loss"].epistemic > 0).all()
    assert found["parameters"].mean.tolist() == [policy.exact("parameters", a) for a in rest]
    with pytest.raises(PolicyError, match="option initial is 0; give one proposal"):
        make_policy("qlognehvi", table, options={"initial": 0})
