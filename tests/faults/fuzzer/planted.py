"""A command that does each thing that the fuzzer must see, so that a test sees it seeing."""

import os
import sys
import time
from pathlib import Path

import click

from fuzzer.cases import DOORS, Door, Step
from fuzzer.values import CANARY, VICTIM

# In the order of the seeds of the door "planted" -> what the judge must call it; None for nothing.
PLANTED = {
    "nothing": None,
    "raise": "traceback",
    "print": "traceback",
    "die": "traceback",
    "sleep": "over time",
    "grow": "over memory",
    "exit": "exit code",
    "leave": "left behind",
    "part": "left behind",
    "write": "outside",
    "delete": "outside",
    "import": "imported",
}


@click.command()
@click.argument("kind")
def planted(kind: str) -> None:
    """Do what KIND says."""
    if kind == "raise":
        raise KeyError("planted")
    if kind == "print":
        sys.stderr.write("Traceback (most recent call last):\n")
    elif kind == "die":
        os.abort()
    elif kind == "sleep":
        time.sleep(600)
    elif kind == "grow":
        kept = []
        while True:
            kept.append(b"x" * 10**7)
    elif kind == "exit":
        sys.exit(9)
    elif kind == "leave":
        Path("left").touch()
        sys.exit(2)
    elif kind == "part":
        Path("out").mkdir()
        Path("out/.front.png.0123.part").touch()
    elif kind == "write":
        Path("../beside").touch()
    elif kind == "delete":
        (Path(VICTIM) / "1.safetensors").unlink()
    elif kind == "import":
        __import__(CANARY)


def plant() -> None:
    """Add the command to `nas`, and the door that calls it."""
    from nas.cli.main import cli

    cli._lazy["planted"] = ("fuzzer.planted", "planted")
    kinds = iter(PLANTED)
    DOORS.register("planted")(
        Door("planted faults", lambda *_: [Step(("planted", next(kinds)), ("out",))])
    )
