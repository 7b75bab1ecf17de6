"""What an encoder costs on this machine: parameters, operations, latency, memory."""

import statistics
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from search_spaces import count_flops, count_parameters

__all__ = ["Latency", "count_flops", "count_parameters", "measure_latency", "peak_memory_mb"]


@dataclass(frozen=True)
class Latency:
    """Time of one forward pass of one batch, in milliseconds.

    Attributes:
        p50_ms: Median.
        p95_ms: 95 of 100 passes were at most this long.
        iqr_ms: Interquartile range, the spread of the middle half.
        repeats: How many passes were timed.
    """

    p50_ms: float
    p95_ms: float
    iqr_ms: float
    repeats: int


def measure_latency(
    encoder: nn.Module,
    *,
    batch: int = 1,
    length: int = 32,
    threads: int = 1,
    tolerance: float = 0.03,
    min_repeats: int = 50,
    max_seconds: float = 2.0,
) -> Latency:
    """Time forward passes in evaluation mode on full sequences, on the device of the encoder.

    After a warm-up, passes are timed in blocks until the median of the first and of the second half
    of all timings agree, or until time is up. Mode and threads are restored.

    Args:
        encoder: The model; called with tokens, `(batch, length)`.
        batch: Sequences at once.
        length: Tokens of a sequence, none of them padding.
        threads: Threads torch may use.
        tolerance: Relative difference of the two medians that counts as agreement.
        min_repeats: Passes in a block, and the fewest that are timed.
        max_seconds: No new block is started later than this.
    """
    tokens, synchronise = _tokens(encoder, batch, length)
    times: list[float] = []
    with _evaluating(encoder, threads), torch.inference_mode():
        for _ in range(max(3, min_repeats // 4)):
            encoder(tokens)
        synchronise()
        end = time.perf_counter() + max_seconds
        while True:
            for _ in range(min_repeats):
                start = time.perf_counter()
                encoder(tokens)
                synchronise()
                times.append((time.perf_counter() - start) * 1e3)
            half = len(times) // 2
            first, second = statistics.median(times[:half]), statistics.median(times[half:])
            if abs(first - second) <= tolerance * first or time.perf_counter() > end:
                break
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return Latency(cuts[49], cuts[94], cuts[74] - cuts[24], len(times))


def peak_memory_mb(
    encoder: nn.Module, *, batch: int = 1, length: int = 32, training: bool = False
) -> float:
    """Most bytes of tensors that are alive at once, parameters included, in 10^6 bytes.

    On a CUDA device this is what its allocator reports. On a CPU every tensor that an operation
    makes is counted from its birth to its end, which is exact for tensors and repeatable, unlike
    the size of the process; it leaves out what kernels use inside themselves, the interpreter and
    torch itself.

    Args:
        encoder: The model; called with tokens, `(batch, length)`. Its gradients are cleared if
            training.
        batch: Sequences at once.
        length: Tokens of a sequence.
        training: Whether to count a training step: forward, backward and gradients (not the
            optimiser's state, twice the parameters for AdamW) instead of a forward pass.
    """
    tokens, synchronise = _tokens(encoder, batch, length)
    held = sum(t.untyped_storage().nbytes() for t in (*encoder.parameters(), *encoder.buffers()))
    if tokens.is_cuda:
        torch.cuda.reset_peak_memory_stats(tokens.device)
        before = torch.cuda.memory_allocated(tokens.device)
        _one_step(encoder, tokens, training=training)
        synchronise()
        made = torch.cuda.max_memory_allocated(tokens.device) - before
    else:
        with LiveBytes() as live:
            _one_step(encoder, tokens, training=training)
        made = live.peak
    if training:
        encoder.zero_grad(set_to_none=True)
    return (held + made) / 1e6


def _one_step(encoder: nn.Module, tokens: Tensor, *, training: bool) -> None:
    if training:
        encoder.zero_grad(set_to_none=True)
        with torch.random.fork_rng(devices=[]):  # dropout must not move the caller's generator
            encoder(tokens).float().sum().backward()
    else:
        with torch.inference_mode():
            encoder(tokens)


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of storages made while it is active; `peak` is the most alive at once."""

    def __init__(self):
        super().__init__()
        self.alive = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # An operation may hand back its own input or a view: only new storages count.
        given = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if _is_tensor(t)}
        result = func(*args, **(kwargs or {}))
        for tensor in filter(_is_tensor, tree_leaves(result)):
            storage = tensor.untyped_storage()
            if storage._cdata not in given and storage._cdata not in self._known:
                self._add(storage)
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        self._known.add(key)
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._remove, key, size)

    def _remove(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.alive -= size


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _tokens(encoder: nn.Module, batch: int, length: int) -> tuple[Tensor, Any]:
    device = next(encoder.parameters()).device
    # Any id that is not special; what stands there does not change the cost.
    tokens = torch.full((batch, length), 5, dtype=torch.int64, device=device)
    return tokens, torch.cuda.synchronize if device.type == "cuda" else lambda: None


@contextmanager
def _evaluating(encoder: nn.Module, threads: int) -> Iterator[None]:
    before, was_training = torch.get_num_threads(), encoder.training
    torch.set_num_threads(threads)
    encoder.eval()
    try:
        yield
    finally:
        torch.set_num_threads(before)
        encoder.train(was_training)
