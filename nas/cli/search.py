"""`nas search` and `nas resume`."""

import sys
from pathlib import Path
from typing import Any

import click

from nas.cli.json_events import ends_in_json
from nas.cli.measured_suites import MEASURED_SUITES, suites_of
from nas.cli.offered import POLICY, SPACE, TASKS
from nas.cli.output_path import OutputFolder
from nas.cli.own_tasks import OWN_TASKS, take_own_tasks
from nas.cli.printing import echo
from nas.cli.run_path import TRUST
from nas.cli.settings import SET, WITHOUT_ARGUMENTS, with_set
from nas.printable import counted
from search_spaces.errors import quoted


@click.command()
@click.argument("experiment", nargs=-1, type=click.Path(path_type=Path))
@click.option("--run", "directory", type=OutputFolder(), help="The run's directory.")
@click.option(
    "--from",
    "checkpoint",
    help="A trained encoder (folder or hub:NAME): search among its cuts, taught by it.",
)
@click.option(
    "--space", type=SPACE, help="A named space (nas space list), a YAML file, or module:Name."
)
@click.option("--mixers", help="With --from: other mixers in its layers: c_5,l_dft,hedgehog,…")
@click.option("--policy", type=POLICY, help="What proposes: boshnas, random, …")
@click.option("--data", help="glue-mini, hub, or a directory of GLUE, SuperGLUE, …")
@click.option("--corpus", multiple=True, help="Text files to pre-train on (.txt, .xz, .gz).")
@click.option("--tasks", type=TASKS, help="Tasks of it, comma-separated: cola,rte,… or cb,…")
@MEASURED_SUITES
@OWN_TASKS
@click.option("--trials", type=int, help="How many architectures to train.")
@click.option("--time", "budget", help="Start no trial that would end later: 90s, 30m, 2h.")
@click.option("--objective", help="Such as glue:max,latency_ms:min; the first one is the best.")
@click.option("--constraint", multiple=True, help="Such as 'parameters<15e6'; repeatable.")
@click.option("--gpu-hours", type=float, help="Budget of GPU-hours, all trials together.")
@click.option("--cost", type=float, help="Budget of money; needs --price-per-hour.")
@click.option("--price-per-hour", type=float, help="Price of an hour of what one trial reserves.")
@click.option("--patience", type=int, help="Stop after so many results without progress.")
@click.option(
    "--finalists", type=int, help="Train so many of the front again, beside plain encoders."
)
@click.option("--finalist-seeds", type=int, help="With so many fresh seeds each.")
@click.option(
    "--fidelity", help="full, asha, hyperband, median or policy: train the promising further."
)
@click.option("--inheritance", is_flag=True, default=None, help="Start from a relative's weights.")
@click.option("--address", help="Address of a Ray cluster, or auto.")
@click.option("--cpus-per-trial", type=float, help="Cores of one trial.")
@click.option("--gpus-per-trial", help="Share of a GPU of one trial, or auto.")
@click.option("--max-concurrent", type=int, help="Most trials at once.")
@click.option("--seed", type=int, help="Decides everything random.")
@SET
@click.option("--quiet", is_flag=True, help="Print only the result.")
def search(
    experiment: tuple[Path, ...],
    directory: Path | None,
    changes_of_settings: tuple[str, ...],
    *,
    quiet: bool,
    **options: Any,
) -> None:
    """Search for the best encoders; EXPERIMENT is a YAML file, options change its settings.

    Without arguments: a small, real search on this machine, in under 8 minutes, with no network.

    \b
    nas search
    nas search --trials 40 --objective glue:max,parameters:min
    nas search --task reviews.csv
    nas search --from all-MiniLM-L6-v2 --task train.csv,dev.jsonl --time 30m
    nas search --data glue_data --corpus books.txt.xz wiki.txt --tasks cola,rte --time 2h
    nas search --from all-MiniLM-L6-v2 --data glue_data --tasks sst2,stsb --trials 20
    """  # noqa: D301  click reads \b
    from nas.config import make_experiment, read_settings

    file, options["corpus"] = _sort_files(experiment, options["corpus"])
    settings = read_settings(file) if file else {}
    given = {k: v for k, v in take_own_tasks(options).items() if v not in (None, ())}
    if given.get("suites"):
        given["suites"] = suites_of(given["suites"])
    if file is None and not given.keys() - {"seed"} and not changes_of_settings:
        settings |= WITHOUT_ARGUMENTS
    execution = settings.get("execution") or {}
    if not isinstance(execution, dict):
        make_experiment(settings)  # says what is wrong with it
    execution = dict(execution)
    for name in ("address", "cpus_per_trial", "gpus_per_trial", "max_concurrent"):
        if name in given:
            execution[name] = given.pop(name)
    for option, setting in (("objective", "objectives"), ("constraint", "constraints")):
        if option in given:
            given[setting] = given.pop(option)
    if "budget" in given:
        given["time"] = given.pop("budget")
    if execution:
        settings["execution"] = execution
    plan = make_experiment(with_set({**settings, **given}, changes_of_settings))

    from nas.cli.live import LiveView
    from nas.execution.interrupts import told_how_to_go_on
    from nas.search.driver import start

    with LiveView(objectives=plan.objectives, quiet=quiet) as view:
        run, reason = start(plan, directory, watch=view.update, say=view.say)
    with told_how_to_go_on(run.directory):
        finish(run, reason)


def _sort_files(
    files: tuple[Path, ...], corpus: tuple[str, ...]
) -> tuple[Path | None, tuple[str, ...]]:
    """Return the experiment file, if any, and all corpus files.

    `--corpus A B` reaches us as the corpus A and the argument B, so that what is no YAML file is
    taken for more of the corpus where there is one.
    """
    from search_spaces.errors import InvalidExperiment

    experiments = [f for f in files if f.suffix in (".yaml", ".yml") or not corpus]
    if len(experiments) > 1:
        raise InvalidExperiment(
            f"nas search takes one experiment file, but got {', '.join(map(str, experiments))}. "
            "Give one; more text to pre-train on comes after --corpus."
        )
    texts = tuple(str(f) for f in files if f not in experiments)
    return (experiments[0] if experiments else None), (*corpus, *texts)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--trials", help="A new number of trials, or +50 for 50 more.")
@click.option("--time", help="A time budget from now on: 30m, 2h.")
@click.option("--gpu-hours", type=float, help="A new budget of GPU-hours, from the beginning.")
@click.option("--cost", type=float, help="A new budget of money, from the beginning.")
@click.option("--price-per-hour", type=float, help="Price of an hour of what one trial reserves.")
@click.option("--patience", type=int, help="Stop after so many results without progress.")
@click.option("--objective", "objectives", help="Other objectives, such as glue:max,flops:min.")
@click.option("--constraint", "constraints", multiple=True, help="Other constraints; repeatable.")
@click.option("--address", help="Address of a Ray cluster, or auto.")
@click.option("--max-concurrent", type=int, help="Most trials at once.")
@TRUST
@click.option("--quiet", is_flag=True, help="Print only the result.")
def resume(run: Path, *, trust: bool, quiet: bool, **options: Any) -> None:
    """Continue RUN, extend it, or aim it at something else: nothing is trained twice.

    \b
    nas resume runs/search-1
    nas resume runs/search-1 --trials +20
    nas resume runs/search-1 --objective glue:max,flops:min --constraint "parameters<1e6"
    """  # noqa: D301  click reads \b
    from nas.cli.live import LiveView
    from nas.config import parse_objectives
    from nas.execution.interrupts import told_how_to_go_on
    from nas.runs.directory import open_run
    from nas.search.driver import resume as continue_run

    changes = {name: value for name, value in options.items() if value not in (None, ())}
    execution = {k: changes.pop(k) for k in ("address", "max_concurrent") if k in changes}
    if execution:
        changes["execution"] = execution
    reader = open_run(run)
    objectives = reader.objectives
    reader.close()
    if "objectives" in changes:
        objectives = changes["objectives"] = parse_objectives(changes["objectives"])
    with LiveView(objectives=objectives, quiet=quiet) as view:
        opened, reason = continue_run(
            run, changes=changes, watch=view.update, say=view.say, trust=trust
        )
    with told_how_to_go_on(opened.directory):
        finish(opened, reason)


def print_against_majority(run: Any) -> None:
    """Print the best encoder's score on each task beside that of a constant answer."""
    from nas.cli.train import print_scores, say_who_lost
    from nas.data.prepared import PreparedData
    from nas.evaluation.majority import majority_score
    from nas.evaluation.mean_score import mean_name

    best = run.pick("best")
    data = PreparedData.load(run.directory / "data")
    tasks = data.tasks
    echo(f"\nThe best one, trial {best['trial']}, against always the majority class:\n")
    print_scores(
        [(t.name, best[t.name], None, majority_score(t, tasks[t.name])) for t in data.rows()],
        data.floors,
    )
    taught = run.experiment.checkpoint is not None
    say_who_lost({name: best[name] for name in tasks}, data.floors, taught=taught)
    from nas.single.beside import teacher_figures

    whole = teacher_figures(run)
    if whole:
        listed = ", ".join(f"{name} {whole[name]:.3f}" for name in (mean_name(tasks), *tasks))
        costs = f"{whole['parameters']:,.0f} parameters, {whole['latency_ms']:.2f} ms"
        echo(f"\nIts teacher, whole: {listed}; {costs}")


@ends_in_json
def finish(run: Any, reason: str) -> None:
    """Print the front, the picture, the directory and what to do next; exit with the code."""
    from nas.cli.tables import print_table
    from nas.cli.verdict import print_test, print_verdict
    from nas.report.front_picture import draw_front
    from nas.runs.unmet import exit_code, unmet
    from nas.single.beside import beside

    where, again = run.directory, quoted(run.directory)
    done = run.finished()
    if reason == "interrupted":
        echo(f"\nInterrupted; finished trials kept: {len(done)}. Continue: nas resume {again}")
    elif not done.empty:
        front = run.pareto()
        arrows = {"max": "up", "min": "down"}
        goals = ", ".join(f"{name} {arrows[d]}" for name, d in run.objectives.items())
        echo(f"\nPareto front ({goals}): {len(front)} of {counted(len(done), 'trained encoder')}\n")
        print_table(front, first=tuple(run.objectives))
        trained = run.experiment.execution.trial_function is None
        if trained:
            print_against_majority(run)
        try:
            drawn = draw_front(done, run.objectives, where / "front.png", by_hand=beside(run))
            picture = str(drawn)
        except OSError as error:  # a full disk, perhaps the very one that ended the search
            picture = f"not drawn ({error.strerror or error})"
        echo(f"\nPicture:  {picture}\nRun:      {where}")
        print_verdict(run)
        if trained:
            print_test(run)
        lacking = unmet(run)
        if lacking:
            echo(f"\n{lacking}", err=True)
        elif trained:
            echo(f"Export the winner:  nas export {again} --pick best --to zoo/best")
    _say_why(run, reason)
    code = exit_code(run, reason)
    run.close()
    sys.exit(code)


def _say_why(run: Any, reason: str) -> None:
    """Say why the search ended and how to go on, unless it just did what was planned."""
    from nas.execution.disk_room import shortage
    from nas.runs.endings import ENDINGS
    from nas.runs.unmet import all_failed

    again, experiment = quoted(run.directory), run.experiment
    if reason == "failing":
        first = next(r for r in run.journal.each_trial() if r["status"] == "failed")
        echo(first["traceback"] or "", err=True)
        echo(f"Stopped: every trial failed alike: {first['error']}", err=True)
    elif ENDINGS[reason].exit_code == 0 and (failed := all_failed(run)):
        echo(failed, err=True)
    budgets = {"time": "time", "gpu_hours": "gpu-hours", "cost": "cost"}
    if reason in budgets:
        more = {
            "time": "30m",
            "gpu_hours": f"{2 * (experiment.gpu_hours or 1):g}",
            "cost": f"{2 * (experiment.cost or 1):g}",
        }[reason]
        name = budgets[reason]
        echo(f"The {name} budget is spent. Continue with: nas resume {again} --{name} {more}")
    lines = {
        "exhausted": "The space has no further architecture that the constraints allow.",
        "patience": f"No progress within {experiment.patience} results. Continue with: "
        f"nas resume {again} --patience {2 * (experiment.patience or 1)}",
        "lost": "Stopped: workers keep vanishing before any trial ends. Check the machines "
        f"(nas doctor), then continue with: nas resume {again}",
        "engine-gone": f"Stopped: {run.journal.meta('lacking')}. Finished trials are kept; "
        f"continue with: nas resume {again}",
        "no-space": f"Stopped: {run.journal.meta('lacking') or shortage()}. Make room, "
        f"then continue with: nas resume {again}",
    }
    if reason in lines:
        echo(lines[reason], err=reason in ("lost", "no-space", "engine-gone"))
