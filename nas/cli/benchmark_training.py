"""`nas benchmark training`: speed and memory of training, beside `transformers`."""

import os
from pathlib import Path

import click

from nas.cli.output_path import OutputFolder
from nas.cli.printing import echo


@click.command()
@click.option("--quick", is_flag=True, help="A tiny encoder, once each: does it run here?")
@click.option("--examples", type=click.IntRange(32), default=None, help="In a pass. [default: 960]")
@click.option("--repeats", type=click.IntRange(1), default=None, help="Of a timing. [default: 7]")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="GLUE files to draw the examples from. [default: $NAS_DATA/glue, else stored lengths]",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--to", type=OutputFolder(), default="training-benchmark")
def training(
    quick: bool,  # noqa: FBT001
    examples: int | None,
    repeats: int | None,
    data: Path | None,
    device: str,
    threads: int,
    seed: int,
    to: Path,
) -> None:
    """Measure training, inference and memory beside transformers' BertModel of the same shape.

    Both sides train on the same examples with the lengths of GLUE, ours in batches of similar
    length, the other in random ones padded to their longest. Sides take turns; medians count.
    Figures are printed, and left in the folder --to as training.csv and training.json.
    """
    from dataclasses import replace

    import torch

    from nas.benchmarks.training import QUICK, Size, run_benchmark
    from nas.benchmarks.training_examples import glue_examples, stored_examples
    from nas.benchmarks.training_report import as_table, write_figures
    from nas.cli.figures import print_figures
    from nas.training.device import choose_device
    from nas.training.recipe import Recipe
    from nas.training.seeds import thread_count, torch_seed

    where = choose_device(Recipe(device=device))
    size = QUICK if quick else Size()
    size = size if repeats is None else replace(size, repeats=repeats)
    count = examples or (64 if quick else 960)
    folder = data or _known_data()
    split = glue_examples(folder, count, seed) if folder else stored_examples(count, seed)
    lengths = split.offsets[1:] - split.offsets[:-1]
    drawn = f"{count} examples of {folder}" if folder else f"{count} examples of stored lengths"
    setting = {
        "device": torch.cuda.get_device_name(where) if where.type == "cuda" else "cpu",
        "threads": threads,
        "torch": torch.__version__,
        "examples": count,
        "mean_length": float(lengths.mean()),
        "longest": int(lengths.max()),
        "source": "glue" if folder else "stored",
        "repeats": size.repeats,
        "seed": seed,
    }
    left_out: list[str] = []
    figures = []
    # a folder that cannot be written is known before the work
    files = write_figures(to, figures, setting)
    with thread_count(threads):
        torch.manual_seed(torch_seed(seed))
        for figure in run_benchmark(split, size, where, left_out.append):
            figures.append(figure)
            files = write_figures(to, figures, setting)  # minutes of work survive an interruption
            beside = "" if figure.ratio is None else f", ratio {figure.ratio:.2f}"
            echo(f"{figure.what}: {figure.ours:.4g} {figure.unit}{beside}", err=True)
    note = (
        f"{drawn}, mean {lengths.mean():.1f}, longest {lengths.max()} tokens; threads: {threads}; "
        f"medians of {size.repeats}. BertModel: its fastest attention, the fused AdamW of Trainer."
    )
    print_figures("Training", as_table(figures), "\n".join([note, *left_out]), left=("what",))
    echo("Written: " + ", ".join(map(str, files)))


def _known_data() -> Path | None:
    folder = Path(os.environ["NAS_DATA"]) / "glue" if "NAS_DATA" in os.environ else None
    return folder if folder is not None and folder.is_dir() else None
