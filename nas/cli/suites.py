"""`nas evaluate --suite`: a suite that nothing is trained on, scored and printed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli.printing import echo
from search_spaces.errors import InvalidExperiment, UnknownName

if TYPE_CHECKING:
    from nas.single.exported import ExportedModel
    from nas.single.suites.base import SuiteScores


def names_of(suite: str, beside: Mapping[str, Any]) -> list[str] | None:
    """Return what --tasks would say for a suite; None for one that is scored alone.

    Args:
        suite: What --suite says.
        beside: Other options by name; those that say something are refused.

    Raises:
        UnknownName: There is no such suite.
        InvalidExperiment: An option says what does not go with a suite.
    """
    from nas.evaluation.suites.named import SUITES
    from nas.single.suites import SUITE_SCORERS

    alone = suite in SUITE_SCORERS
    if not alone and suite not in SUITES:
        raise UnknownName("suite", suite, [*SUITES, *SUITE_SCORERS])
    said = [f"--{name}" for name, value in beside.items() if value]
    if said:
        raise InvalidExperiment(
            f"{said[0]} does not go with --suite {suite}, which says itself what is asked. Leave "
            "one of the two out."
        )
    return None if alone else [suite]


def score_suite(
    model: "ExportedModel",
    suite: str,
    data: str | None,
    changes: Sequence[str],
    *,
    limit: int | None,
    seed: int | None,
    quiet: bool,
) -> None:
    """Score a model on a suite and print the table.

    Raises:
        NasError: The suite's files or the model cannot be used.
    """
    from nas.cli.train import read_changes, show_stages
    from nas.single.suites import SUITE_SCORERS
    from nas.training.preparing import default_preset

    found = SUITE_SCORERS[suite]
    if data is None:
        raise InvalidExperiment(f"--suite {suite} needs {found.needs}: give it with --data.")
    if not quiet:
        echo(f"{model.folder} on {found.title} ({data})")
    scores = found.score(
        model,
        Path(data),
        model.recipe(read_changes(tuple(changes)), default_preset(data)),
        limit=limit,
        seed=seed or 0,
        progress=None if quiet else show_stages(),
    )
    print_suite(scores)


def print_suite(scores: "SuiteScores") -> None:
    """Print a suite's table, a line for each part, and its notes."""
    rows = scores.rows
    width = max(8, *(len(row.name) + 2 for row in rows))
    clean = any(row.clean is not None for row in rows)
    more = f"{'clean':>8}{'gap':>8}" if clean else ""
    echo(f"{'':<{width}}{'items':>7}{'score':>8}{'95 % interval':>16}{more}")
    for row in rows:
        between = "-" if row.interval is None else "{:.3f} to {:.3f}".format(*row.interval)
        line = f"{row.name:<{width}}{row.items:>7,}{row.score:>8.3f}{between:>16}"
        if clean:
            gap = None if row.clean is None else row.clean - row.score
            line += "".join(f"{'-' if v is None else f'{v:.3f}':>8}" for v in (row.clean, gap))
        echo(line)
    for note in scores.notes:
        echo(note)
