"""`nas doctor`: is this machine ready?"""

import shutil
import sys
from collections.abc import Callable

import click

from search_spaces.errors import NasError

_DISK_GB = 2.0


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def _packages() -> str:
    from nas.runs import describe_environment

    packages = describe_environment()["packages"]
    missing = [name for name, version in packages.items() if version is None]
    if missing:
        raise NasError(f"{', '.join(missing)} not installed. Run: pip install -c constraints.txt .")
    return ", ".join(f"{name} {version}" for name, version in packages.items())


def _device() -> str:
    import torch

    from nas.execution.on_ray import available_cpus

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"{available_cpus()} CPU cores; GPUs: {', '.join(gpus) or 'none'}"


def _disk() -> str:
    free = shutil.disk_usage(".").free / 1e9
    if free < _DISK_GB:
        raise NasError(f"{free:.1f} GB free here; a search wants {_DISK_GB:g} GB.")
    return f"{free:.0f} GB free here"


def _ray() -> str:
    import ray

    from nas.execution.on_ray import start_ray

    resources = start_ray(None)
    ray.shutdown()
    return f"starts, with {resources.get('CPU', 0):g} CPUs and {resources.get('GPU', 0):g} GPUs"


def _training() -> str:
    import numpy as np

    from nas.data.prepared import prepare
    from nas.data.tables import Split, TaskData
    from nas.training.recipe import Recipe
    from nas.training.trial import run_trial
    from search_spaces import load_space

    words = ["good film", "bad film", "good song", "bad song"] * 8
    split = Split(words, None, np.array([1, 0, 1, 0] * 8))
    recipe = Recipe(tasks=("sst2",), pretrain_tokens=200, block_length=8, max_length=8)
    data = prepare(
        tasks={"sst2": TaskData("sst2", split, {"dev": split})},
        corpus=None,
        vocabulary_size=recipe.vocabulary_size,
        max_length=recipe.max_length,
        block_length=recipe.block_length,
    )
    (architecture,) = load_space("flexibert-micro").sample(1, seed=0)
    seconds = run_trial(architecture, recipe, data, seed=0).seconds
    return f"one small model trained in {seconds:.1f} s"


CHECKS: dict[str, Callable[[], str]] = {
    "python": _python,
    "packages": _packages,
    "device": _device,
    "disk": _disk,
    "ray": _ray,
    "training": _training,
}


@click.command()
def doctor() -> None:
    """Check Python, packages, device, disk, Ray and training; exit code 2 if something is wrong."""
    wrong = False
    for name, check in CHECKS.items():
        try:
            click.echo(f"ok       {name:<9} {check()}")
        except Exception as error:  # a check-up reports every problem, whatever its kind
            wrong = True
            click.echo(f"PROBLEM  {name:<9} {type(error).__name__}: {error}")
    sys.exit(2 if wrong else 0)
