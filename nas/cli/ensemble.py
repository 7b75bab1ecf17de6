"""`nas ensemble`: several found models as one, what that gains and what it costs."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.offered import MEMBERS, TASKS, Offered
from nas.cli.printing import echo
from nas.cli.run_path import RUN, TRUST

if TYPE_CHECKING:
    from nas.ensembles.scoring import Ensembled

_TRIPLES = Path("conceptnet", "cn100k_train.txt")  # below $NAS_DATA
_ALL = "all"


def _kinds(_: click.Context) -> Iterable[str]:
    from nas.ensembles import ENSEMBLES

    return [_ALL, *ENSEMBLES]


@click.command()
@RUN
@click.option(
    "--members",
    default="3",
    type=MEMBERS,
    show_default=True,
    help="How many of the best; or trials and exported folders: best,7,zoo/small.",
)
@click.option(
    "--kind",
    "kinds",
    default="weighted",
    show_default=True,
    type=Offered(_kinds, several=True),
    help="weighted, stacked, bandit, several with commas, or all.",
)
@click.option(
    "--vectors",
    type=click.Path(path_type=Path),
    help="Word or entity vectors, or triples, for bandit. [default: ConceptNet in $NAS_DATA]",
)
@click.option("--tasks", type=TASKS, help="Tasks of the run, comma-separated. [default: all]")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Of folds and fits."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--quiet", is_flag=True, help="Print only the result.")
@TRUST
def ensemble(
    run: Path,
    members: str,
    kinds: str,
    vectors: Path | None,
    tasks: str | None,
    seed: int,
    *,
    as_json: bool,
    quiet: bool,
    trust: bool,
) -> None:
    """Score ensembles of found models of RUN, and say what they cost.

    The members are fine-tuned again with their trials' own seeds, as an export does, or read from
    folders that were exported from RUN. What an ensemble learns of them is cross-fitted: each fifth
    of the development examples is answered by what was fitted on the other four. Kappa is the
    agreement with the labels beyond chance. VECTORS is a text file with a name and its numbers on
    each line (word2vec, numberbatch, wikipedia2vec), or of lines relation<TAB>head<TAB>tail.

    \b
    nas ensemble runs/search-1
    nas ensemble runs/search-1 --members 4 --kind all
    nas ensemble runs/search-1 --members best,7,zoo/small --kind bandit --vectors numberbatch.txt.gz
    """  # noqa: D301  click reads \b
    from nas.cli.train import show_stages
    from nas.ensembles import ENSEMBLES
    from nas.ensembles.members import members_of
    from nas.ensembles.scoring import score_ensembles
    from nas.runs.directory import open_run

    opened = open_run(run)
    if trust:
        opened.trust()
    opened.require_trusted("nas ensemble")
    wanted = list(ENSEMBLES) if kinds == _ALL else _listed(kinds)
    for name in wanted:
        ENSEMBLES[name]  # an unknown one is named before anything is trained
    named, known = _tasks(opened, tasks), _vectors(vectors, wanted)
    quiet = quiet or as_json
    stages = None if quiet else show_stages()
    found = score_ensembles(
        opened,
        members_of(opened, members),
        wanted,
        tasks=named,
        vectors=known,
        seed=seed,
        say=(lambda line: None) if quiet else echo,
        progress=stages,
    )
    if as_json:
        echo(json.dumps(found.to_dict(), indent=1, ensure_ascii=False))
    else:
        print_ensembles(found)


def _listed(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",")))


def _tasks(run: Any, text: str | None) -> list[str]:
    from search_spaces.errors import UnknownName

    trained = list(run.experiment.task_names)
    names = [] if text is None else _listed(text)
    for name in names:
        if name not in trained:
            raise UnknownName("task of this run", name, trained)
    return names


def _vectors(given: Path | None, kinds: list[str]) -> Path | None:
    """Return the file of what is known of words: the one given, or ConceptNet if it is there."""
    from search_spaces.errors import InvalidExperiment

    if given is not None:
        if "bandit" not in kinds:
            raise InvalidExperiment(
                f"--vectors {given} is for the kind bandit, and --kind is {','.join(kinds)}. Add "
                "it: --kind bandit, or leave --vectors out."
            )
        return given
    there = Path(os.environ["NAS_DATA"]) / _TRIPLES if "NAS_DATA" in os.environ else None
    return there if "bandit" in kinds and there is not None and there.is_file() else None


def print_ensembles(found: "Ensembled") -> None:
    """Print members and ensembles with scores, kappa, gain and cost, and what stands behind it."""
    from nas.cli.rows import print_rows

    tasks = list(found.examples)
    rows = []
    for line in (*found.members, *found.ensembles):
        row: dict[str, Any] = {"": line.name}
        row |= {task: line.scores[task] for task in tasks} if len(tasks) > 1 else {}
        row[found.metric if len(tasks) > 1 else tasks[0]] = line.mean
        row["kappa"] = sum(line.kappa.values()) / len(tasks)
        if line.gain is not None:
            low, high = line.interval
            row["gain"], row["95 % interval"] = f"{line.gain:+.4f}", f"{low:+.4f} to {high:+.4f}"
        row["latency_ms"], row["parameters"] = line.latency_ms, line.parameters
        rows.append(row)
    echo()
    print_rows(rows, list(dict.fromkeys(key for row in rows for key in row)))
    for line in found.ensembles:
        shares = _mean_shares(line)
        if shares:
            named = zip((one.name for one in found.members), shares, strict=True)
            echo(f"Shares in {line.name}: {', '.join(f'{name} {s:.2f}' for name, s in named)}")
    for line in _behind(found):
        echo(line)


def _mean_shares(line: Any) -> list[float]:
    each = list(line.shares.values())
    return [sum(one) / len(each) for one in zip(*each, strict=True)]


def _behind(found: "Ensembled") -> list[str]:
    """Return lines about how the figures came to be."""
    count = sum(found.examples.values())
    alike = sum(found.agreement.values()) / len(found.agreement)
    lines = [
        f"Gain: over {found.best}, the best member with hindsight. Ensembles are cross-fitted on "
        f"the {count:,} development examples, none of which answers for its own weights; the "
        "interval is over these examples alone, not over seeds, and members were found by scores "
        "on them.",
        f"Members agree with each other by a kappa of {alike:.2f}; the more they do, the less is "
        "to be gained. Of numbers it is that of five bins, with squared weights.",
    ]
    latency = next(one.latency_ms for one in found.members if one.name == found.best)
    for line in found.ensembles:
        luck = "" if line.interval[0] > 0 else ", for a gain that may be luck"
        times = line.latency_ms / latency
        lines.append(f"{line.name} takes {times:.1f} times as long as {found.best}{luck}.")
    if any(line.name == "bandit" for line in found.ensembles):
        known = "no file of vectors" if found.known is None else f"{found.known:,} entities"
        lines.append(f"What bandit knows of words: {known}.")
    return lines
