"""The optimiser loop: schedule, decay groups, clipping, and what goes wrong."""

import pytest
import torch
from torch import nn

from nas.training.loop import Loop, split_by_decay
from nas.training.schedule import Schedule
from nas.training.watch import Watch
from search_spaces.errors import TrialError


def loop_of(module, steps=10, **changes):
    settings = {
        "schedule": Schedule.linear(steps, 0.2),
        "learning_rate": 0.1,
        "weight_decay": 0.0,
        "clip": 1.0,
        "stage": "test",
        "watch": Watch(),
    }
    return Loop([module], **{**settings, **changes})


def test_no_step_is_lost_to_a_rate_of_zero():
    module = nn.Linear(2, 1)
    loop = loop_of(module)
    rates = []
    for _ in range(10):
        rates.append(loop.learning_rate)
        loop.step(module(torch.ones(3, 2)).square().mean())
    assert min(rates) > 0
    assert max(rates) <= 0.1
    assert loop.learning_rate == 0.0


def test_matrices_decay_and_levels_do_not():
    module = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.LayerNorm(4))
    decayed, kept = split_by_decay([module, module[1]])
    assert [p is module[1].weight for p in decayed] == [True]
    assert len(kept) == 4


def test_gradients_are_clipped_together():
    module = nn.Linear(1, 1, bias=False)
    seen = []
    module.weight.register_post_accumulate_grad_hook(lambda p: None)
    loop = loop_of(module, clip=0.5)
    loop._optimizer.register_step_pre_hook(
        lambda optimiser, args, kwargs: seen.append(module.weight.grad.norm().item())
    )
    loop.step((module.weight * 1000).sum())
    assert seen == [pytest.approx(0.5, rel=1e-3)]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_reported_with_its_step(bad):
    module = nn.Linear(1, 1)
    loop = loop_of(module, steps=40)
    factors = iter([1.0] * 5 + [bad] + [1.0] * 34)

    def train():
        for factor in factors:
            loop.step(module(torch.ones(1, 1)).sum() * factor)

    with pytest.raises(TrialError, match="at step 6 of 40 of test the loss was") as error:
        train()
    assert error.value.cause == "nan"


def test_the_last_steps_are_checked_too():
    module = nn.Linear(1, 1)
    loop = loop_of(module)
    loop.step(module(torch.ones(1, 1)).sum() * float("nan"))
    with pytest.raises(TrialError, match="at step 1 of 10"):
        loop.finish()


def test_the_mean_of_the_last_tenth_is_returned():
    module = nn.Linear(1, 1)
    loop = loop_of(module, learning_rate=1e-9, steps=20)
    for step in range(20):
        loop.step(module.weight.sum() * 0 + float(step))
    assert loop.finish() == pytest.approx(18.5)


def test_a_spent_deadline_ends_the_trial(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("nas.training.watch.time.monotonic", lambda: now[0])
    seen = []
    watch = Watch(5.0, lambda stage, share: seen.append((stage, share)))
    watch.check("cola", 0.0)
    now[0] += 0.1
    watch.check("cola", 0.1)
    now[0] += 1.0
    watch.check("cola", 0.5)
    watch.check("cola", 1.0)
    # At the start, the end, and at most twice a second between.
    assert seen == [("cola", 0.0), ("cola", 0.5), ("cola", 1.0)]
    assert watch.elapsed == pytest.approx(1.1)
    now[0] += 5.0
    with pytest.raises(TrialError, match="ran longer than its limit of 5 s: 60% of cola") as error:
        watch.check("cola", 0.6)
    assert error.value.cause == "time-out"
