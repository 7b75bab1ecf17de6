"""Latency and memory are measured, leave no trace, and grow with what is measured."""

import pytest
import torch
from torch import nn

from nas.evaluation.cost import (
    count_flops,
    count_parameters,
    measure_latency,
    peak_memory_mb,
)
from nas.models.encoder import Encoder
from search_spaces import named_architecture

TINY = named_architecture("bert-tiny")


@pytest.fixture(scope="module")
def encoder():
    return Encoder(TINY, 500)


class Chain(nn.Module):
    """Makes tensors of known size: 8-byte tokens in, 4-byte numbers out."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(250_000))

    def forward(self, tokens):
        first = tokens.float() * self.weight[0]  # two tensors alive, then one
        second = first * 2
        del first
        third = second.view(-1)[1:] + 1
        del second
        return third


class Recorder(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen = []

    def forward(self, tokens):
        self.seen.append((tuple(tokens.shape), self.training, torch.get_num_threads()))
        return tokens * self.weight


def test_latency_is_a_distribution(encoder):
    latency = measure_latency(encoder, batch=1, length=8, min_repeats=10, max_seconds=0.2)
    assert 0 < latency.p50_ms <= latency.p95_ms
    assert latency.iqr_ms >= 0
    assert latency.repeats >= 10
    longer = measure_latency(encoder, batch=8, length=64, min_repeats=5, max_seconds=0.2)
    assert longer.p50_ms > latency.p50_ms


@pytest.mark.parametrize(
    ("seconds", "repeats"),
    [
        ([4.0, 4.0], 12),  # slow at first: the halves agree after three blocks
        ([], 4),
        ([float(n) for n in range(1, 40)], 8),  # they never do, and the time is up
    ],
)
def test_blocks_are_timed_until_the_halves_agree_or_the_time_is_up(seconds, repeats, monkeypatch):
    clock, left = [0.0], [0.0] * 3 + seconds  # three passes warm up

    class Slow(Recorder):
        def forward(self, tokens):
            clock[0] += left.pop(0) if left else 1.0
            return super().forward(tokens)

    monkeypatch.setattr("nas.evaluation.cost.time.perf_counter", lambda: clock[0])
    assert measure_latency(Slow(), min_repeats=4, max_seconds=30.0).repeats == repeats


def test_latency_calls_as_asked_and_restores_everything():
    model = Recorder().train()
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        measure_latency(model, batch=3, length=7, threads=1, min_repeats=4, max_seconds=0.0)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(model.seen) == {((3, 7), False, 1)}
    assert model.training


def test_state_is_restored_after_an_error():
    class Broken(Recorder):
        def forward(self, tokens):
            raise RuntimeError("no")

    model, before = Broken().train(), torch.get_num_threads()
    with pytest.raises(RuntimeError, match="no"):
        measure_latency(model, threads=1)
    assert torch.get_num_threads() == before
    assert model.training


def test_peak_memory_counts_tensors_that_are_alive_at_once():
    # 1 MB of weights, and tensors of 4 MB: float(), its product, and so on, two at a time.
    assert peak_memory_mb(Chain(), batch=1000, length=1000) == pytest.approx(9.0, abs=0.01)


def test_peak_memory_of_an_encoder(encoder):
    weights = 4e-6 * sum(p.numel() for p in encoder.parameters())
    small, large = (peak_memory_mb(encoder, batch=n, length=16) for n in (1, 64))
    assert weights < small < weights + 1
    assert large > 2 * small
    assert peak_memory_mb(encoder, batch=64, length=16) == large
    state = torch.get_rng_state()
    training = peak_memory_mb(encoder, batch=64, length=16, training=True)
    # in training the gradients of all weights and what backward needs of every layer remain
    assert training > large + weights
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in encoder.parameters())


def test_counts_are_those_of_the_search_space(encoder):
    built = sum(p.numel() for p in encoder.parameters())
    assert count_parameters(TINY, vocabulary_size=500) == built
    assert count_flops(TINY, length=4, vocabulary_size=500) > 0
