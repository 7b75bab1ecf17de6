"""Feed-forward blocks. Importing this package registers each module below."""

from nas.models.feedforwards.base import FEEDFORWARDS, FeedForward, feed, make_feedforward
from nas.models.feedforwards.glu import GatedLinearUnits
from nas.models.feedforwards.grouped import GroupedMaps
from nas.models.feedforwards.meo import MergedExperts
from nas.models.feedforwards.mlp import MultilayerPerceptron
from nas.models.feedforwards.moe import MixtureOfExperts
from nas.models.feedforwards.monarch_glu import MonarchGatedUnits
from nas.models.feedforwards.relu import RectifiedPerceptron

__all__ = ["FEEDFORWARDS", "FeedForward", "MultilayerPerceptron", "feed", "make_feedforward"]
