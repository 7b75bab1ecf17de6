"""`nas benchmark spaces`: distances and embeddings, how fast and how far."""

import click

from nas.cli.printing import echo


def _whole(ctx: click.Context, param: click.Parameter, value: float) -> int:
    if value != int(value):
        raise click.BadParameter(f"{value} is no whole number. Write for instance 1e6.", ctx, param)
    return int(value)


@click.command()
@click.option("--quick", is_flag=True, help="Without the pair networkx needs 10 s and more for.")
@click.option(
    "--largest",
    type=click.FloatRange(1_000),
    default=1e5,
    show_default=True,
    callback=_whole,
    help="Most architectures sampled, such as 1e6.",
)
@click.option("--landmarks", type=click.IntRange(20), default=256, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def spaces(quick: bool, largest: int, landmarks: int, threads: int, seed: int) -> None:  # noqa: FBT001
    """Measure distances and embeddings beside networkx, each figure beside its goal.

    Single distances are in CPU seconds, of networkx up to its first value and with the published
    costs; the others in seconds that pass. The million of --largest 1e6 takes minutes.
    """
    from dataclasses import asdict

    import pandas as pd

    from nas.benchmarks.spaces import run_benchmark
    from nas.cli.figures import print_figures

    lines = []
    for figure in run_benchmark(
        quick=quick, largest=largest, landmarks=landmarks, threads=threads, seed=seed
    ):
        lines.append(asdict(figure))
        echo(f"{figure.what}: {figure.ours}", err=True)
    note = (
        f"Threads: {threads}. networkx: its first value, published costs. Ours: the order of "
        "layers kept; exact for blocks, for published an upper bound."
    )
    print_figures("Design spaces", pd.DataFrame(lines), note, left=("what",))
