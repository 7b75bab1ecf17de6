"""Architectures as the few numbers that people choose: depth, width, operation, feed-forward."""

from collections.abc import Sequence

import numpy as np

from search_spaces import Architecture
from search_spaces.architectures.features import encode_features, feature_names

# choice -> columns of `encode_features`, by the start of their names
CHOICES = {
    "depth": ("layers",),
    "width": ("mean log2 width",),
    "operation": ("mean share ", "mean log2 kernel"),
    "heads": ("mean log2 heads",),
    "feed-forward": ("mean log2 ff width", "mean ff depth", "mean ff growth"),
}
WORDS = {
    "layers": "layers",
    "mean log2 width": "width of the layers",
    "mean log2 heads": "heads in a layer",
    "mean log2 ff width": "feed-forward width",
    "mean ff depth": "feed-forward stack depth",
    "mean ff growth": "feed-forward growth within a stack",
    "mean log2 kernel": "convolution kernel",
    "mean share sa_sdp": "share of heads: self-attention, dot product",
    "mean share sa_wma": "share of heads: self-attention, weighted",
    "mean share l_dft": "share of heads: Fourier transform",
    "mean share l_dct": "share of heads: cosine transform",
    "mean share c": "share of heads: dynamic convolution",
}


def attributes(architectures: Sequence[Architecture]) -> tuple[list[str], np.ndarray]:
    """Return names and numbers, `(architectures, names)`, of what varies among `architectures`."""
    deepest = max(len(architecture) for architecture in architectures)
    names = feature_names(deepest)
    kept = [i for i, name in enumerate(names) if name in WORDS]
    values = encode_features(architectures, deepest)[:, kept]
    varied = np.ptp(values, axis=0) > 1e-9
    return [names[i] for i, v in zip(kept, varied, strict=True) if v], values[:, varied]


def columns_of(choice: str, names: Sequence[str]) -> list[int]:
    """Return the positions among `names` that belong to a key of `CHOICES`."""
    return [i for i, name in enumerate(names) if name.startswith(CHOICES[choice])]
