"""`nas space`: what may be built."""

import json
from pathlib import Path

import click


@click.group()
def space() -> None:
    """List, show, count and sample search spaces; check an architecture."""


@space.command("list")
def list_() -> None:
    """Print the named spaces and their sizes."""
    from search_spaces import list_spaces, load_space

    for name in list_spaces():
        click.echo(f"{name:<22} {_readable(load_space(name).size):>16} architectures")


@space.command()
@click.argument("name")
def show(name: str) -> None:
    """Print what the space NAME (or a YAML file) offers."""
    from search_spaces import count_parameters, load_space

    found = load_space(name)
    click.echo(f"{found.name}: {_readable(found.size)} architectures")
    sample = found.sample(min(200, found.size), seed=0)
    counts = [count_parameters(a, vocabulary_size=30522) for a in sample]
    click.echo(
        f"parameters of {len(counts)} sampled ones: {min(counts):,} to {max(counts):,} "
        "(vocabulary of 30,522)"
    )
    for architecture in sample[:3]:
        click.echo(f"  {architecture.short}  {architecture.describe()}")


@space.command()
@click.argument("name")
def count(name: str) -> None:
    """Print the exact number of architectures in the space NAME (or a YAML file)."""
    from search_spaces import load_space

    click.echo(load_space(name).size)


@space.command()
@click.argument("name")
@click.option("-n", "number", type=click.IntRange(1), default=3, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def sample(name: str, number: int, seed: int) -> None:
    """Print random architectures of the space NAME as JSON, one a line."""
    from search_spaces import load_space

    for architecture in load_space(name).sample(number, seed=seed):
        click.echo(json.dumps(architecture.to_dict()))


@space.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--space", "name", help="Also say whether this space contains it.")
def check(file: Path, name: str | None) -> None:
    """Check the architecture dictionary in the JSON FILE."""
    from search_spaces import Architecture, count_parameters, load_space
    from search_spaces.errors import InvalidArchitecture

    try:
        given = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidArchitecture(f"{file} cannot be read: {error}. Give a JSON file.") from None
    except ValueError as error:
        raise InvalidArchitecture(f"{file} is no JSON: {error}.") from None
    architecture = Architecture.from_dict(given)
    click.echo(f"{architecture.hash}\n{architecture.describe()}")
    click.echo(f"{count_parameters(architecture, vocabulary_size=30522):,} parameters")
    if name:
        inside = architecture in load_space(name)
        click.echo(f"{'in' if inside else 'not in'} the space {name}")


def _readable(size: int) -> str:
    return f"{size:,}" if size < 10**12 else f"{size:.4e}"
