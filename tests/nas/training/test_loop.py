"""The optimiser loop: schedule, decay groups, clipping, and what goes wrong."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from nas.training.loop import CHECK_EVERY, Loop, split_by_decay
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


class Rows:
    """Parts of a batch of rows for `Loop.step`, with memory for `room` rows at once."""

    def __init__(self, module, rows, room):
        self.module, self.rows, self.room, self.tried = module, rows, room, []

    def losses(self, parts):
        self.tried.append(parts)
        for part in self.rows.chunk(parts):
            yield self.module(part).square().mean() * len(part) / len(self.rows)
            # after the gradients of a first part, which must not be counted twice
            if len(part) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory")


def test_parts_halve_where_memory_runs_out_and_the_step_stays_the_same():
    rows = torch.randn(6, 3)
    whole, parted = nn.Linear(3, 2), nn.Linear(3, 2)
    parted.load_state_dict(whole.state_dict())
    loop = loop_of(whole)
    loop.step(whole(rows).square().mean())
    other, batch = loop_of(parted), Rows(parted, rows, room=2)
    other.step(batch.losses, len(rows))
    assert batch.tried == [1, 2, 4]
    for a, b in zip(whole.parameters(), parted.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    other.step(batch.losses, len(rows))
    assert batch.tried == [1, 2, 4, 4]  # what was learned about memory stays
    assert other.step_number == 2


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("no"), RuntimeError("can't allocate memory"), MemoryError()]
)
def test_memory_for_not_even_one_example_is_an_error(error):
    def losses(parts):
        tried.append(parts)
        raise error
        yield

    tried = []
    with pytest.raises(type(error)):
        loop_of(nn.Linear(1, 1)).step(losses, 3)
    assert tried == [1, 2, 3]


def test_other_errors_are_not_tried_again():
    def losses(parts):
        raise RuntimeError("shapes do not fit")
        yield

    with pytest.raises(RuntimeError, match="do not fit"):
        loop_of(nn.Linear(1, 1)).step(losses, 3)


class ReadBacks(TorchDispatchMode):
    """Counts the operations that make the processor wait for a number of the device."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        waits = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
        self.count += func in waits
        return func(*args, **(kwargs or {}))


def test_nothing_in_a_step_waits_for_the_device():
    module = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1))
    loop = loop_of(module, steps=40)
    with ReadBacks() as waiting:
        for _ in range(CHECK_EVERY - 1):
            loop.step(module(torch.ones(3, 4)).square().mean())
        assert waiting.count == 0
        loop.step(module(torch.ones(3, 4)).square().mean())
        assert waiting.count > 0  # the check of all of them


@pytest.mark.parametrize("positions", ["absolute", "relative"])
def test_no_encoder_waits_for_the_device(positions):
    from nas.models.encoder import Encoder
    from search_spaces import Architecture

    heads = ["sa_sdp_4", "sa_wma_4", "l_dft_4", "l_dct_4", "c_3_4"]
    layers = {"l": 1, "o": [heads], "h": [8], "f": [[8]]}
    encoder = Encoder(Architecture.from_dict(layers), 50, positions=positions)
    tokens, keep = torch.full((2, 6), 7), torch.arange(6) < torch.tensor([[6], [3]])
    # what a GPU does: a CPU looks for padding to leave out, which it need not wait for
    as_there = {"unpad": False}
    encoder(tokens, keep, **as_there)  # matrices of the transforms are made once
    with ReadBacks() as waiting:
        encoder(tokens, keep, **as_there).sum().backward()
    assert waiting.count == 0
