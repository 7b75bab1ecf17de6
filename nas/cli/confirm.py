"""`nas confirm`: train the best again with fresh seeds, measure them again."""

import sys
from pathlib import Path

import click

from nas.cli.printing import echo
from nas.cli.run_path import TRUST
from search_spaces.errors import quoted


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--top", default=3, show_default=True, type=click.IntRange(min=1), help="Of the front."
)
@click.option(
    "--seeds", default=5, show_default=True, type=click.IntRange(min=1), help="Of each of them."
)
@click.option("--baselines", is_flag=True, help="Train plain encoders beside it as often.")
@click.option(
    "--longer", type=click.IntRange(1, 100), help="So many times a trial's passes, for cuts."
)
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
@TRUST
def confirm(
    run: Path,
    top: int,
    seeds: int,
    longer: int | None,
    form: str,
    *,
    baselines: bool,
    trust: bool,
) -> None:
    """Train the front of RUN again with fresh seeds and measure its latency on this machine.

    A search picks the best of many noisy scores; the mean over fresh seeds is what to expect. The
    same command continues where it was interrupted (exit code 4). Models exported afterwards say
    both in their cards. Cuts of a checkpoint may learn from it for longer than in the search.

    \b
    nas confirm runs/search-1 --top 3 --seeds 5
    nas confirm runs/cuts --baselines --longer 3
    """  # noqa: D301  click reads \b
    from nas.cli.rows import print_rows
    from nas.cli.verdict import print_test, print_verdict
    from nas.evaluation.mean_score import MEANS
    from nas.execution import EngineGone
    from nas.runs.directory import open_run
    from nas.runs.endings import EXIT_CODES
    from nas.single.confirm import confirm as confirm_run
    from nas.single.confirm import said_for_longer
    from nas.training.recipe import Recipe

    opened = open_run(run)
    if trust:
        opened.trust()
    longer = longer or opened.experiment.finalist_longer
    try:
        chosen = confirm_run(
            opened,
            top=top,
            seeds=seeds,
            say=lambda line: echo(line, err=True),
            baselines=baselines,
            longer=longer,
        )
    except (KeyboardInterrupt, EngineGone) as error:
        again = f"nas confirm {quoted(run)} --top {top} --seeds {seeds}"
        again += " --baselines" if baselines else ""
        again += f" --longer {longer}" if longer > 1 else ""
        why = f"Stopped: {error}" if isinstance(error, EngineGone) else "Interrupted"
        echo(f"{why}; finished trainings are kept. Continue: {again}", err=True)
        sys.exit(EXIT_CODES["interrupted"])
    table = opened.confirmations(longer)
    table = table[table["hash"].isin(chosen)]
    if form == "csv":
        echo(table.to_csv(index=False), nl=False)
    elif form == "json":
        echo(table.to_json(orient="records", lines=True), nl=False)
    else:
        rows = [
            {name: None if value != value else value for name, value in row.items()}
            for row in table.assign(hash=table["hash"].str[:10]).to_dict("records")
        ]
        shown = ("trial", "hash", "seeds", "failed")
        means = [mean for mean in MEANS if mean in table]
        measured = [c for m in (*means, "latency_ms") for c in (m, f"{m}_mean", f"{m}_std")]
        print_rows(rows, [*shown, *measured])
        echo("As found in the search, then mean and deviation over the fresh seeds.")
        count = "" if longer == 1 else longer
        echo(f"Every task: nas.open_run({str(run)!r}).confirmations({count})")
        if len(table) and longer > 1:
            recipe = Recipe.from_dict(opened.experiment.recipe)
            said = " ".join(f"--recipe {quoted(one)}" for one in said_for_longer(recipe, longer))
            echo(
                f"Exported are the models of the search; one that learnt for longer: nas train "
                f"{quoted(run)}/{table['hash'].iloc[0][:10]} --experiment "
                f"{quoted(run / 'experiment.yaml')} --from "
                f"{quoted(opened.experiment.checkpoint)} {said} --to NEW_FOLDER"
            )
        elif len(table):
            again = f"nas export {quoted(run)} --pick {table['hash'].iloc[0][:10]} --to NEW_FOLDER"
            echo(f"Cards written before do not say this yet; write one that does: {again}")
        print_verdict(opened, longer)
        print_test(opened)
    if table["seeds"].sum() < len(chosen) * seeds:
        echo("Some trainings failed; the same command tries them again.", err=True)
