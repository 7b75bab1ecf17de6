"""`nas evaluate` and `nas predict`: what an exported model scores and answers."""

from pathlib import Path
from typing import Any

import click

from nas.cli.output_path import OutputFile, OutputFolder
from nas.cli.own_tasks import OWN_TASKS, own_settings
from nas.cli.per_class import print_per_class, scores_json
from nas.cli.printing import echo
from nas.cli.suites import names_of, score_suite
from nas.cli.train import RECIPE, print_scores, read_changes, show_stages
from nas.whole_files import write_whole

FOLDER = click.argument("folder", type=click.Path(path_type=Path))


@click.command()
@FOLDER
@click.option("--data", help="glue-mini, hub, or a directory of a suite. [default: the model's]")
@click.option("--tasks", help="Tasks, comma-separated: cola,cb,…  [default: the model's]")
@click.option("--suite", help="A suite of its own: advglue=FILE, ewok=DIR, …; or files in --data.")
@click.option("--limit", type=click.IntRange(1), help="Items of each part of the suite at most.")
@OWN_TASKS
@click.option("--finetune", is_flag=True, help="Fine-tune the encoder anew instead.")
@RECIPE
@click.option(
    "--seed", type=click.IntRange(0), help="Of the data and of fine-tuning. [default: the model's]"
)
@click.option("--submission", type=OutputFolder(), help="Folder for answers to the tests.")
@click.option("--per-class", is_flag=True, help="Each class, confusions and worst rows, too.")
@click.option("--wrong", type=OutputFile(), help="File for the wrong answers, as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print scores and classes as JSON.")
@click.option("--quiet", is_flag=True, help="Print only the result.")
def evaluate(
    folder: Path,
    data: str | None,
    tasks: str | None,
    suite: str | None,
    limit: int | None,
    changes: tuple[str, ...],
    seed: int | None,
    submission: Path | None,
    wrong: Path | None,
    *,
    finetune: bool,
    per_class: bool,
    as_json: bool,
    quiet: bool,
    **own_options: Any,
) -> None:
    """Score the model in FOLDER on the development sets of tasks.

    Its fine-tuned models are scored where it has any; with --finetune, or without them, the
    pre-trained encoder is fine-tuned by the recipe first. --submission writes the predictions for
    the official test sets in the format of the GLUE server. --task names files of a task of your
    own: with one file, this file is scored; with several, the second one. --suite scores it on a
    suite of texts that nothing is trained on, such as advglue. FOLDER may be a trained encoder that
    nas search --from starts from, or hub:NAME: it is fine-tuned as a teacher is. Of a task of your
    own --per-class says where the model is wrong, and --wrong writes these rows.

    \b
    nas evaluate zoo/best
    nas evaluate zoo/reviews --task test.csv --per-class --wrong wrong.csv
    nas evaluate zoo/best --data GLUE_DIR --tasks cola,rte --finetune --recipe finetune_seeds=3
    nas evaluate zoo/best --data GLUE_DIR --submission submission
    nas evaluate zoo/best --suite advglue=dev.json
    """  # noqa: D301  click reads \b
    from nas.evaluation.suites.own import OWN_DATA
    from nas.single.exported import files_of, recorded_tasks
    from nas.single.per_class import wrong_text
    from nas.single.scoring import score_model
    from nas.single.trained_encoder import open_model
    from nas.training.preparing import default_preset
    from search_spaces.errors import InvalidExperiment

    model = open_model(folder)
    facts = model.facts.get("data") or {}
    names = [name for name in (tasks or "").split(",") if name]
    if suite is not None and "=" in suite:
        suite, _, place = suite.partition("=")
        if data is not None or not place:
            raise InvalidExperiment(
                f"--suite {suite}={place} is to name its files, and --data nothing else. Write "
                f"--suite {suite}=FOLDER."
            )
        data = place
    if suite is not None:
        said = {"tasks": tasks, "finetune": finetune, "submission": submission}
        said |= {name.removeprefix("own_"): value for name, value in own_options.items()}
        found = names_of(suite, {"task" if k == "own" else k: v for k, v in said.items()})
        if found is None:
            score_suite(model, suite, data, changes, limit=limit, seed=seed, quiet=quiet)
            return
        names = found
    if limit is not None:
        raise InvalidExperiment("--limit is of a suite such as blimp. Name it with --suite.")
    own = own_settings(own_options)
    if not own:
        own = recorded_tasks(model, names) if data is None else files_of(model, data, names)
    data = OWN_DATA if own else data or facts.get("name") or "glue-mini"
    recipe = model.recipe(read_changes(changes), default_preset(data))
    if seed is None:
        seed = int(facts.get("seed") or (model.facts.get("seeds") or {}).get("run") or 0)
    again = finetune or not model.tasks
    quiet = quiet or as_json
    if not quiet:
        what = "fine-tuned anew" if again else "its fine-tuned models"
        echo(f"{folder} on {data}: {what}")
    found = score_model(
        model,
        data,
        recipe,
        tasks=names or None,
        seed=seed,
        finetune=again,
        submission=submission,
        own=own,
        progress=None if quiet else show_stages(),
        by_class=per_class or as_json or wrong is not None,
    )
    if wrong is not None:
        write_whole(wrong, wrong_text(found.by_class))
    if as_json:
        echo(scores_json(found))
        return
    print_scores(found.rows())
    for path in found.written:
        echo(f"Predictions: {path}")
    for line in found.notes:
        echo(line)
    for one in found.by_class if per_class else ():
        print_per_class(one)
    if wrong is not None:
        echo(f"Wrong answers: {wrong} ({sum(len(one.wrong) for one in found.by_class):,} rows)")


@click.command()
@FOLDER
@click.option("--task", "name", help="A task the model was fine-tuned on. [default: its only one]")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", "path", type=OutputFile(), help="A file instead of the screen.")
@RECIPE
def predict(
    folder: Path, name: str | None, file: Path, path: Path | None, changes: tuple[str, ...]
) -> None:
    """Print what the model in FOLDER answers to each row or line of FILE.

    FILE is a table (CSV, JSON lines, Parquet; of a task of your own TSV, too) with the text columns
    that the model was trained on: the answer is the same table as CSV with label and probability.
    Or it is text: one sentence a line, two with a tab between them for a task of pairs, or the
    official columns of a task of GLUE under a first line with their names; the answer has then the
    columns index and prediction, as the GLUE server takes it.

    \b
    nas predict zoo/reviews new.csv --to answers.csv
    nas predict zoo/best --task sst2 reviews.txt
    nas predict zoo/best --task rte GLUE_DIR/RTE/test.tsv --to RTE.tsv
    """  # noqa: D301  click reads \b
    from nas.data.own.formats import is_table
    from nas.data.sentences import read_sentences
    from nas.evaluation.submission import predictions_text
    from nas.single.answering import answers_text
    from nas.single.exported import ExportedModel, answer
    from nas.training.preparing import default_preset

    model = ExportedModel.open(folder)
    task = model.only_task(name)
    recipe = model.recipe(read_changes(changes), default_preset("glue-mini"))
    if task.own or (is_table(file) and file.suffix != ".tsv"):
        text = answers_text(model, task, file, recipe)
    else:
        text = predictions_text(task, answer(model, task, read_sentences(file, task), recipe))
    if path is None:
        echo(text, nl=False)
    else:
        write_whole(path, text)
        echo(f"Predictions: {path}")
