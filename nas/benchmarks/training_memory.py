"""Peak memory of training steps: tensors alive at once, and the size of a process of its own."""

import re
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from nas.benchmarks.training_examples import LONGEST, VOCABULARY
from nas.benchmarks.training_sides import BATCH, bert_training, our_training
from nas.data.prepared import EncodedSplit
from search_spaces import Architecture

SIDES = ("ours", "bert eager", "bert sdpa")


def peak_bytes(
    architecture: Architecture, side: str, precision: str, length: int = LONGEST
) -> dict[str, float]:
    """Take three training steps in a process of its own; return its peaks in 10^6 bytes.

    Args:
        architecture: The shape.
        side: One of `SIDES`.
        precision: "fp32" or "bf16".
        length: Tokens of each of the 32 sequences of a batch.

    Returns:
        "tensors": parameters, gradients, optimiser and activations alive at once; "process": what
        the process grew by, where the system tells (Linux); on a GPU, "tensors" alone.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure_here, architecture, side, precision, length).result()


def measure_here(
    architecture: Architecture, side: str, precision: str, length: int
) -> dict[str, float]:
    """As `peak_bytes`, in this process."""
    from nas.evaluation.cost import LiveBytes

    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    split = _full_batches(length)
    _train_once(architecture, side, precision, device, _full_batches(4))  # libraries grow, too
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        _train_once(architecture, side, precision, device, split)
        return {"tensors": (torch.cuda.max_memory_allocated(device) - before) / 1e6}
    before = _process_bytes("VmRSS") if _forget_peak() else None
    _train_once(architecture, side, precision, device, split)
    grown = 0 if before is None else _process_bytes("VmHWM") - before
    # nothing where the process had room from before, which a new one has not
    found = {"process": grown / 1e6} if grown > 0 else {}
    with LiveBytes() as live:
        _train_once(architecture, side, precision, device, split)
    return {"tensors": live.peak / 1e6, **found}


def _train_once(
    architecture: Architecture,
    side: str,
    precision: str,
    device: torch.device,
    split: EncodedSplit,
) -> None:
    if side == "ours":
        train = our_training(architecture, precision, device)
    else:
        attention = side.removeprefix("bert ")
        train = bert_training(architecture, precision, device, attention=attention)
    train(split, 0)


def _full_batches(length: int, steps: int = 3) -> EncodedSplit:
    import numpy as np

    count = steps * BATCH
    return EncodedSplit(
        np.random.default_rng(0).integers(5, VOCABULARY, count * length).astype(np.uint16),
        np.arange(count + 1, dtype=np.int64) * length,
        np.full(count, length, np.int32),
        np.arange(count, dtype=np.float32) % 2,
    )


def _forget_peak() -> bool:
    """Make the largest size so far the present one; False where the system cannot."""
    if sys.platform != "linux":
        return False
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _process_bytes(field: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    assert found, field
    return 1024 * int(found[1])
