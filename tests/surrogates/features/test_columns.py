"""The features of an architecture against the obvious way to compute them, one at a time."""

import numpy as np
import pytest

from search_spaces import count_parameters, load_space
from surrogates.features.columns import Featurizer


def described(architecture, kinds, *, ends):
    """Return the features of one architecture before they are standardised."""
    layers = architecture.layers
    widths = np.log2([layer.width for layer in layers])
    body = count_parameters(architecture, vocabulary_size=1, max_length=1)
    shares = [
        np.mean([np.mean([h.kind == kind for h in layer.heads]) for layer in layers])
        for kind in kinds
    ]
    content = []
    for layer in layers:
        wide, deep = np.log2(np.mean(layer.feedforward)), np.log2(len(layer.feedforward))
        content.append([np.log2(len(layer.heads)), wide, deep, wide * deep])
    means = np.mean(content, axis=0)
    places = np.linspace(-1, 1, len(layers)) if len(layers) > 1 else [0.0]
    row = [np.log2(len(layers)), widths.mean(), np.log2(body), *shares, *means, places @ widths]
    if ends:
        for layer in (content[-1], content[0]):
            row += [layer[i] - means[i] for i in range(3)]
    return row


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("space", ["flexibert-2", "flexibert-test-fine", "nas-bench-bert"])
def test_features_are_what_they_are_called(space, ends):
    space = load_space(space)
    features = Featurizer(space, ends=ends)
    drawn = space.sample(40, seed=8)
    known, new = (
        np.array([described(a, features.kinds, ends=ends) for a in side])
        for side in (features.reference, drawn)
    )
    spread = known.std(0)
    expected = (new - known.mean(0)) / np.where(spread > 1e-9, spread, 1.0)
    assert np.allclose(features(drawn), expected)
    assert features(drawn).std(0).max() > 0.5
