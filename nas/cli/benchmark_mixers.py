"""`nas benchmark mixers`: what each mixer and feed-forward costs, over the length."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nas.cli.output_path import OutputFolder
from nas.cli.printing import echo

if TYPE_CHECKING:
    import pandas as pd

    from nas.benchmarks.mixers import Pass


@click.command()
@click.option("--quick", is_flag=True, help="Short sequences, once each: does it run here?")
@click.option("--longest", type=click.IntRange(128), default=8192, show_default=True)
@click.option("--width", type=click.IntRange(64), default=256, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--to", type=OutputFolder(), default="mixers-benchmark")
def mixers(
    quick: bool,  # noqa: FBT001
    longest: int,
    width: int,
    repeats: int,
    device: str,
    threads: int,
    seed: int,
    to: Path,
) -> None:
    """Measure each mixer beside torch's fused attention, and each feed-forward beside the usual.

    Forward and backward of one sequence of 128 tokens, 256, ... up to --longest; sides take turns,
    medians count. The slope is that of log seconds on log length from 1,024 tokens on.
    Feed-forwards: 32 sequences of 128 tokens; padding: as many, half of their tokens, beside the
    same encoder with its padding taken out. All rows are left in --to as mixers.csv.
    """
    from dataclasses import asdict

    import pandas as pd
    import torch

    from nas.benchmarks.mixers import (
        doubled,
        feedforward_kinds,
        feedforward_passes,
        mixer_kinds,
        mixer_passes,
    )
    from nas.benchmarks.padding import padding_passes
    from nas.cli.figures import print_figures
    from nas.training.device import choose_device
    from nas.training.recipe import Recipe
    from nas.training.seeds import thread_count, torch_seed
    from nas.whole_files import write_whole
    from search_spaces.errors import RunError

    where = choose_device(Recipe(device=device))
    lengths = doubled(256 if quick else longest)
    measure = {"width": width, "repeats": 1 if quick else repeats, "device": where}
    rows: list[Pass] = []
    path = to / "mixers.csv"
    with thread_count(threads):
        torch.manual_seed(torch_seed(seed))
        for row in _all(
            feedforward_passes(
                feedforward_kinds(), length=128, batch=2 if quick else 32, **measure
            ),
            padding_passes(mixer_kinds(), length=128, batch=4 if quick else 32, **measure),
            mixer_passes(mixer_kinds(), lengths, most_seconds=60, **measure),
        ):
            rows.append(row)
            try:  # minutes of work survive an interruption
                to.mkdir(parents=True, exist_ok=True)
                write_whole(path, pd.DataFrame(map(asdict, rows)).to_csv(index=False))
            except OSError as error:
                raise RunError(f"{to} cannot be used: {error}. Choose another with --to.") from None
            how = "" if row.slot in ("mixer", "feedforward") else f", {row.slot}"
            echo(f"{row.kind}, {row.length} tokens{how}: {row.seconds:.4g} s", err=True)
    note = f"Width {width}, threads: {threads}, medians of {measure['repeats']}."
    heads = [row for row in rows if row.slot == "mixer"]
    print_figures("Mixers: milliseconds by length", _by_length(heads, lengths), note, ("mixer",))
    print_figures("Feed-forwards", _feedforwards(rows), "", ("feed-forward",))
    print_figures("Half of the tokens are padding", _padding(rows), "", ("mixer",))
    echo(f"Written: {path}")


def _all(*sides):
    for side in sides:
        yield from side


def _by_length(rows: "Sequence[Pass]", lengths: Sequence[int]) -> "pd.DataFrame":
    import pandas as pd

    from nas.benchmarks.mixers import crossing, slope

    table = []
    for kind in dict.fromkeys(row.kind for row in rows):
        own = [row for row in rows if row.kind == kind]
        times = {row.length: f"{1000 * row.seconds:.3g}" for row in own}
        steep, from_length = slope(own), crossing(own)
        table.append(
            {"mixer": kind}
            | {str(length): times.get(length, "") for length in lengths}
            | {
                "slope": "" if steep is None else f"{steep:.2f}",
                "faster from": "" if from_length is None else str(from_length),
                "MB at longest": f"{own[-1].peak_mb:.0f}",
            }
        )
    return pd.DataFrame(table)


def _feedforwards(rows: "Sequence[Pass]") -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(
        {
            "feed-forward": row.kind,
            "ms": f"{1000 * row.seconds:.3g}",
            "ratio": f"{row.ratio:.2f}",
            "MB": f"{row.peak_mb:.0f}",
        }
        for row in rows
        if row.slot == "feedforward"
    )


def _padding(rows: "Sequence[Pass]") -> "pd.DataFrame":
    import pandas as pd

    from nas.benchmarks.padding import PADDED, UNPADDED

    sides = {slot: {r.kind: r for r in rows if r.slot == slot} for slot in (PADDED, UNPADDED)}
    return pd.DataFrame(
        {
            "mixer": kind,
            "ms padded": f"{1000 * sides[PADDED][kind].seconds:.3g}",
            "ms unpadded": f"{1000 * row.seconds:.3g}",
            "faster": f"{1 / row.ratio:.2f}",
            "MB padded": f"{sides[PADDED][kind].peak_mb:.0f}",
            "MB unpadded": f"{row.peak_mb:.0f}",
        }
        for kind, row in sides[UNPADDED].items()
    )
