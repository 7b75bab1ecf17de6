"""The nodes of a Ray cluster, and how many trials each has room for."""

import logging
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from nas.runs.storage import Storage
from search_spaces.errors import InvalidExperiment

# Shares such as 0.1 add up inexactly; a tenth place must not be lost to that.
_ROUNDING = 1e-6
_LOOK_SECONDS = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Node:
    """A living node.

    Attributes:
        id: Ray's id.
        name: Name of the machine.
        cpus: CPUs it offers.
        gpus: GPUs it offers.
    """

    id: str
    name: str
    cpus: float
    gpus: float

    def places(self, cpus: float, gpus: float) -> int:
        """Return how many trials that want so many CPUs and GPUs fit at once."""
        fitting = int(self.cpus / cpus + _ROUNDING)
        if gpus >= 1:
            return min(fitting, int(self.gpus / gpus + _ROUNDING))
        if gpus > 0:
            # A trial's share lies on one GPU.
            return min(fitting, int(self.gpus) * int(1 / gpus + _ROUNDING))
        return fitting


def alive_nodes() -> list[Node]:
    """Return the living nodes of the cluster this process is connected to."""
    import ray

    return [
        Node(
            node["NodeID"],
            node["NodeManagerHostname"],
            node["Resources"].get("CPU", 0.0),
            node["Resources"].get("GPU", 0.0),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def require_places(nodes: Sequence[Node], cpus: float, gpus: float) -> int:
    """Return how many trials fit on `nodes` at once.

    Args:
        nodes: Where they may run.
        cpus: CPUs of a trial.
        gpus: GPUs of a trial, or its share of one.

    Raises:
        InvalidExperiment: No node can hold a single one.
    """
    places = sum(node.places(cpus, gpus) for node in nodes)
    if places:
        return places
    exists = "; ".join(f"{n.name} has {n.cpus:g} CPUs and {n.gpus:g} GPUs" for n in nodes)
    for what, wanted, most in (
        ("cpus_per_trial", cpus, max((n.cpus for n in nodes), default=0.0)),
        ("gpus_per_trial", gpus, max((n.gpus for n in nodes), default=0.0)),
    ):
        if wanted > most:
            raise InvalidExperiment(
                f"{what} is {wanted:g}, but no node of Ray has more than {most:g}: {exists}. "
                f"Set {what} to at most {most:g}."
            )
    raise InvalidExperiment(
        f"No node of Ray has {cpus:g} CPUs and {gpus:g} GPUs for a trial: {exists}. Lower "
        "cpus_per_trial or gpus_per_trial to what one node has."
    )


def reachable(storage: Storage | None, nodes: Collection[str]) -> Storage | None:
    """Return the storage if the nodes of these ids see what the driver writes to it, else None."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    if storage is None:
        return None
    name = f".nas-seen-{uuid.uuid4().hex}"
    storage.write_json(name, {"seen": True})
    look = ray.remote(_sees)
    answers = [
        look.options(
            num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
        ).remote(storage, name)
        for node in nodes
    ]
    try:
        seen = [_answer(answer) for answer in answers]
    finally:
        storage.remove(name)
    if all(seen):
        return storage
    _log.warning(
        "Not every node reaches %s: weights travel through the driver, and a lost trial starts "
        "again. Set execution.storage to a folder or URI that all nodes reach.",
        storage.shown,
    )
    return None


def _answer(answer: Any) -> bool:
    """Return what a node sees; one that has left the cluster meanwhile does not matter."""
    import ray

    try:
        return ray.get(answer, timeout=_LOOK_SECONDS)
    except ray.exceptions.GetTimeoutError:
        return False
    except ray.exceptions.RayError:
        return True


def _sees(storage: Storage, name: str) -> bool:
    try:
        return storage.read_json(name) == {"seen": True}
    except Exception:  # noqa: BLE001  whatever it is, this node cannot use the storage
        return False
