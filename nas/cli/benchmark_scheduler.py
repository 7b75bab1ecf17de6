"""`nas benchmark scheduler`: what the search itself costs, beside Ray Tune and batches."""

import json
from collections.abc import Iterator

import click

_GOALS = {"random": 0.005, "boshnas": 0.020}
_IDLE_GOALS = {64: 0.03, 256: 0.08}


@click.command()
@click.option("--quick", is_flag=True, help="Small sizes, to see that it works.")
@click.option(
    "--part",
    type=click.Choice(["overhead", "workers", "size"]),
    multiple=True,
    help="Only this: seconds per trial, simulated workers, or a run of 10,000 trials.",
)
@click.option("--policy", default="boshnas", help="Whose proposals the simulated workers get.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines instead of tables.")
def scheduler(*, quick: bool, part: tuple[str, ...], policy: str, as_json: bool) -> None:
    """Measure the search by itself: overhead per trial, idle workers, memory, resuming."""
    parts = part or ("overhead", "workers", "size")
    for name in parts:
        rows = {"overhead": _overhead, "workers": _workers, "size": _size}[name](policy, quick)
        for row in rows:
            if as_json:
                click.echo(json.dumps({"part": name, **row}))
                continue
            cells = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
            click.echo(f"{name:<9} {', '.join(cells)}")


def _overhead(_: str, quick: bool) -> Iterator[dict]:  # noqa: FBT001  as the other parts
    from nas.benchmarks.scheduler_overhead import overhead, tune_overhead

    for policy, goal in _GOALS.items():
        yield {
            "loop": f"nas, {policy}",
            **overhead(policy, *((20, 1) if quick else (1000, 3))),
            "goal": goal,
        }
    yield {"loop": "Ray Tune, random", **tune_overhead(4 if quick else 30)}


def _workers(policy: str, quick: bool) -> list[dict]:  # noqa: FBT001
    from nas.benchmarks.scheduler_simulation import compare, top_threshold
    from search_spaces import load_space
    from surrogates import make_policy

    space = load_space("flexibert-small")
    threshold = top_threshold(space.sample(200 if quick else 5000, seed=1))
    rows: list[dict] = []
    for workers, goal in {4: 1.0}.items() if quick else _IDLE_GOALS.items():
        made = compare(
            lambda: make_policy(policy, space, {"glue": "max"}, seed=0),
            workers,
            4 * workers,
            threshold,
        )
        rows += [{**made[0], "goal": goal}, *made[1:]]
    return rows


def _size(_: str, quick: bool) -> list[dict]:  # noqa: FBT001
    from nas.benchmarks.scheduler_overhead import memory_and_resume

    return [{**memory_and_resume(50 if quick else 10_000), "goal_mb": 500, "goal_resume": 10}]
