"""`nas export`: from a finished trial to a folder."""

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--pick", default="best", show_default=True, help="best, knee, or a hash.")
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), help="New folder.")
def export(run: Path, pick: str, folder: Path) -> None:
    """Write one found model of RUN to a new folder.

    The folder loads with nas.load_model(FOLDER) and with transformers' AutoModel.from_pretrained.

    \b
    nas export runs/search-1 --pick best --to zoo/best
    nas export runs/search-1 --pick knee --to zoo/small
    """  # noqa: D301  click reads \b
    from nas.exporting import export_trial
    from nas.runs import open_run

    opened = open_run(run)
    chosen = opened.pick(pick)
    export_trial(opened, chosen, folder)
    click.echo(f"Exported trial {chosen['trial']} ({chosen['hash'][:10]}) to {folder}")
    click.echo(f"Load it:  nas.load_model({str(folder)!r})")
    click.echo(f"Anywhere: AutoModel.from_pretrained({str(folder)!r}, trust_remote_code=True)")
