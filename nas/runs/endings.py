"""Why searches end: the reason that the record holds, the command's exit code, and words."""

from dataclasses import dataclass

# Exit codes that leave nothing to continue: 0 as planned, 3 a budget. After the others trials that
# were planned are missing.
_COMPLETE = (0, 3)
# Instead of 0, where all was done as planned and no finished trial meets the constraints.
NOTHING_MEETS = 2
# Instead of 0, where every trial failed: too few of them, or too different, to end it earlier.
NOTHING_FINISHED = 5


@dataclass(frozen=True)
class Ending:
    """One reason for which a search ends.

    Attributes:
        exit_code: Of `nas search`, `resume` and `watch`: 0 done, 3 a budget is spent,
            4 interrupted, 5 too many failures. See also `nas.runs.unmet.exit_code`.
        words: What happened.
        next_step: What to do about it, or empty.
    """

    exit_code: int
    words: str
    next_step: str = ""

    @property
    def complete(self) -> bool:
        """Whether the search ended by a rule of its own, so that nothing is missing."""
        return self.exit_code in _COMPLETE


ENDINGS = {
    "trials": Ending(0, "finished: every planned trial ended"),
    "exhausted": Ending(0, "finished: the space has no further encoder"),
    "patience": Ending(0, "finished: no progress within as many results as its patience"),
    "time": Ending(3, "finished: the time budget is spent"),
    "gpu_hours": Ending(3, "finished: the budget of GPU-hours is spent"),
    "cost": Ending(3, "finished: the budget of money is spent"),
    "interrupted": Ending(4, "interrupted", "continue it with nas resume"),
    "engine-gone": Ending(4, "stopped: Ray has ended", "continue it with nas resume"),
    "failing": Ending(5, "stopped: every trial failed alike"),
    "lost": Ending(5, "stopped: workers keep vanishing", "see nas doctor"),
    "no-space": Ending(5, "stopped: the disk is full", "make room, then nas resume"),
}

EXIT_CODES = {reason: ending.exit_code for reason, ending in ENDINGS.items()}


def state_words(state: str) -> str:
    """Return in words how a run stands; a state that is not known is its own words."""
    if state == "running":
        return "a driver is at work"
    return ENDINGS[state].words if state in ENDINGS else state


def state_line(state: str) -> str:
    """Return the state with what it means and what to do: "lost (stopped: …; see nas doctor)"."""
    words = state_words(state)
    parts = [words] if words != state else []
    if state in ENDINGS and ENDINGS[state].next_step:
        parts.append(ENDINGS[state].next_step)
    return f"{state} ({'; '.join(parts)})" if parts else state
