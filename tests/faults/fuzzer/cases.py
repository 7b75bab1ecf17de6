"""What a door makes of a seed: commands, one after another, and what each may leave."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from search_spaces.registry import Registry

READING_CODES = (0, 2)
SEARCH_CODES = (0, 2, 3, 4, 5)


@dataclass(frozen=True)
class Step:
    """One command of a case.

    Attributes:
        arguments: After `nas`.
        writes: Paths below the case's folder that it may make or change, where it is not refused.
        codes: Exit codes that the documentation gives it.
        after: "accepted": only if the command before was not refused; "always".
        own: Whether a path elsewhere may be written to that the arguments name.
        real: Whether it trains; in others training is pretended.
    """

    arguments: tuple[str, ...]
    writes: tuple[str, ...] = ()
    codes: tuple[int, ...] = READING_CODES
    after: str = "accepted"
    own: bool = False
    real: bool = False


@dataclass(frozen=True)
class Door:
    """A place where something comes in.

    Attributes:
        title: What comes in, for the table.
        make: Makes a case: from a source of chances and an empty folder; returns its commands.
        imports: Whether it is the user who names modules here, so that they may be imported.
    """

    title: str
    make: Callable[[Random, Path], list[Step]]
    imports: bool = False


DOORS: Registry[Door] = Registry("door")


def after_search(rng: Random, run: str) -> list[Step]:
    """Return what is done to a run that came to be: it goes on, and what was accepted is read."""
    looking = rng.choice(("status", "trials", "pareto"))
    return [
        Step(("resume", run, "--trials", "+1", "--quiet"), (run, "weights"), (0, 3, 5)),
        Step(("replay", run), codes=(0,)),
        Step(("report", run), (run,)),
        Step((looking, run), codes=(0, 2) if looking == "pareto" else (0,)),
    ]
