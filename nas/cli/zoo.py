"""`nas zoo`: look at, check and publish exported models."""

import sys
from pathlib import Path

import click

from nas.cli.printing import console, echo
from nas.printable import counted, printable
from search_spaces.errors import quoted

_SHOWN = (
    "model", "glue", "score", "glue_confirmed", "score_confirmed", "parameters", "latency_ms",
    "device", "data", "run",
)  # fmt: skip
_ZOO = click.argument("zoo", type=click.Path(path_type=Path), default=Path("zoo"))
_FOLDER = click.argument("folder", type=click.Path(path_type=Path))


@click.group()
def zoo() -> None:
    """Look at, check and publish exported models.

    \b
    nas zoo list zoo
    nas zoo show zoo/best
    nas zoo check zoo/best
    nas zoo push zoo/best --repo USER/NAME --dry-run
    """  # noqa: D301  click reads \b


@zoo.command("list")
@_ZOO
@click.option("--format", "kind", type=click.Choice(["table", "csv", "json"]), default="table")
def list_(zoo: Path, kind: str) -> None:
    """All models of the folder ZOO, best first, and write its results.csv."""
    import json

    from nas.zoo.listing import columns_of, list_models, write_results

    rows, problems = list_models(zoo)
    for problem in problems:
        echo(f"Skipped: {problem}", err=True)
    path = write_results(zoo) if rows else None  # a zoo of which nothing can be read stays as it is
    if kind == "json":
        echo(json.dumps(rows, indent=1))
    elif kind == "csv":
        echo(path.read_text(encoding="utf-8") if path else "", nl=False)
    elif not rows:
        place = quoted(zoo / "NAME")
        echo(f"{zoo} has no models. Fill it with: nas export RUN --to {place}")
    else:
        from nas.cli.rows import print_rows

        print_rows(rows, [name for name in columns_of(rows) if name in _SHOWN])
        echo(f"All columns: {path}")
    if problems:
        sys.exit(2)


@zoo.command()
@_FOLDER
@click.option("--json", "as_json", is_flag=True, help="The facts for programs.")
def show(folder: Path, *, as_json: bool) -> None:
    """The model card of FOLDER."""
    import json

    from nas.zoo.card import read_card

    facts = read_card(folder)
    if as_json:
        echo(json.dumps(facts, indent=1))
        return
    text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2]
    if sys.stdout.isatty():
        from rich.markdown import Markdown

        console().print(Markdown(printable(text)))
    else:
        echo(text, nl=False)


@zoo.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(folders: tuple[Path, ...]) -> None:
    """Compare every file of each of FOLDERS with its checksum, the card, and load the models."""
    from nas.zoo.checking import check_model

    sound = True
    for folder in folders:
        problems = check_model(folder)
        sound = sound and not problems
        for problem in problems:
            echo(f"Error: {problem}.", err=True)
        if not problems:
            echo(f"{folder}: all files as exported, the card complete, every model answers")
    if not sound:
        sys.exit(2)


@zoo.command()
@_FOLDER
@click.option("--repo", required=True, help="Name on the hub, USER/NAME.")
@click.option("--private", is_flag=True, help="A new repository is seen by its owner only.")
@click.option("--message", default="A found encoder", show_default=True, help="Of the commit.")
@click.option("--dry-run", is_flag=True, help="Check and list the files; send nothing.")
def push(folder: Path, repo: str, message: str, *, private: bool, dry_run: bool) -> None:
    """Send FOLDER to the Hugging Face hub, after checking it."""
    from nas.zoo.pushing import files_to_push, push_model

    address = push_model(folder, repo, private=private, dry_run=dry_run, message=message)
    if not dry_run:
        echo(f"Pushed {folder} to {address}")
        return
    files = files_to_push(folder)
    for name, size in files:
        echo(f"{size:>12,}  {name}")
    whole = sum(size for _, size in files)
    echo(f"Would send {counted(len(files), 'file')}, {whole:,} bytes, to {address}")
