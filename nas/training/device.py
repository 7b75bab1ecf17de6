"""Where a trial runs, in which precision, and what running out of memory means there."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from nas.training.recipe import Recipe
from search_spaces.errors import InvalidExperiment, TrialError

_TOKENS_WORTH_COMPILING = 2e8


def choose_device(recipe: Recipe) -> torch.device:
    """Return the device that `recipe` names; "auto" takes a GPU where there is one.

    Raises:
        InvalidExperiment: The recipe asks for a GPU and torch sees none.
    """
    has_gpu = torch.cuda.is_available()
    if recipe.device == "cuda" and not has_gpu:
        raise InvalidExperiment(
            "device is 'cuda', but torch sees no GPU here. Use device: cpu or auto, or install a "
            "torch built for CUDA."
        )
    return torch.device("cuda" if has_gpu and recipe.device != "cpu" else "cpu")


def choose_precision(recipe: Recipe, device: torch.device) -> str:
    """Return "fp32" or "bf16": what the recipe names, or what is faster for "auto"."""
    if recipe.precision != "auto":
        return recipe.precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if _processor_multiplies_bf16() else "fp32"


def _processor_multiplies_bf16() -> bool:
    """Whether this CPU has instructions for bf16; without them it is emulated, and slower."""
    return not _cpu_flags().isdisjoint({"avx512_bf16", "amx_bf16"})


@lru_cache(maxsize=1)
def _cpu_flags() -> frozenset[str]:
    """Names of the processor's features as Linux lists them; none where it does not."""
    path = Path("/proc/cpuinfo")
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """Return the context in which forward passes run."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def device_seconds(device: torch.device) -> float:
    """Return a clock of the device's work: processor seconds, or seconds of a GPU that has ended.

    Processor seconds are those of all threads of this process, and of nothing beside it.
    """
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether `error` is what running out of memory raises, on a CPU or a GPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # torch's CPU allocator raises a plain RuntimeError, recognisable by its text alone
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "not enough memory" in text
    )


def compile_for(encoder: nn.Module, device: torch.device, tokens: float = math.inf) -> bool:
    """Compile `encoder` in place where that pays; return whether it was.

    Compiling takes about a minute. A GPU wins it back over many tokens; a CPU gains some 4-11 %,
    which the budgets of a CPU never do. Shapes stay few: see `length_multiple`.

    Args:
        encoder: What will train; its parameters and their names stay as they are.
        device: Where it trains.
        tokens: How many it will read.
    """
    if device.type != "cuda" or tokens < _TOKENS_WORTH_COMPILING:
        return False
    encoder.compile()
    return True


def length_multiple(longest: int, device: torch.device) -> int:
    """Return what lengths of batches are rounded up to, a divisor of `longest`.

    Every new shape costs: on a CPU the matrix library prepares a kernel, on a GPU a compiled model
    may be compiled again, so that there are at most four lengths there.
    """
    wanted = longest // 4 if device.type == "cuda" else 4
    return math.gcd(max(wanted, 1), longest)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn what running out of memory raises, on a CPU or a GPU, into a `TrialError`."""
    advice = "Lower the batches or the lengths of the recipe, or constrain the parameters."
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        first = next(iter(str(error).splitlines()), "no more is free").rstrip(".")
        raise TrialError(f"Out of memory: {first}. {advice}", cause="out-of-memory") from error
