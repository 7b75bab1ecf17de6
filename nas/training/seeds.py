"""Seeds by name: every random choice of a trial has its own stream, and none touches another's."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def named_seed(seed: int, *names: str) -> int:
    """Derive a seed in [0, 2**63) from `seed` and `names`, the same on every machine."""
    digest = hashlib.sha256("\0".join([str(seed), *names]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@contextmanager
def random_state(seed: int) -> Iterator[None]:
    """Run the body with torch's global generators at `seed`; put them back as they were after."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


@contextmanager
def thread_count(threads: int) -> Iterator[None]:
    """Run the body with `threads` CPU threads inside an operation; restore the number after."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
