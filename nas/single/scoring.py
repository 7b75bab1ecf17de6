"""Scoring an exported model on a data source, and answering its test sets."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nas.data.encoding import encode_split
from nas.data.own.reading import read_for, read_own_task
from nas.data.prepared import TEST
from nas.data.sentences import read_sentences
from nas.data.tables import Split, TaskData
from nas.evaluation.majority import majority_score
from nas.evaluation.mean_score import mean_score
from nas.evaluation.metrics import task_score
from nas.evaluation.submission import DIAGNOSTIC, submission_name, write_predictions
from nas.evaluation.suites.glue import glue_task, glue_tasks
from nas.evaluation.suites.own import TaskSettings
from nas.evaluation.suites.task import Task
from nas.single.exported import (
    ExportedModel,
    answer,
    encode_for,
    finetune_exported,
    read_tasks,
    score_heads,
)
from nas.single.per_class import PerClass, per_class
from nas.training.prediction import predict
from nas.training.recipe import Recipe
from nas.training.watch import StageCallback
from search_spaces.errors import InvalidData, NasError, UnknownName

# The diagnostic set lies beside the folders of the tasks.
_DIAGNOSTIC_FILE = "diagnostic.tsv"


@dataclass
class Scored:
    """What scoring gave.

    Attributes:
        scores: Task name -> its one number, larger is better.
        deviations: The standard deviation over fine-tuning seeds, where there are several.
        floors: Task name -> the score of the majority class.
        written: Files of predictions.
        by_class: Where the model is wrong, of each own task, if asked for.
        notes: Lines for people.
    """

    scores: dict[str, float] = field(default_factory=dict)
    deviations: dict[str, float] = field(default_factory=dict)
    floors: dict[str, float] = field(default_factory=dict)
    written: list[Path] = field(default_factory=list)
    by_class: list[PerClass] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def rows(self) -> list[tuple[str, float, float | None, float]]:
        """Return task, score, deviation and floor, the mean of all first."""
        with_wnli = set(self.scores) == {"wnli"}
        ((name, mean),) = mean_score(self.scores, include_wnli=with_wnli).items()
        (floor,) = mean_score(self.floors, include_wnli=with_wnli).values()
        return [(name, mean, None, floor)] + [
            (name, score, self.deviations.get(name), self.floors[name])
            for name, score in self.scores.items()
        ]


def score_model(
    model: ExportedModel,
    data: str,
    recipe: Recipe,
    *,
    tasks: list[str] | None,
    seed: int,
    finetune: bool,
    submission: Path | None = None,
    own: Sequence[TaskSettings] = (),
    progress: StageCallback | None = None,
    by_class: bool = False,
) -> Scored:
    """Score `model` on the development sets of a data source.

    Args:
        model: The exported folder.
        data: "glue-mini", "hub" or a directory of GLUE files.
        recipe: How to fine-tune, and how long sequences are.
        tasks: Names; None takes those the model has, or else those of the recipe.
        seed: Of the generated data, and of fine-tuning.
        finetune: Fine-tune the encoder instead of scoring the fine-tuned models.
        submission: Folder for predictions on the test sets; None writes none.
        own: Files of the user's own tasks; with one file, this file is scored.
        progress: Called with each task and the share of it done.
        by_class: Say of the user's own tasks where the model is wrong, too.

    Raises:
        NasError: The data, the tasks or the model cannot be used.
    """
    if own:
        source = _own_source(model, own, seed, finetune=finetune)
    else:
        names = _names(model, recipe, tasks, finetune=finetune)
        source = read_tasks(data, names, seed, test=submission is not None)
    if by_class and (finetune or not own):
        raise NasError(
            "--per-class, --wrong and --json read the answers of a fine-tuned model to a task of "
            "your own. Name its file with --task FILE, and leave --finetune out."
        )
    if submission is not None and not any(task.test for task in source.values()):
        raise InvalidData(
            f"The data {data!r} has no test sets of {', '.join(source)}. Give --data a directory "
            "with the official test files, or leave out --submission."
        )
    prepared = encode_for(model, source, recipe, seed)
    recipe = replace(recipe, tasks=tuple(source), own_tasks=tuple(prepared.own))
    floors = {t.name: majority_score(t, prepared.tasks[t.name]) for t in prepared.rows()}
    found = Scored(floors=floors)
    answers: dict[tuple[str, str], np.ndarray] = {}
    unlabelled = {name: _unlabelled(data, source[name]) for name in source} if submission else {}
    if finetune:

        def keep(task: Task, encoder, head, result) -> None:
            for split, sentences in unlabelled.get(task.name, {}).items():
                encoded = encode_split(model.tokenizer, sentences, recipe.max_length)
                answers[task.name, split] = predict(
                    encoder, head, task, encoded, scale=result.scale
                )

        results = finetune_exported(
            model, prepared, recipe, seed=seed, progress=progress, keep=keep
        )
        for name, result in results.items():
            found.scores[name] = result.score
            if len(result.runs) > 1:
                found.deviations[name] = result.details(name)[f"{name}_deviation"]
    else:
        scored = score_heads(model, prepared, recipe)
        for task in prepared.rows():
            found.scores[task.name] = task_score(task, scored[task.name])
            found.notes += _details(task, scored[task.name])
            if by_class and task.own:
                for part in source[task.name].dev.values():
                    found.by_class.append(per_class(model, task, part, recipe, seed=seed))
            if TEST in prepared.tasks[task.name]:
                found.notes += _details(task, {TEST: scored[task.name][TEST]}, f", {TEST}")
        for name, splits in unlabelled.items():
            for split, sentences in splits.items():
                answers[name, split] = answer(model, glue_task(name), sentences, recipe)
    if submission is not None:
        _write(found, submission, answers)
    return found


def _own_source(
    model: ExportedModel, own: Sequence[TaskSettings], seed: int, *, finetune: bool
) -> dict[str, TaskData]:
    """Return what files of own tasks hold: as the model knows them, or to train on anew."""
    if finetune:
        return {task.name: read_own_task(task, seed).data for task in own}
    found = {}
    for task in own:
        known = task.name in model.tasks
        if not known and (len(own) > 1 or len(model.tasks) > 1):
            raise UnknownName("fine-tuned task of this model", task.name, model.tasks)
        name = task.name if known else model.tasks[0]  # the only one there is, whatever the file
        found[name] = read_for(model.row(name), task)
    return found


def _details(task: Task, splits: dict[str, dict[str, float]], more: str = "") -> list[str]:
    """Return a line with each metric of a user's own task."""
    if not task.own:
        return []
    return [
        f"{task.name}{more}: " + ", ".join(f"{k} {v:.3f}" for k, v in metrics.items())
        for split, metrics in splits.items()
        if split in task.dev or more
    ]


def _names(
    model: ExportedModel, recipe: Recipe, tasks: list[str] | None, *, finetune: bool
) -> list[str]:
    names = [task.name for task in glue_tasks(tasks)] if tasks else []
    if finetune:
        return names or list(model.tasks or recipe.tasks)
    for name in names:
        if name not in model.tasks:
            raise UnknownName("fine-tuned task of this model", name, model.tasks)
    return names or list(model.tasks)


def _unlabelled(data: str, task: TaskData) -> dict[str, Split]:
    """Return the test splits of a task; MNLI answers the diagnostic set too where it lies there."""
    splits = dict(task.test)
    path = Path(data) / _DIAGNOSTIC_FILE
    if task.name == "mnli" and path.is_file():
        splits[DIAGNOSTIC] = read_sentences(path, glue_task("mnli"))
    return splits


def _write(found: Scored, submission: Path, answers: dict[tuple[str, str], np.ndarray]) -> None:
    for (name, split), values in answers.items():
        task = glue_task(name)
        path = submission / submission_name(task, split)
        write_predictions(path, task, values)
        found.written.append(path)
    whole = [submission_name(task, split) for task in glue_tasks() for split in task.test]
    missing = [name for name in [*whole, f"{DIAGNOSTIC}.tsv"] if not (submission / name).exists()]
    if missing:
        found.notes.append(
            f"The GLUE server wants all of its files in one archive; missing: {', '.join(missing)}."
        )
