"""Looks at every node of a Ray cluster: versions, GPUs, storage, disk, clock, authentication."""

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from nas.runs.storage import Storage
from search_spaces.errors import NasError

_PACKAGES = ("encoder-nas", "ray", "torch", "numpy", "safetensors")
_NODE_SECONDS = 60.0
_LEAST_DISK_GB = 2.0
# Deadlines and the record use the driver's clock, so that a skew confuses people, not the search.
_WORST_SKEW_SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """One line of a check-up.

    Attributes:
        level: "ok", "warn" or "fail".
        name: What was looked at.
        text: What was found, and for a warning or a failure the next step.
    """

    level: str
    name: str
    text: str


def node_facts(storage: Storage | None) -> dict[str, Any]:
    """Return what this node has; runs on every node."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    try:
        import torch

        gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    except ImportError:
        gpus = []
    problem = None
    if storage is not None:
        try:
            storage.check()
        except NasError as error:
            problem = str(error)
    return {
        "node": platform.node(),
        "versions": versions,
        "gpus": gpus,
        "free_gb": shutil.disk_usage(tempfile.gettempdir()).free / 1e9,
        "time": time.time(),
        "auth": os.environ.get("RAY_AUTH_MODE", ""),
        "storage": problem,
    }


def examine_cluster(address: str | None, storage: Storage | None) -> Iterator[Finding]:
    """Yield what is right and wrong on every node of the connected cluster.

    Args:
        address: As it was given; None for Ray on this machine alone.
        storage: What every node must write to, or None.
    """
    own = node_facts(None)["versions"]
    facts: list[dict[str, Any]] = []
    for node in _nodes():
        name = f"{node['NodeManagerHostname']} ({node['NodeID'][:6]})"
        asked = time.time()
        try:
            found = _ask(node["NodeID"], storage, node["Resources"].get("GPU", 0.0))
        except Exception as error:  # noqa: BLE001  a check-up reports every problem, of any kind
            lines = str(error).strip().splitlines() or [type(error).__name__]
            yield Finding(
                "fail",
                "node",
                f"{name} gives no answer: {lines[-1]}. Install the same encoder-nas there as here.",
            )
            continue
        skew = found["time"] - (asked + time.time()) / 2
        facts.append({**found, "name": name})
        yield from _node_findings(name, found, node["Resources"], own, skew, address)
    yield _authentication(address, facts)


def _nodes() -> list[dict[str, Any]]:
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def _ask(node_id: str, storage: Storage | None, gpus: float) -> dict[str, Any]:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node_id, soft=False)
    # A tiny share lets the task see one GPU without waiting for a free one.
    ask = ray.remote(node_facts).options(
        num_cpus=0, num_gpus=0.001 if gpus else 0, scheduling_strategy=there, max_retries=0
    )
    return ray.get(ask.remote(storage), timeout=_NODE_SECONDS)


def _node_findings(
    name: str,
    found: dict[str, Any],
    resources: dict[str, float],
    own: dict[str, str | None],
    skew: float,
    address: str | None,
) -> Iterator[Finding]:
    other = [
        f"{package} {there or 'missing'} instead of {own[package]}"
        for package, there in found["versions"].items()
        if there != own[package]
    ]
    if other:
        yield Finding(
            "fail", "versions", f"{name} has {', '.join(other)}. Install there what is here."
        )
    else:
        yield Finding("ok", "versions", f"{name}: as here, Python {own['python']}")
    promised, seen = resources.get("GPU", 0.0), found["gpus"]
    text = f"{name}: {resources.get('CPU', 0.0):g} CPUs, {promised:g} GPUs"
    if promised and not seen:
        yield Finding(
            "fail",
            "gpus",
            f"{text}, but torch sees none there. Install a torch built for CUDA and check "
            "nvidia-smi, or start Ray there with --num-gpus=0.",
        )
    else:
        yield Finding("ok", "gpus", text + (f" ({seen[0]})" if seen else ""))
    if found["storage"]:
        yield Finding("fail", "storage", f"{name}: {found['storage']}")
    if found["free_gb"] < _LEAST_DISK_GB:
        yield Finding(
            "warn",
            "disk",
            f"{name}: {found['free_gb']:.1f} GB free for temporary files; make room for at least "
            f"{_LEAST_DISK_GB:g} GB, or point TMPDIR at a larger disk before starting Ray.",
        )
    else:
        yield Finding("ok", "disk", f"{name}: {found['free_gb']:.0f} GB free for temporary files")
    if address and abs(skew) > _WORST_SKEW_SECONDS:
        yield Finding(
            "warn", "clock", f"{name} is {skew:+.0f} s off this machine. Start NTP (chrony) there."
        )
    elif address:
        yield Finding("ok", "clock", f"{name}: {skew:+.2f} s from this machine")


def _authentication(address: str | None, facts: Sequence[dict[str, Any]]) -> Finding:
    if address is None:
        return Finding("ok", "auth", "Ray on this machine alone; nobody else reaches it")
    here = os.environ.get("RAY_AUTH_MODE", "")
    different = [f["name"] for f in facts if f["auth"] != here]
    if here.lower() != "token":
        return Finding(
            "warn",
            "auth",
            "Without tokens, who reaches the cluster's ports can run anything on it. Run "
            "'ray get-auth-token --generate', copy ~/.ray/auth_token to every node, and set "
            "RAY_AUTH_MODE=token alike for the head, the workers and this machine.",
        )
    if different:
        return Finding(
            "warn",
            "auth",
            f"RAY_AUTH_MODE is {here!r} here, but not on {', '.join(different)}. Set it alike "
            "before 'ray start' on every node.",
        )
    return Finding("ok", "auth", "by token, set alike on every node")
