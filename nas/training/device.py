"""Where a trial runs and in which precision."""

from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path

import torch

from nas.training.recipe import Recipe
from search_spaces.errors import InvalidExperiment


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
