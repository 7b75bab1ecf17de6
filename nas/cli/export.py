"""`nas export`: from a finished trial to a folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from nas.cli.offered import PICK, TASKS
from nas.cli.output_path import OutputFolder
from nas.cli.printing import echo
from nas.cli.run_path import TRUST


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--pick",
    default="best",
    type=PICK,
    show_default=True,
    help="best, knee, the number of a trial, or a hash.",
)
@click.option("--to", "folder", required=True, type=OutputFolder(), help="New folder.")
@click.option(
    "--tasks",
    default="all",
    type=TASKS,
    show_default=True,
    help="Tasks whose fine-tuned models to write, such as cola,rte; all, or none.",
)
@click.option("--onnx", is_flag=True, help="Write model.onnx too, checked against torch.")
@click.option("--torch-export", is_flag=True, help="Write model.pt2 too, checked against torch.")
@click.option(
    "--quantize",
    type=click.Choice(["int8"]),
    help="Write model.int8.onnx too, with the score it costs; takes --onnx along.",
)
@click.option("--bert", is_flag=True, help="Write plain BERTs too, which need no remote code.")
@click.option("--licence", help="Of the weights, as the hub writes it. [default: by the data]")
@TRUST
def export(
    run: Path,
    pick: str,
    folder: Path,
    tasks: str,
    quantize: str | None,
    licence: str | None,
    *,
    onnx: bool,
    torch_export: bool,
    bert: bool,
    trust: bool,
) -> None:
    """Write one found model of RUN to a new folder of a zoo.

    The folder holds the pre-trained encoder, one fine-tuned model a task, and a model card; it
    loads with nas.load_model(FOLDER) and with the Auto classes of transformers. The tasks are
    fine-tuned again with the trial's own seed, which takes as long as it took in the search.

    \b
    nas export runs/search-1 --pick best --to zoo/best
    nas export runs/search-1 --pick knee --to zoo/small --tasks cola,rte
    nas export runs/search-1 --to zoo/best --onnx --quantize int8
    nas export runs/cuts --to zoo/cut --bert
    """  # noqa: D301  click reads \b
    from nas.runs.directory import open_run
    from nas.single.exporting import export_trial
    from nas.single.trials import task_models_of, trial_weights
    from nas.training.recipe import Recipe
    from nas.zoo.listing import write_results
    from search_spaces import Architecture
    from search_spaces.errors import NasError

    if folder.exists():
        raise NasError(f"{folder} exists already. Choose another folder, or remove it first.")
    formats = ["onnx"] * (onnx or quantize is not None) + ["torch-export"] * torch_export
    if formats:
        from nas.zoo.formats import require_expressible, require_packages

        require_packages(formats)
    opened = open_run(run)
    if trust:
        opened.trust()
    number = int(opened.pick(pick)["trial"])
    chosen = next(r for r in opened.journal.trials() if r["trial"] == number)
    if formats:  # before the tasks are fine-tuned again, which may take hours
        require_expressible(Architecture.from_dict(chosen["architecture"]), formats)
    if bert:
        from nas.zoo.plain_bert import require_plain

        require_plain(Architecture.from_dict(chosen["architecture"]), opened.model_options)
    recipe = Recipe.from_dict(opened.experiment.recipe)
    names = _chosen_tasks(tasks, list(recipe.tasks), recipe.own_tasks)
    weights = trial_weights(opened, chosen)
    models = task_models_of(opened, chosen, names) if names else ()
    tests: dict[str, dict[str, float]] = {}

    def written() -> Iterator[tuple[Any, float, Any]]:
        for model in models:
            tests[model.task.name] = dict(model.test)
            yield model.task, model.score, model.weights

    export_trial(
        opened,
        chosen,
        folder,
        weights=weights,
        models=written(),
        tests=tests,
        tasks=names,
        formats=formats,
        quantize=quantize is not None,
        bert=bert,
        licence=licence,
        say=lambda line: echo(f"  {line}"),
    )
    from nas.cli.verdict import test_lines

    for line in test_lines(tests):
        echo(f"  {line}")
    echo(f"Exported trial {number} ({chosen['hash'][:10]}) to {folder}")
    if folder.parent != Path():
        echo(f"Table of this zoo: {write_results(folder.parent)}")
    _say_how_to_load(folder, names)
    if bert:
        from nas.zoo.plain_bert import PLAIN

        found = sorted(path.parent for path in (folder / PLAIN).rglob("config.json"))
        echo(f"As BERT:  AutoModel.from_pretrained({str(found[0])!r}), without remote code")


def _chosen_tasks(text: str, trained: list[str], own: Sequence[str]) -> list[str]:
    """Return the names of the tasks to write.

    Raises:
        UnknownName: The run was not trained on one of them.
    """
    from nas.evaluation.suites.glue import glue_tasks
    from search_spaces.errors import UnknownName

    if text in ("all", "none"):
        return list(trained) if text == "all" else []
    if own:
        names = [name.strip() for name in text.split(",")]
    else:
        names = [task.name for task in glue_tasks(text)]
    for name in names:
        if name not in trained:
            raise UnknownName("task of this run", name, trained)
    return names


def _say_how_to_load(folder: Path, tasks: list[str]) -> None:
    echo(f"Load it:  nas.load_model({str(folder)!r})")
    echo(f"Anywhere: AutoModel.from_pretrained({str(folder)!r}, trust_remote_code=True)")
    if tasks:
        from nas.evaluation.kinds import TASK_KINDS
        from nas.zoo.loading import read_row

        auto = TASK_KINDS[read_row(folder, tasks[0]).kind].auto
        echo(
            f"Classify: {auto}.from_pretrained("
            f"{str(folder)!r}, task_name={tasks[0]!r}, trust_remote_code=True)"
        )
