"""`nas train`: one architecture without a search."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from nas.cli.measured_suites import MEASURED_SUITES, suites_of
from nas.cli.offered import TASKS
from nas.cli.output_path import OutputFolder
from nas.cli.own_tasks import OWN_TASKS, take_own_tasks
from nas.cli.printing import echo
from nas.cli.settings import SET, with_set
from search_spaces.errors import quoted

RECIPE = click.option(
    "--recipe", "changes", multiple=True, metavar="KEY=VALUE", help="Change the recipe; repeatable."
)


@click.command()
@click.argument("architecture")
@click.option("--experiment", type=click.Path(path_type=Path), help="Take data and recipe of this.")
@click.option("--data", help="glue-mini, hub, or a directory of GLUE, SuperGLUE, …")
@click.option("--corpus", multiple=True, help="Text files to pre-train on (.txt, .xz, .gz).")
@click.option("--tasks", type=TASKS, help="Tasks of it, comma-separated: cola,rte,… or cb,…")
@MEASURED_SUITES
@OWN_TASKS
@click.option("--tokens", type=int, help="Pre-training budget, in tokens.")
@RECIPE
@click.option("--seed", type=click.IntRange(0), help="Decides everything random.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="How many.")
@click.option(
    "--from",
    "--pretrained",
    "pretrained",
    type=click.Path(path_type=Path),
    help="Start from the weights in this folder.",
)
@click.option("--to", "folder", type=OutputFolder(), help="New folder for the model.")
@SET
@click.option("--quiet", is_flag=True, help="Print only the result.")
def train(
    architecture: str,
    experiment: Path | None,
    tokens: int | None,
    changes: tuple[str, ...],
    seeds: int,
    pretrained: Path | None,
    folder: Path | None,
    changes_of_settings: tuple[str, ...],
    *,
    quiet: bool,
    **options: Any,
) -> None:
    """Train ARCHITECTURE as a search would, score it, and export it.

    ARCHITECTURE is a JSON file, a published name such as bert-mini, the text of a dictionary, an
    exported folder, or RUN/best and RUN/HASH for a trial of a run. With several seeds the table
    has means and deviations, and the model of the first seed is exported. An interrupted training
    continues when the command is given again.

    --from starts from an exported folder's weights, of the same or another architecture, and uses
    its tokenizer; the share inherit_tokens of the recipe's budget is then pre-trained. From the
    folder of a BERT or one of its relatives, ARCHITECTURE is cut out of it and learns from it.

    \b
    nas train bert-mini --to zoo/bert-mini
    nas train found.json --data GLUE_DIR --corpus books.txt.xz --tokens 10000000 --seeds 3
    nas train runs/search-1/best --recipe finetune_seeds=3 --recipe selection=train-part
    """  # noqa: D301  click reads \b
    from nas.cli.architectures import read_architecture
    from nas.config import make_experiment, read_settings
    from nas.teachers.hub import HUB
    from nas.training.fitting import require_fitting
    from nas.training.preparing import experiment_recipe, prepare_experiment
    from nas.zoo.files import is_export
    from search_spaces.errors import NasError

    chosen = read_architecture(architecture)
    settings = with_set(read_settings(experiment) if experiment else {}, changes_of_settings)
    given = {k: v for k, v in take_own_tasks(options).items() if v not in (None, ())}
    if given.get("suites"):
        given["suites"] = suites_of(given["suites"])
    make_experiment(settings)  # says what is wrong with a recipe that is no mapping
    recipe_changes = {**(settings.get("recipe") or {}), **read_changes(changes)}
    if tokens is not None:
        recipe_changes["pretrain_tokens"] = tokens
    inside = pretrained is not None and (
        str(pretrained).startswith(HUB) or not is_export(pretrained)
    )
    if inside:
        given["checkpoint"] = str(pretrained)
    plan = make_experiment({**settings, **given, "recipe": recipe_changes})
    folder = folder or Path("zoo") / f"{chosen.short}"
    if folder.exists():
        raise NasError(f"{folder} exists already. Choose another folder with --to, or remove it.")
    if "teacher" in plan.recipe:
        raise NasError(
            "teacher is of a search's recipe, and nas train learns from what its architecture is "
            "cut out of. Give the folder with --from, or leave teacher out."
        )
    recipe = experiment_recipe(plan)
    require_fitting(recipe, chosen)

    from dataclasses import replace

    from nas.data.prepared import TEACHER
    from nas.single.architecture import require_tokenizer, train_architecture, training_state
    from nas.single.exported import ExportedModel
    from nas.teachers.checkpoint import read_checkpoint
    from nas.teachers.space import require_cut
    from nas.training.teaching import make_teacher

    checkpoint = None
    if inside:
        checkpoint = read_checkpoint(pretrained)
        require_cut(chosen, checkpoint.architecture, plan.mixers)
    parent = ExportedModel.open(pretrained) if pretrained and not inside else None
    if parent is not None:
        require_tokenizer(recipe, parent)
        recipe = replace(recipe, tokenizer=str(parent.folder / "tokenizer.json"))
    say = (lambda line: None) if quiet else click.echo
    say(f"{chosen.short}  {chosen.describe()}")
    say("Reading the data and training the tokenizer …")
    data, recipe = prepare_experiment(plan, recipe, checkpoint, say)
    if checkpoint is not None:
        data = replace(data, teacher=training_state(folder) / TEACHER)
        make_teacher(data.teacher, checkpoint, data, recipe, seed=plan.seed, say=say)
    trained = train_architecture(
        chosen,
        plan,
        recipe,
        data,
        folder,
        seeds=tuple(range(plan.seed, plan.seed + seeds)),
        pretrained=parent,
        progress=None if quiet else show_stages(),
        say=say,
    )
    _print_result(trained, data, folder)


def read_changes(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return recipe settings from texts such as "finetune_epochs=3".

    Raises:
        InvalidExperiment: A text has no "=", or what follows it is no YAML.
    """
    from search_spaces.documents import read_yaml
    from search_spaces.errors import InvalidExperiment

    changes = {}
    for text in texts:
        key, sign, value = text.partition("=")
        with contextlib.suppress(InvalidExperiment):
            changes[key.strip()] = read_yaml(value, "--recipe", InvalidExperiment)
        if not sign or key.strip() not in changes:
            raise InvalidExperiment(
                f"--recipe {text!r} is no setting. Write KEY=VALUE, such as finetune_epochs=3."
            )
    return changes


def show_stages() -> Any:
    """Return a function that prints each stage once, when it begins."""
    shown: list[str] = []

    def show(stage: str, share: float) -> None:
        if not shown or shown[-1] != stage:
            shown.append(stage)
            echo(f"  {stage} …")

    return show


def print_scores(
    rows: list[tuple[str, float, float | None, float | None]],
    floors: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Print task, score, deviation over seeds and the score of the majority class.

    Args:
        rows: These, a row a task.
        floors: Task -> what counting words reaches, for a column more; none has no column.
    """
    spread = any(row[2] is not None for row in rows)
    width = max(8, *(len(row[0]) + 2 for row in rows))
    counted = f"{'TF-IDF':>10}" if floors else ""
    echo(f"{'task':<{width}}{'score':>8}{'       ±' if spread else ''}{'majority':>10}{counted}")
    for name, score, deviation, floor in rows:
        shown = f"{'' if deviation is None else f'{deviation:.3f}':>8}" if spread else ""
        words = f"{floors[name]['score']:.3f}" if name in (floors or ()) else "-"
        last = f"{words:>10}" if floors else ""
        majority = "-" if floor is None else f"{floor:.3f}"
        echo(f"{name:<{width}}{score:>8.3f}{shown}{majority:>10}{last}")


def say_who_lost(
    scores: Mapping[str, float], floors: Mapping[str, Mapping[str, float]], *, taught: bool
) -> None:
    """Say of which tasks counting words scores as well as the model, and what to do about it."""
    lost = [name for name, floor in floors.items() if scores[name] <= floor["score"]]
    if not lost:
        return
    listed = ", ".join(f"{name} ({floors[name]['seconds']:.1f} s)" for name in lost)
    advice = (
        "Give it more time, a larger encoder or more examples, or take TF-IDF."
        if taught
        else "Start from a trained encoder instead of from nothing: nas search --from FOLDER "
        "--task … ; or take TF-IDF."
    )
    echo(f"\nTF-IDF with a linear model is at least as good on {listed}. {advice}")


def learnt_from_scored(details: Mapping[str, float], tasks: list[str]) -> list[str]:
    """Return the line that says which scores compare with no others, if any."""
    counts = {name: details.get(f"{name}_transductive") for name in tasks}
    listed = [f"{name} ({count:,.0f})" for name, count in counts.items() if count is not None]
    if not listed:
        return []
    return [
        f"TRANSDUCTIVE: inputs of the development or test examples were learnt from, without "
        f"their labels: {', '.join(listed)}. These scores compare with no others."
    ]


def _print_result(trained: Any, data: Any, folder: Path) -> None:
    from nas.evaluation.majority import majority_score
    from nas.evaluation.mean_score import mean_score

    floors = {t.name: majority_score(t, data.tasks[t.name]) for t in data.rows()}
    ((mean, floor),) = mean_score(floors, include_wnli=set(floors) == {"wnli"}).items()
    rows = [(mean, *trained.score(mean), floor)]
    rows += [(name, *trained.score(name), floor) for name, floor in floors.items()]
    echo()
    print_scores(rows, data.floors)
    say_who_lost(
        {name: trained.score(name)[0] for name in floors},
        data.floors,
        taught=data.teacher is not None,
    )
    from nas.cli.verdict import test_lines

    for line in test_lines(trained.test):
        echo(line)
    first = trained.measurements[0]
    for line in learnt_from_scored(first.details, list(data.tasks)):
        echo(line)
    from nas.training.task_relations import similarity_lines

    for line in similarity_lines(first.details, list(data.tasks)):
        echo(line)
    costs, details = first.costs, first.details
    echo(
        f"\n{costs['parameters']:,.0f} parameters, {costs['flops']:,.0f} FLOPs a sequence, "
        f"latency {costs['latency_ms']:.2f} ms (95 %: {details['latency_p95_ms']:.2f}), "
        f"{costs['peak_memory_mb']:.1f} MB, {first.seconds:.0f} s of training"
    )
    echo(f"Model:    {folder}\nScore it: nas evaluate {quoted(folder)}")
