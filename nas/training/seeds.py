"""Seeds by name: every random choice of a trial has its own stream, and none touches another's."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def named_seed(seed: int, *names: str) -> int:
    """Derive a seed in [0, 2**63) from `seed` and `names`, the same on every machine."""
    digest = hashlib.sha256("\0".join([str(seed), *names]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def torch_seed(seed: int) -> int:
    """Return a seed that torch takes: `seed` itself, unless it has more than 63 bits."""
    return seed % (1 << 63)


@contextmanager
def random_state(seed: int) -> Iterator[None]:
    """Run the body with torch's global generators at `seed`; put them back as they were after."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def generator_states() -> list[torch.Tensor]:
    """Return where torch's global generators are, for `generators_at`."""
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return [torch.get_rng_state(), *on_gpus]


@contextmanager
def generators_at(states: list[torch.Tensor]) -> Iterator[None]:
    """Run the body with torch's global generators where they were; they end where they are now."""
    now = generator_states()
    _put(states)
    try:
        yield
    finally:
        _put(now)


def _put(states: list[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state_all(states[1:])


@contextmanager
def thread_count(threads: int) -> Iterator[None]:
    """Run the body with `threads` CPU threads inside an operation; restore the number after."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
