"""The argument RUN: a run directory, and what a shell offers for it."""

from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem


class RunPath(click.ParamType):
    """The directory of a run."""

    name = "run"

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        return Path(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offer the runs below what is typed; folders that hold runs open up further."""
        start = Path(incomplete)
        parent = start if incomplete.endswith("/") or not incomplete else start.parent
        found = sorted(
            {p.parent for p in (*parent.glob("*/run.db"), *Path("runs").glob("*/run.db"))}
        )
        runs = [str(p) for p in found if str(p).startswith(incomplete.removeprefix("./"))]
        if runs:
            return [CompletionItem(run) for run in runs]
        return [CompletionItem(incomplete, type="dir")]


RUN = click.argument("run", type=RunPath())
TRUST = click.option(
    "--trust",
    is_flag=True,
    help="Let RUN, from elsewhere, use the modules, cluster and storage that it names.",
)
