"""`nas space`: what may be built."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nas.cli.output_path import OutputFile
from nas.cli.printing import echo

if TYPE_CHECKING:
    from search_spaces import Architecture, Space

VOCABULARY, LENGTH = 30_522, 128  # tokens that exist, and tokens of a sequence, for the sizes shown
SAMPLE = 500  # architectures `show` looks at

NAME = click.argument("name")
SEED = click.option("--seed", type=click.IntRange(0), default=0, show_default=True)


@click.group()
def space() -> None:
    """List, show, count and sample search spaces; check and draw an architecture.

    NAME is a space of `nas space list`, a YAML file, or package.module:Name for a space of your own
    in Python.
    """


@space.command("list")
def list_() -> None:
    """Print the named spaces and their sizes."""
    from search_spaces import list_spaces, load_space

    for name in list_spaces():
        echo(f"{name:<22} {_readable(load_space(name).size):>16} architectures")


@space.command()
@click.argument("name", required=False)
@click.option("--from", "checkpoint", help="Instead: all cuts of the trained encoder in a folder.")
@click.option("--mixers", help="With --from: other mixers in its layers: c_5,l_dft,hedgehog,…")
@SEED
def show(name: str | None, checkpoint: str | None, mixers: str | None, seed: int) -> None:
    """Print the size of the space NAME, what a sample of it costs, and three examples."""
    from search_spaces import load_space
    from search_spaces.errors import InvalidSpace

    if (name is None) == (checkpoint is None):
        raise InvalidSpace(
            f"nas space show takes the name of a space or --from FOLDER; given: {name!r} and "
            f"{checkpoint!r}. Give one of the two; names: nas space list."
        )
    found = load_space(name) if checkpoint is None else _cuts(checkpoint, mixers)
    echo(f"{found.name}: {_readable(found.size)} architectures, up to {_depth(found)}")
    if description := getattr(getattr(found, "definition", None), "description", ""):
        echo(description)
    most = max(3, min(SAMPLE, 20_000 // found.max_layers))
    sample = found.sample(min(most, found.size or most), seed=seed)
    distinct, inside = len({a.hash for a in sample}), sum(a in found for a in sample)
    echo(
        f"\nA sample of {len(sample):,}: {distinct / len(sample):.1%} distinct, "
        f"{inside / len(sample):.1%} in the space"
    )
    _print_costs(sample)
    echo("\nExamples")
    for architecture in sample[:3]:
        echo(f"  {architecture.short}  {architecture.describe()}")


@space.command()
@NAME
def count(name: str) -> None:
    """Print the exact number of architectures in the space NAME."""
    from search_spaces import load_space
    from search_spaces.errors import InvalidSpace

    found = load_space(name)
    if found.size is None:
        raise InvalidSpace(
            f"The space {found.name!r} cannot count its architectures. Give it a property `size`."
        )
    echo(f"{Decimal(found.size):f}")  # str() of a whole number ends at 4,300 digits


@space.command()
@NAME
@click.option("-n", "number", type=click.IntRange(1), default=3, show_default=True)
@SEED
@click.option("--design", default="random", show_default=True, help="Or: latin-hypercube, sobol.")
@click.option("--constraint", multiple=True, help="Such as 'parameters<2e6'; repeatable.")
@click.option("--vocabulary", type=click.IntRange(1), default=VOCABULARY, show_default=True)
@click.option("--length", type=click.IntRange(1), default=LENGTH, show_default=True)
def sample(
    name: str,
    number: int,
    seed: int,
    design: str,
    constraint: tuple[str, ...],
    vocabulary: int,
    length: int,
) -> None:
    """Print random architectures of the space NAME as JSON, one a line.

    Constraints are on "parameters" (with a vocabulary of --vocabulary tokens) and "flops" (of a
    sequence of --length tokens). Nearly all architectures of a large space are deep; for a tight
    constraint use --design latin-hypercube, which tries every depth equally often.
    """
    from search_spaces import initial_design, load_space, make_accept

    accept = None
    if constraint:
        accept = make_accept(
            constraint, vocabulary_size=vocabulary, max_length=length, length=length
        )
    for architecture in initial_design(load_space(name), number, seed, design, accept=accept):
        echo(json.dumps(architecture.to_dict()))


@space.command()
@click.argument("file")
@click.option("--space", "name", help="Also say whether this space contains it.")
def check(file: str, name: str | None) -> None:
    """Check the architecture dictionary in the JSON FILE."""
    from nas.cli.architectures import read_architecture
    from search_spaces import count_parameters, load_space

    architecture = read_architecture(file)
    echo(f"{architecture.hash}\n{architecture.describe()}")
    echo(f"{count_parameters(architecture, vocabulary_size=VOCABULARY):,} parameters")
    if name:
        inside = architecture in load_space(name)
        echo(f"{'in' if inside else 'not in'} the space {name}")


@space.command()
@click.argument("architecture", required=False)
@click.option("--space", "name", help="Instead: draw an architecture sampled from this space.")
@SEED
@click.option(
    "--to", "path", type=OutputFile(".png", ".svg", ".pdf"), required=True, help="The picture."
)
@click.option(
    "--direction", type=click.Choice(["down", "right"]), default="down", show_default=True
)
@click.option("--every-head", is_flag=True, help="Draw equal heads of a wide layer one by one.")
def draw(
    architecture: str | None,
    name: str | None,
    seed: int,
    path: Path,
    direction: str,
    *,
    every_head: bool,
) -> None:
    """Draw the graph of ARCHITECTURE as a picture (png, svg or pdf, by the ending of --to).

    ARCHITECTURE is a JSON file or a published name, such as bert-mini or flexibert-mini.

    \b
    nas space draw bert-mini --to bert-mini.png
    nas space draw --space flexibert-2 --seed 3 --to one.svg
    """  # noqa: D301  click reads \b
    from nas.cli.architectures import read_architecture
    from nas.report.architecture_picture import draw_architecture
    from search_spaces import load_space
    from search_spaces.errors import InvalidExperiment

    if (architecture is None) == (name is None):
        raise InvalidExperiment(
            "Say what to draw: a JSON file or a name such as bert-mini, or --space NAME, not both."
        )
    if architecture is None:
        (drawn,) = load_space(name).sample(1, seed=seed)
    else:
        drawn = read_architecture(architecture)
    title = architecture or f"{name}, seed {seed}"
    draw_architecture(drawn, path, title=title, direction=direction, every_head=every_head)
    echo(f"{drawn.short}  {drawn.describe()}\nPicture: {path}")


def _print_costs(architectures: list["Architecture"]) -> None:
    from statistics import median

    from search_spaces import count_flops, count_parameters

    echo(f"{'':<28}{'least':>16}{'median':>16}{'most':>16}")
    rows = {
        f"parameters, {VOCABULARY:,} tokens": [
            count_parameters(a, vocabulary_size=VOCABULARY) for a in architectures
        ],
        f"FLOPs, length {LENGTH}": [
            count_flops(a, length=LENGTH, vocabulary_size=VOCABULARY) for a in architectures
        ],
        "layers": [len(a) for a in architectures],
    }
    for title, values in rows.items():
        shown = (min(values), median(values), max(values))
        echo(f"{title:<28}" + "".join(f"{round(value):>16,}" for value in shown))


def _cuts(folder: str, mixers: str | None) -> "Space":
    """Return the space inside a checkpoint; print what it is and what may be cut."""
    from nas.config import make_experiment
    from nas.evaluation.cost import measure_latency
    from nas.teachers.checkpoint import read_checkpoint
    from nas.teachers.space import teacher_space
    from search_spaces import load_space

    checkpoint = read_checkpoint(folder)
    others = make_experiment({"checkpoint": folder, "mixers": mixers or ()}).mixers
    definition = teacher_space(checkpoint.architecture, others)
    length = min(LENGTH, checkpoint.max_length)
    whole = checkpoint.build(max_length=length, pooling="mean")
    latency = measure_latency(whole, length=length, threads=1)
    echo(
        f"{checkpoint.name}: {checkpoint.architecture.describe()}; "
        f"{sum(p.numel() for p in whole.parameters()):,} parameters, {latency.p50_ms:.1f} ms for "
        f"one sequence of {length} tokens on one core"
    )
    for title, key in (("layers", "layers"), ("heads", "heads")):
        echo(f"  {title} to keep: {', '.join(map(str, definition[key]))}")
    echo(f"  neurons to keep: {', '.join(map(str, definition['feedforward_widths']))}")
    found = load_space(definition)
    found.name = f"cuts of {checkpoint.name}"
    return found


def _depth(found: "Space") -> str:
    return "1 layer" if found.max_layers == 1 else f"{found.max_layers} layers"


def _readable(size: int | None) -> str:
    if size is None:
        return "an unknown number of"
    return f"{size:,}" if size < 10**12 else f"{Decimal(size):.4e}"
