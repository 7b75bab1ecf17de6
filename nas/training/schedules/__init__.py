"""Schedules. Importing this package registers each module below; the list is the index."""

from nas.training.schedules.base import SCHEDULES, schedule_of
from nas.training.schedules.cosine import cosine  # cosine
from nas.training.schedules.linear import linear  # linear
from nas.training.schedules.mosaic import mosaic  # mosaic
from nas.training.schedules.wsd import wsd  # wsd

__all__ = ["SCHEDULES", "cosine", "linear", "mosaic", "schedule_of", "wsd"]
