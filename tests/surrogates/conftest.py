"""Spaces and a known answer for the tests of policies."""

import numpy as np
import pytest

from search_spaces import Architecture, FiniteSpace, load_space


def additive_score(architecture: Architecture) -> float:
    """A made-up score: grows with depth and width, prefers convolutions and deep feed-forwards."""
    layers = architecture.layers
    content = [
        0.3 * np.mean([head.operation == "c" for head in layer.heads])
        + 0.2 * (len(layer.feedforward) == 3)
        for layer in layers
    ]
    size = np.log2(len(layers)) + 0.5 * np.log2(np.mean([layer.width for layer in layers]) / 64)
    return float(0.5 + 0.1 * size + 0.2 * np.mean(content))


@pytest.fixture(scope="session")
def small_space() -> FiniteSpace:
    """Thirty architectures of the paper's space."""
    return FiniteSpace(load_space("flexibert-test").sample(30, seed=1), name="small")


@pytest.fixture(scope="session")
def score():
    return additive_score


@pytest.fixture(autouse=True)
def quick_paper_fits(monkeypatch):
    """Let the published algorithm take few training steps: contracts do not depend on them."""
    monkeypatch.setattr("surrogates.boshnas.paper_surrogate.STEPS", 20)
    monkeypatch.setattr("surrogates.boshnas.paper.ITERATIONS", 10)
