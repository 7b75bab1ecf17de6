"""Why a Ray task ended without an answer: what Ray says, and what the node knows."""

from typing import Any

from nas.execution.jobs import Outcome
from nas.execution.whereabouts import Whereabouts, oom_kills, tail

# Ray's number for a node that its cloud took back (NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED).
_PREEMPTED = 3
# A dead node's ending is known to Ray a little later than the death of its workers.
_ASK_NODE_SECONDS = 10.0


def outcome_of(
    trial: int, error: Exception, place: Whereabouts | None, seconds: float | None
) -> Outcome:
    """Return the outcome of a trial whose worker gave no answer.

    Args:
        trial: Its number in the record.
        error: What Ray raised in the driver.
        place: Where it ran; None if it had not begun.
        seconds: Since it was submitted.
    """
    from ray import exceptions

    message, logs, answers = str(error), "", False
    if isinstance(error, exceptions.OutOfMemoryError):
        cause = "out-of-memory"
    elif isinstance(error, exceptions.OutOfDiskError | exceptions.ObjectStoreFullError):
        cause = "no-space"
    elif isinstance(error, exceptions.RayTaskError | exceptions.RuntimeEnvSetupError):
        cause = "error"
    else:
        cause = _how_the_node_is(place)
        if cause == "crashed":
            killed, logs, answers = _ask_node(place)
            cause = "out-of-memory" if killed > place.oom_kills else "lost"
            if cause == "out-of-memory":
                message = f"Linux killed the worker on {place.node} for memory. {message}"
    if cause in ("lost", "preempted") and place is not None:
        message = f"Worker {place.pid} on {place.node} is gone ({cause}). {message}"
    return Outcome(
        trial,
        seconds=seconds,
        cause=cause,
        error=message.strip().splitlines()[0],
        traceback=message,
        node=place.node if place else None,
        device=f"GPU {','.join(place.gpus)}" if place and place.gpus else None,
        logs=logs,
        node_answers=answers and cause == "lost",
    )


def _how_the_node_is(place: Whereabouts | None) -> str:
    """Return "preempted" or "lost" for a dead node, "crashed" for a living one."""
    import ray

    if place is None:
        return "lost"
    nodes: dict[str, dict[str, Any]] = {node["NodeID"]: node for node in ray.nodes()}
    node = nodes.get(place.node_id)
    if node is None:
        return "lost"
    if not node["Alive"]:
        return "preempted" if node.get("DeathReason") == _PREEMPTED else "lost"
    return "crashed"


def _ask_node(place: Whereabouts) -> tuple[int, str, bool]:
    """Return how many processes the node killed for memory, the worker's last lines, and True.

    False if the node does not answer.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node_id=place.node_id, soft=False)
    ask = ray.remote(_on_node).options(
        num_cpus=0, num_gpus=0, max_retries=0, scheduling_strategy=there
    )
    try:
        return *ray.get(ask.remote(place.output), timeout=_ASK_NODE_SECONDS), True
    except ray.exceptions.RayError:
        return 0, "", False  # the node is going too


def _on_node(output: str) -> tuple[int, str]:
    return oom_kills(), tail(output)
