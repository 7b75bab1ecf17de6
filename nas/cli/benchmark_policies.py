"""`nas benchmark policies`: proposals on a table of trained architectures, beside their peers."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from nas.cli.output_path import OutputFolder
from nas.cli.printing import echo

_POLICIES = "boshnas,random,parameters,gp-hamming"


class _Numbers(click.ParamType):
    """Whole numbers, comma-separated."""

    name = "numbers"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(dict.fromkeys(int(part) for part in str(value).split(",")))
        except ValueError:
            numbers = (0,)
        if min(numbers) < 1:
            self.fail(f"{value!r} are no positive whole numbers. Write them as 1,8.", param, ctx)
        return numbers


@click.command()
@click.option("--table", "file", required=True, type=click.Path(path_type=Path), help="JSON lines.")
@click.option(
    "--policies", default=_POLICIES, show_default=True, help="The first is the reference."
)
@click.option("--metric", help="The column to maximise; glue unless --objective says otherwise.")
@click.option("--objective", help="Such as glue:max,parameters:min; several: hypervolume.")
@click.option("--seeds", type=click.IntRange(1), default=30, show_default=True)
@click.option("--batch", type=_Numbers(), default="1,8", show_default=True, help="Asked at once.")
@click.option(
    "--start",
    type=click.Choice(["given", "own"]),
    default="given",
    show_default=True,
    help="The same random rows for all, or a cold start.",
)
@click.option("--initial", type=click.IntRange(1), default=5, show_default=True, help="Given rows.")
@click.option("--budget", type=click.IntRange(2), default=105, show_default=True)
@click.option("--calibration", is_flag=True, help="Judge predictions, too.")
@click.option("--splits", type=click.IntRange(1), default=20, show_default=True)
@click.option("--rows", type=_Numbers(), default="50,100,200", show_default=True)
@click.option("--noise", type=click.FloatRange(0), help="SD between trainings; 0.006 for a score.")
@click.option("--simulate", "workers", type=_Numbers(), help="Numbers of workers: 1,8,64,256.")
@click.option("--simulated-seeds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--durations", help="The column of training seconds.")
@click.option("--latency", type=click.FloatRange(0), help="Seconds a proposal takes; or measured.")
@click.option("--to", type=OutputFolder(), default="policies-benchmark")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--recompute", default="", help="Policies whose stored results are stale.")
def policies(file: Path, to: Path, jobs: int, recompute: str, **options: Any) -> None:
    """Replay policies on TABLE, whose values stand in for training.

    Prints figures, and leaves tables, pictures and every search in the folder --to; the same
    command continues an interrupted one. Evaluations count the given rows.

    \b
    nas benchmark policies --table half.jsonl --seeds 30 --batch 1,8 --to half
    nas benchmark policies --table half.jsonl --objective glue:max,parameters:min
    nas benchmark policies --table half.jsonl --calibration --simulate 1,8,64
    """  # noqa: D301  click reads \b
    from nas.benchmarks.policies import run_benchmark
    from nas.benchmarks.policy_files import draw_pictures, write_tables
    from nas.benchmarks.policy_report import report
    from nas.benchmarks.results import Results
    from nas.cli.figures import print_figures

    setting, plan = _read(file, options)
    forgotten = _names(recompute)
    results = Results(to, setting, without=forgotten)
    if results.reused:
        echo(f"{to} has {results.reused} results already (see --recompute).", err=True)
    progress = _Progress()
    found = run_benchmark(
        setting, plan, results, processes=jobs, noise=options["noise"], watch=progress
    )
    for section in report(found, setting):
        print_figures(section.title, section.table, section.note)
    files = write_tables(found, to) + draw_pictures(found, setting, to)
    echo(f"In {to}: {', '.join(path.name for path in files)}", err=True)


def _read(file: Path, options: dict[str, Any]) -> tuple[Any, Any]:
    """Check everything before anything is computed."""
    from nas.benchmarks.jobs import Setting
    from nas.benchmarks.policies import Plan
    from nas.benchmarks.protocol import Protocol
    from nas.benchmarks.simulation import duration_column, find_duration_column
    from nas.benchmarks.tables import read_table
    from search_spaces.errors import InvalidExperiment

    table = read_table(file)
    objectives = _objectives(options["metric"], options["objective"])
    for name in objectives:
        table.column(name)
    if options["workers"]:
        duration_column(table, options["durations"])
    # Found even without a simulation, so that one can be added to the same folder.
    durations = options["durations"] or find_duration_column(table)
    protocol = Protocol(
        objectives, start=options["start"], initial=options["initial"], budget=options["budget"]
    )
    protocol.check(table)
    names = _names(options["policies"])
    if not names:
        raise InvalidExperiment(
            f"{options['policies']!r} names no policy. Write for instance boshnas,random."
        )
    plan = Plan(
        policies=names,
        seeds=options["seeds"],
        batches=options["batch"],
        calibration=options["calibration"],
        splits=options["splits"],
        rows=options["rows"],
        workers=options["workers"] or (),
        simulated_seeds=options["simulated_seeds"],
    )
    for name in plan.policies:
        protocol.policy(name, table, seed=0)
    return Setting(table, protocol, durations, options["latency"]), plan


def _objectives(metric: str | None, objective: str | None) -> dict[str, str]:
    from nas.config import parse_objectives
    from search_spaces.errors import UnknownName

    if objective is None:
        return {metric or "glue": "max"}
    objectives = parse_objectives(objective)
    if metric is None:
        return objectives
    if metric not in objectives:
        raise UnknownName("objective", metric, objectives)
    return {metric: objectives[metric], **objectives}


def _names(text: str) -> tuple[str, ...]:
    """Return the policies named in `text`, each once."""
    from search_spaces.errors import UnknownName
    from surrogates import list_policies

    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in list_policies():
            raise UnknownName("policy", name, list_policies())
    return names


class _Progress:
    """A moving line on a terminal; elsewhere a line now and then."""

    def __init__(self) -> None:
        self._begun, self._shown, self._before = time.monotonic(), 0.0, 0

    def __call__(self, done: int, total: int, job: Any) -> None:
        now = time.monotonic()
        if job is None:
            self._before = done
            return
        moving = sys.stderr.isatty()
        if done < total and now - self._shown < (0.2 if moving else 30.0):
            return
        self._shown = now
        each = (now - self._begun) / (done - self._before)
        left = round(each * (total - done))
        text = (
            f"{done}/{total} done, {left // 60}:{left % 60:02d} left ({job.kind} of {job.policy})"
        )
        echo(f"\r\033[K{text}" if moving else text, err=True, nl=not moving or done == total)
