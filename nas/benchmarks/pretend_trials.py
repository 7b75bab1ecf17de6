"""Trials that take steps and keep checkpoints like real ones, but train nothing.

For tests of schedulers, clusters and faults: `execution.trial_function` names one of them.
"""

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from nas.whole_files import write_whole
from search_spaces import Architecture

STEPS = 10
# Where every step is noted: a file that all workers append to.
LOG_VARIABLE = "NAS_PRETEND_LOG"
# Mean seconds of a whole trial.
SECONDS_VARIABLE = "NAS_PRETEND_SECONDS"


def scores_of(architecture: Architecture) -> dict[str, dict[str, float]]:
    """Return scores and costs that depend on the architecture alone."""
    size = sum(layer.width * len(layer.heads) for layer in architecture.layers)
    noise = int(architecture.hash[:6], 16) / 16**6
    return {
        "scores": {"glue": size / (size + 2000) + 0.05 * noise},
        "costs": {"parameters": 100.0 * size, "latency_ms": size / 500 + noise},
    }


def trivial(architecture: Architecture, recipe: Any, data: Any) -> dict[str, dict[str, float]]:
    """Answer at once."""
    return scores_of(architecture)


def stepwise(
    architecture: Architecture,
    recipe: Any,
    data: Any,
    *,
    seed: int,
    fidelity: float,
    weights_path: Path,
    checkpoint: Path | None,
) -> dict[str, dict[str, float]]:
    """Take steps of random length, each noted in the checkpoint and continued from there."""
    chance = random.Random(seed)
    pause = float(os.environ.get(SECONDS_VARIABLE, "0.2")) / STEPS * chance.uniform(0.2, 1.8)
    state = None if checkpoint is None else checkpoint / "state.json"
    begun = 0
    if state is not None and state.is_file():
        begun = json.loads(state.read_text(encoding="utf-8"))["step"]
    for step in range(begun, max(1, round(STEPS * fidelity))):
        time.sleep(pause)
        _note(
            run=weights_path.parent.parent.name,
            hash=architecture.hash,
            fidelity=fidelity,
            step=step,
        )
        if state is not None:
            state.parent.mkdir(parents=True, exist_ok=True)
            write_whole(state, json.dumps({"step": step + 1}), synced=False)
    weights_path.write_bytes(f"weights of {architecture.hash}".encode())
    return scores_of(architecture)


def _note(**step: Any) -> None:
    path = os.environ.get(LOG_VARIABLE)
    if path:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        line = json.dumps({**step, "gpus": visible, "node": _ray_node(), "at": time.time()})
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def _ray_node() -> str | None:
    """Return Ray's id of this node, or None outside a Ray worker."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return None
    return ray.get_runtime_context().get_node_id()
