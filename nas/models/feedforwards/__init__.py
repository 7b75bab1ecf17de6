"""Feed-forward blocks. Importing this package registers each module below."""

from nas.models.feedforwards.base import FEEDFORWARDS, FeedForward
from nas.models.feedforwards.mlp import MultilayerPerceptron  # mlp

__all__ = ["FEEDFORWARDS", "FeedForward", "MultilayerPerceptron"]
