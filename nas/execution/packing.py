"""How many trials share a GPU: as many as its memory holds by prediction, with a margin."""

import logging

from nas.execution.cluster import alive_nodes

# More trials than this on one GPU slow each other down more than they bring.
MOST_ON_A_GPU = 8
# A prediction is off by some, and each process has a context of its own.
_MARGIN = 1.2
_PROBE_SECONDS = 60.0
_log = logging.getLogger(__name__)


def gpu_share(memory_mb: float | None, device_mb: float | None) -> float:
    """Return the share of a GPU for a trial: 1/k where k such trials fit, one GPU at most.

    Args:
        memory_mb: What the trial is predicted to need, in 10^6 bytes; None if nobody knows.
        device_mb: What the GPU has; None if nobody knows. Then the trial gets it alone.
    """
    if not memory_mb or not device_mb:
        return 1.0
    return 1.0 / max(1, min(MOST_ON_A_GPU, int(device_mb / (_MARGIN * memory_mb))))


def device_memory_mb() -> float | None:
    """Return the memory of the smallest GPU of the cluster, asked on each node that has any.

    Returns:
        10^6 bytes; None where a node does not say.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look = ray.remote(_on_node)
    answers = [
        look.options(
            num_cpus=0,
            num_gpus=0.001,  # sees one GPU without waiting for a free one
            max_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        ).remote()
        for node in alive_nodes()
        if node.gpus
    ]
    try:
        found = ray.get(answers, timeout=_PROBE_SECONDS)
    except ray.exceptions.RayError as error:
        _log.warning("A node does not say how much memory its GPU has: %s", error)
        return None
    return None if not found or None in found else min(found)


def _on_node() -> float | None:
    try:
        import torch

        return torch.cuda.get_device_properties(0).total_memory / 1e6
    except (ImportError, RuntimeError, AssertionError):
        return None
