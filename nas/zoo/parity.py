"""Does a file in another format answer as the torch model it came from?"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from nas.zoo.graphs import Graph
from search_spaces.errors import NasError

# Takes the three inputs of a graph; gives its outputs.
Runner = Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]


def shapes(max_length: int) -> list[tuple[int, int]]:
    """Return batches and lengths to compare at: the smallest, the largest, and some between."""
    lengths = sorted({1, 2, 3, max_length // 2 + 1, max_length})
    return [(1 + 2 * (i % 3), length) for i, length in enumerate(lengths)] + [(1, max_length)]


def largest_difference(graph: Graph, run: Runner) -> float:
    """Return how far the outputs of `run` are from those of `graph` at most, on random inputs."""
    worst = 0.0
    for seed, (batch, length) in enumerate(shapes(graph.max_length)):
        inputs = graph.inputs(batch, length, seed)
        with torch.inference_mode():
            expected = graph(*inputs)
        answers = run([tensor.numpy() for tensor in inputs])
        for name, wanted, answer in zip(graph.outputs, expected, answers, strict=True):
            difference = _difference(name, wanted, torch.tensor(answer), inputs[1])
            worst = max(worst, difference)
    return worst


def _difference(name: str, wanted: Tensor, answer: Tensor, mask: Tensor) -> float:
    if wanted.shape != answer.shape or not answer.isfinite().all():
        return float("inf")
    if name in ("last_hidden_state", "start_logits", "end_logits"):  # at padding any value will do
        wanted, answer = wanted[mask.bool()], answer[mask.bool()]
    return float((wanted - answer).abs().max())


def require_parity(graph: Graph, run: Runner, *, tolerance: float, what: str) -> float:
    """Return the largest difference, which is at most `tolerance`.

    Raises:
        NasError: It is more.
    """
    difference = largest_difference(graph, run)
    if not difference <= tolerance:
        raise NasError(
            f"{what} does not answer as the torch model does: outputs differ by up to "
            f"{difference:.2g}, and {tolerance:g} is allowed. Nothing was exported. Leave this "
            "format out, and report the architecture as a fault of ours."
        )
    return difference
