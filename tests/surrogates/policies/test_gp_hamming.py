"""gp-hamming tells architectures apart that differ deep down."""

import numpy as np

from search_spaces import load_space
from search_spaces.architectures.architecture import Architecture
from surrogates.policies.gp_hamming import LAYERS, Hamming, LayerCodes


def deep(changed: int | None, depth: int = LAYERS + 8) -> Architecture:
    """An encoder of `depth` equal layers, one of them changed."""
    (one,) = load_space("flexibert-test").sample(1, seed=0)
    (other,) = load_space("flexibert-test").sample(1, seed=3)
    layers = [one.layers[0]] * depth
    if changed is not None:
        layers[changed] = next(x for x in other.layers if x != one.layers[0])
    return Architecture(tuple(layers), one.style)


def test_layers_beyond_the_limit_are_told_apart():
    codes = LayerCodes()
    rows = codes([deep(None), deep(LAYERS + 2), deep(LAYERS + 5), deep(None)])
    kernel = Hamming().cross(rows, rows)[0]
    assert kernel[0, 3] == 1
    assert (kernel[0, 1:3] < 1).all()
    assert kernel[1, 2] < 1


def test_what_is_not_deep_is_as_far_apart_as_without_the_limit():
    architectures = load_space("flexibert-micro").sample(20, seed=0)
    rows, more = LayerCodes()(architectures), LayerCodes(2 * LAYERS)(architectures)
    assert np.array_equal(Hamming().cross(rows, rows), Hamming().cross(more, more))
