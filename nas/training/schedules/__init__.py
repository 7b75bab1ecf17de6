"""Schedules. Importing this package registers each module below; the list is the index."""

from nas.training.schedules.base import SCHEDULES, schedule_of
from nas.training.schedules.linear import linear  # linear

__all__ = ["SCHEDULES", "linear", "schedule_of"]
