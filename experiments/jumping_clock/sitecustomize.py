"""Shifts the clock that Python reads by as many seconds as a file says, for `strikes.py`.

Python imports this when it starts, where this folder is in PYTHONPATH; NAS_STRIKE_CLOCK names the
file. Seconds that pass (`time.monotonic`) stay as they are, as when the clock of a machine is set.
So does `datetime.now`, which nothing of ours asks: C extensions break over another class.
"""

import os
import time

_FILE = os.environ.get("NAS_STRIKE_CLOCK")
_time = time.time


def _shift() -> float:
    try:
        with open(_FILE, encoding="ascii") as file:
            return float(file.read() or 0)
    except (OSError, ValueError):
        return 0.0


if _FILE:
    time.time = lambda: _time() + _shift()
    time.time_ns = lambda: int(time.time() * 1e9)
