"""Feed-forward blocks. Importing this package registers each module below."""

from nas.models.feedforwards.base import FEEDFORWARDS, FeedForward, make_feedforward
from nas.models.feedforwards.glu import GatedLinearUnits
from nas.models.feedforwards.mlp import MultilayerPerceptron

__all__ = ["FEEDFORWARDS", "FeedForward", "MultilayerPerceptron", "make_feedforward"]
