"""AdvGLUE: what an exported model scores on changed sentences, and how far below the unchanged."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nas.data.adversarial import read_adversarial
from nas.evaluation.bootstrap import interval
from nas.evaluation.metrics import score
from nas.evaluation.suites.advglue import ITEMS, TASKS, TITLE
from nas.evaluation.suites.glue import GLUE
from nas.single.exported import ExportedModel, answer
from nas.single.suites.base import SUITE_SCORERS, EvaluationSuite, Row, SuiteScores
from nas.training.recipe import Recipe
from nas.training.watch import StageCallback
from search_spaces.errors import InvalidExperiment, NasError, quoted

# Task -> split -> answers and right answers, each `(n,)`.
Answered = Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]]


class AdvGLUE(EvaluationSuite):
    """Answers of the folder's fine-tuned models; nothing is trained."""

    name, title, needs = "advglue", TITLE, "its dev.json"

    def score(
        self,
        model: ExportedModel,
        place: Path,
        recipe: Recipe,
        *,
        limit: int | None = None,
        seed: int = 0,
        progress: StageCallback | None = None,
    ) -> SuiteScores:
        if limit is not None:
            raise InvalidExperiment(
                f"AdvGLUE has {ITEMS} items and is always asked whole: leave --limit out."
            )
        parts = read_adversarial(place)
        names = [name for name in TASKS if name in parts and name in model.tasks]
        if not names:
            raise NasError(
                f"{model.folder} has no fine-tuned model of {', '.join(TASKS)}, only of "
                f"{', '.join(model.tasks) or 'none'}. Train one: nas train {quoted(model.folder)} "
                f"--data GLUE_DIR --tasks {','.join(TASKS)}"
            )
        answered = {}
        for name in names:
            if progress is not None:
                progress(name, 0.0)
            answered[name] = {
                split: (answer(model, GLUE[name], items, recipe), items.labels)
                for split, items in parts[name].items()
            }
        return summary(answered, clean_scores(model), seed=seed)


def clean_scores(model: ExportedModel) -> dict[str, float]:
    """Return what the card says that the fine-tuned models score on the development data."""
    measured = model.facts.get("exported_scores") or model.facts.get("scores") or {}
    return {
        name: float(value)
        for name, value in measured.items()
        if name in TASKS and isinstance(value, int | float)
    }


def summary(answered: Answered, clean: Mapping[str, float], *, seed: int = 0) -> SuiteScores:
    """Return the scores of answers, with intervals and the gap to unchanged sentences.

    Args:
        answered: Answers of some of the suite's tasks.
        clean: Task -> score on unchanged sentences, as far as it is known.
        seed: Of the intervals.
    """
    tasks = [
        Row(
            name,
            mean_of({name: parts}),
            sum(len(labels) for _, labels in parts.values()),
            _interval({name: parts}, seed),
            clean.get(name),
        )
        for name, parts in answered.items()
    ]
    known = [clean[name] for name in answered if name in clean]
    items = sum(row.items for row in tasks)
    whole = Row(
        AdvGLUE.name,
        mean_of(answered),
        items,
        _interval(answered, seed),
        float(np.mean(known)) if len(known) == len(answered) else None,
    )
    notes = []
    absent = [name for name in TASKS if name not in answered]
    if absent:
        notes.append(
            f"Not asked: {', '.join(absent)}, of which this folder has no fine-tuned model or the "
            "file no items; the mean is over the others, and is not AdvGLUE's."
        )
    elif items != ITEMS:
        notes.append(f"The file has {items} items; the published one has {ITEMS}.")
    notes.append(
        "Clean is what the card of the model says of its development data. AdvGLUE is for "
        "evaluation only: choose nothing by it."
    )
    return SuiteScores((whole, *tasks), tuple(notes))


def mean_of(answered: Answered, rows: Sequence[np.ndarray] | None = None) -> float:
    """Return the mean over tasks, each the mean of its parts, each the mean of its metrics.

    Args:
        answered: Answers.
        rows: The places of the items that count, one array a part; None counts all once.
    """
    chosen = iter(rows or ())
    found = []
    for name, parts in answered.items():
        each = []
        for answers, labels in parts.values():
            places = slice(None) if rows is None else next(chosen)
            each.append(np.mean(list(score(GLUE[name], answers[places], labels[places]).values())))
        found.append(np.mean(each))
    return float(np.mean(found))


def _interval(answered: Answered, seed: int) -> tuple[float, float]:
    sizes = [len(labels) for parts in answered.values() for _, labels in parts.values()]
    return interval(lambda rows: mean_of(answered, rows), sizes, seed=seed)


SUITE_SCORERS.register(AdvGLUE.name)(AdvGLUE())
