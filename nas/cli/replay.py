"""`nas replay`: repeat every decision of a run from its record."""

import json
import sys
from pathlib import Path

import click

from nas.cli.printing import echo
from nas.cli.run_path import TRUST


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@TRUST
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def replay(run: Path, *, trust: bool, as_json: bool) -> None:
    """Repeat every decision of RUN from its record, without training; exit 1 at a difference.

    Each proposal is asked for again with what the policy knew at that moment; promotions and
    retries are decided again. Works for runs of many workers, whatever order results came in.
    """
    from nas.runs.directory import open_run
    from nas.search.replay import replayed

    opened = open_run(run)
    if trust:
        opened.trust()
    count, different = 0, None
    for decision in replayed(opened):
        count += 1
        if decision.differs:
            different = decision
            break
        if not as_json and count % 100 == 0:
            echo(f"{count} decisions repeated …", err=True)
    if as_json:
        difference = vars(different) if different else None
        answer = {"decisions": count, "differences": int(different is not None)}
        echo(json.dumps({**answer, "first": difference}))
    elif different is None:
        echo(f"{count} decisions repeated, 0 differences")
    else:
        echo(
            f"{count} decisions repeated, the last one differs: event {different.event}, "
            f"{different.what}: recorded {different.recorded}, repeated {different.repeated}. "
            "In a run of an earlier version the policy may have changed since (CHANGELOG.md); its "
            "results stand, and `nas resume` goes on with them."
        )
    sys.exit(0 if different is None else 1)
