"""`nas benchmark scheduler`: what the search itself costs, beside Ray Tune and batches."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from nas.cli.printing import echo

_GOALS = {"random": 0.005, "boshnas": 0.020}
_START_GOAL = 5.0
# workers -> idle share, and usual trials of each worker that are simulated
_IDLE_GOALS = {64: (0.03, 12), 256: (0.08, 6)}
_PARTS = ("overhead", "start", "workers", "size")


@click.command()
@click.option("--quick", is_flag=True, help="Small sizes, to see that it works.")
@click.option(
    "--part",
    type=click.Choice(_PARTS),
    multiple=True,
    help="Only this: seconds per trial, the start, simulated workers, or a run of 10,000 trials.",
)
@click.option("--policy", default="boshnas", help="Whose proposals the simulated workers get.")
@click.option(
    "--table",
    type=click.Path(path_type=Path),
    help="Simulate after these trained architectures, JSON lines with scores and seconds.",
)
@click.option("--space", default="nas-bench-bert", help="The space that the table is from.")
@click.option(
    "--trial-seconds",
    type=click.FloatRange(0, min_open=True),
    help="Simulate trials that last so long in the median; by default as long as the table's.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines instead of tables.")
def scheduler(
    *,
    quick: bool,
    part: tuple[str, ...],
    policy: str,
    table: Path | None,
    space: str,
    trial_seconds: float | None,
    as_json: bool,
) -> None:
    """Measure the search by itself: overhead per trial, start, idle workers, memory, resuming.

    \b
    nas benchmark scheduler --part overhead
    nas benchmark scheduler --part workers --table nas_bench_bert_half.jsonl
    """  # noqa: D301  click reads \b
    parts: dict[str, Callable[[], Iterable[dict]]] = {
        "overhead": lambda: _overhead(quick=quick),
        "start": lambda: _start(quick=quick),
        "workers": lambda: _workers(policy, table, space, trial_seconds, quick=quick),
        "size": lambda: _size(quick=quick),
    }
    for name in part or _PARTS:
        for row in parts[name]():
            if as_json:
                echo(json.dumps({"part": name, **row}))
                continue
            cells = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
            echo(f"{name:<9} {', '.join(cells)}")


def _overhead(*, quick: bool) -> Iterator[dict]:
    from nas.benchmarks.scheduler_overhead import overhead, tune_overhead

    for policy, goal in _GOALS.items():
        yield {
            "loop": f"nas, {policy}",
            **overhead(policy, *((20, 1) if quick else (1000, 3))),
            "goal": goal,
        }
    yield {"loop": "Ray Tune, random", **tune_overhead(4 if quick else 30)}


def _start(*, quick: bool) -> list[dict]:
    from nas.benchmarks.scheduler_start import start_seconds

    first, *others = start_seconds(1 if quick else 3)
    return [first, *({**row, "goal": _START_GOAL} for row in others)]


def _workers(
    policy: str, table: Path | None, space: str, trial_seconds: float | None, *, quick: bool
) -> Iterator[dict]:
    from nas.benchmarks.scheduler_simulation import compare
    from surrogates import make_policy

    trials = _simulated_trials(table, space)
    if trial_seconds is not None:
        trials = trials.lasting(trial_seconds)
    threshold = trials.threshold(0.01, 200 if quick else 5000)
    for workers, (goal, rounds) in {4: (1.0, 3)}.items() if quick else _IDLE_GOALS.items():
        made = compare(
            lambda: make_policy(policy, trials.space, {"glue": "max"}, seed=0),
            trials,
            workers,
            rounds,
            threshold,
        )
        yield {**made[0], "goal": goal}
        yield from made[1:]


def _simulated_trials(table: Path | None, space: str) -> Any:
    from nas.benchmarks.simulated_trials import after_table, made_up

    if table is None:
        return made_up()
    from nas.benchmarks.simulation import duration_column
    from nas.benchmarks.tables import read_table

    rows = read_table(table)
    return after_table(rows, space, "glue", duration_column(rows))


def _size(*, quick: bool) -> list[dict]:
    from nas.benchmarks.scheduler_overhead import memory_and_resume

    return [{**memory_and_resume(50 if quick else 10_000), "goal_mb": 500, "goal_resume": 10}]
