"""Values that a shell offers for an option; what is typed may still be anything."""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Names = Callable[[click.Context], Iterable[str]]


class Offered(click.ParamType):
    """A text, with names that a shell offers.

    Args:
        names: Called with the context when a shell asks, and only then.
        several: Whether names are listed with commas: the last of them is completed.
    """

    name = "text"

    def __init__(self, names: Names, *, several: bool = False):
        self._names, self._several = names, several

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offer the names that begin with what is typed; nothing where they cannot be read."""
        before, comma, typed = incomplete.rpartition(",") if self._several else ("", "", incomplete)
        given = set(before.split(","))
        try:
            names = list(self._names(ctx))
        except Exception:  # a run that cannot be read is no reason to fill a prompt with errors
            return []
        return [
            CompletionItem(f"{before}{comma}{name}")
            for name in names
            if name.startswith(typed) and name not in given
        ]


def _policies(_: click.Context) -> Iterable[str]:
    from surrogates import POLICIES

    return sorted(POLICIES)


def _spaces(_: click.Context) -> Iterable[str]:
    from search_spaces import list_spaces

    return list_spaces()


def _tasks(ctx: click.Context) -> Iterable[str]:
    if "run" in ctx.params:
        return _run(ctx).experiment.tasks
    from nas.evaluation.suites.glue import GLUE

    return list(GLUE)


def _run(ctx: click.Context):  # noqa: ANN202  a `Run`, which is not imported for a signature
    from nas.runs.directory import open_run

    # an option that still lacks its value leaves click with words that it has not yet assigned
    given = ctx.params.get("run") or next(word for word in ctx.args if not word.startswith("-"))
    return open_run(given)


def _columns(ctx: click.Context) -> Iterable[str]:
    return [str(name) for name in _run(ctx).trials().columns]


def _picks(ctx: click.Context) -> Iterable[str]:
    done = _run(ctx).finished()
    return ["best", "knee", *(str(number) for number in done["trial"])]


POLICY, SPACE, TASKS = Offered(_policies), Offered(_spaces), Offered(_tasks, several=True)
COLUMN, PICK = Offered(_columns), Offered(_picks)
MEMBERS = Offered(_picks, several=True)
