"""How many trials share a GPU, by arithmetic and on GPUs that only Ray believes in."""

import os
import sys
import time

import pytest

from nas.config import Execution
from nas.execution import Job, make_executor
from nas.execution.packing import gpu_share
from nas.search.deadlines import cost_of, largest_memory_mb
from nas.training.recipe import Recipe
from search_spaces import load_space

(ARCHITECTURE,) = load_space("flexibert-micro").sample(1, seed=5)


@pytest.mark.parametrize(
    ("memory", "device", "together"),
    [
        (1000.0, 16_000.0, 8),  # 13 would fit
        (2000.0, 16_000.0, 6),  # 6.67, with the margin
        (2223.0, 16_000.0, 5),  # 7.2 without the margin, 5.998 with it
        (8000.0, 16_000.0, 1),
        (90_000.0, 16_000.0, 1),  # tries, and is told out-of-memory
        (None, 16_000.0, 1),
        (1000.0, None, 1),
    ],
)
def test_as_many_share_a_gpu_as_its_memory_holds(memory, device, together):
    assert gpu_share(memory, device) == pytest.approx(1 / together)


def test_the_largest_of_the_space_decides(experiment):
    plan = experiment(recipe={"preset": "glue-mini", "pretrain_batch": 32})
    found = largest_memory_mb(plan, {})
    cost = cost_of({"pretrain_batch": 32}, {})
    assert found >= cost.predict(ARCHITECTURE)[1]
    assert found == max(cost.predict(a)[1] for a in load_space(plan.space).sample(64, seed=0))


def stay(architecture, recipe, data, *, seed):
    """Stand in for training: hold the place for a while, and say which and when."""
    begun = time.time()
    time.sleep(1.0)
    gpus = os.environ["CUDA_VISIBLE_DEVICES"]
    return {"scores": {}, "costs": {}, "details": {"gpus": gpus, "span": [begun, time.time()]}}


def test_trials_share_gpus_and_one_alone_gets_a_whole_one(monkeypatch):
    import ray
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    monkeypatch.setattr("nas.execution.on_ray.device_memory_mb", lambda: 1000.0)
    ray.init(address="local", num_cpus=8, num_gpus=2, include_dashboard=False, log_to_driver=False)
    settings = Execution(trial_function=f"{__name__}:stay", cpus_per_trial=0.5)
    executor = make_executor(settings, Recipe(), None, None, lambda: 240.0)
    try:
        assert executor.gpus_per_trial == pytest.approx(1 / 3)
        assert executor.capacity == 6
        assert "3 trials on a GPU" in executor.where
        for trial in range(1, 8):
            executor.submit(
                Job(trial, ARCHITECTURE.to_dict(), 1, 100.0, alone=trial == 4,
                    memory_mb=450.0 if trial == 7 else 100.0)
            )  # fmt: skip
        outcomes = []
        until = time.monotonic() + 90
        while len(outcomes) < 7 and time.monotonic() < until:
            outcomes += executor.wait(0.5)
    finally:
        executor.close()
    assert [outcome.cause for outcome in outcomes] == [None] * 7, outcomes[0].error
    spans = {o.trial: (o.details["gpus"], *o.details["span"]) for o in outcomes}
    together = {
        trial: {t for t, (g, a, b) in spans.items() if g == gpu and a < end and b > begun}
        for trial, (gpu, begun, end) in spans.items()
    }
    assert together[4] == {4}
    assert max(len(trials) for trials in together.values()) > 1
    # A third each, but trial 7, which by prediction needs half.
    shares = {t: 1 / 2 if t == 7 else 1 / 3 for t in spans if t != 4} | {4: 1.0}
    for gpu in ("0", "1"):
        for moment in (begun for g, begun, _ in spans.values() if g == gpu):
            used = sum(shares[t] for t, (g, a, b) in spans.items() if g == gpu and a <= moment < b)
            assert used <= 1 + 1e-6


def test_a_trial_needs_no_gpu_where_there_is_none(begin, pretend):
    executor = pretend()
    begin(trials=2, executor=executor).run_until_done()
    assert [job.memory_mb for job in executor.performed] == [None, None]
