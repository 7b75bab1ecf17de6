"""`nas doctor`: is this machine ready?"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nas.cli.printing import echo
from search_spaces.errors import NasError

if TYPE_CHECKING:
    from nas.execution.checkup import Finding

_DISK_GB = 2.0


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def _packages() -> str:
    from nas.runs.directory import describe_environment

    packages = describe_environment()["packages"]
    missing = [name for name, version in packages.items() if version is None]
    if missing:
        raise NasError(f"{', '.join(missing)} not installed. Run: pip install -c constraints.txt .")
    return ", ".join(f"{name} {version}" for name, version in packages.items())


def _device() -> str:
    import torch

    from nas.limits import describe_limits

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"{describe_limits()}; GPUs: {', '.join(gpus) or 'none'}"


def _disk() -> str:
    free = shutil.disk_usage(".").free / 1e9
    if free < _DISK_GB:
        raise NasError(f"{free:.1f} GB free here; a search wants {_DISK_GB:g} GB.")
    return f"{free:.0f} GB free here"


def _training() -> str:
    import numpy as np

    from nas.data.preparation import prepare
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
    "training": _training,
}


def _cluster(address: str | None, storage: str | None, data: str | None) -> "Iterator[Finding]":
    """Look at the data, the storage, Ray, and every node of it."""
    from nas.execution.checkup import Finding, examine_cluster
    from nas.execution.on_ray import start_ray
    from nas.execution.ray_session import end_session
    from nas.runs.storage import Storage

    if data is not None:
        from nas.data.source import load_source

        with tempfile.TemporaryDirectory(prefix="nas-data-") as cache:
            tasks, _ = load_source(data, tasks=None, cache_directory=cache, seed=0)
        yield Finding("ok", "data", f"{data}: {', '.join(tasks)}")
    place = None
    if storage is not None:
        place = Storage(storage if "://" in storage else str(Path(storage).resolve()))
        place.check()
        yield Finding("ok", "storage", f"{place.shown}: this machine reads and writes it")
    resources = start_ray(address)
    try:
        where = f"connected to {address}" if address else "starts"
        cpus, gpus = resources.get("CPU", 0), resources.get("GPU", 0)
        yield Finding("ok", "ray", f"{where}, with {cpus:g} CPUs and {gpus:g} GPUs in all")
        yield from examine_cluster(address, place)
    finally:
        end_session()


def _findings(
    address: str | None, storage: str | None, data: str | None
) -> Iterator[tuple[str, str, str]]:
    for name, check in CHECKS.items():
        try:
            yield "ok", name, check()
        except Exception as error:  # a check-up reports every problem, whatever its kind
            yield "fail", name, _sentence(error)
    try:
        for finding in _cluster(address, storage, data):
            yield finding.level, finding.name, finding.text
    except Exception as error:
        yield "fail", "cluster", _sentence(error)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, NasError) else f"{type(error).__name__}: {error}"


@click.command()
@click.option("--address", help="A Ray cluster to look at, node by node, or auto.")
@click.option("--storage", help="A folder or URI that every node must write to.")
@click.option("--data", help="The data of a search: glue-mini, hub, or a directory.")
def doctor(address: str | None, storage: str | None, data: str | None) -> None:
    """Check this machine, Ray and every node; exit code 2 if something would stop a search.

    \b
    nas doctor
    nas doctor --address 10.0.0.5:6379 --storage s3://bucket/searches --data glue_data
    """  # noqa: D301  click reads \b
    wrong = False
    for level, name, text in _findings(address, storage, data):
        wrong |= level == "fail"
        echo(f"{level:<5} {name:<9} {text}")
    sys.exit(2 if wrong else 0)
