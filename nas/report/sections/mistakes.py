"""Where the best model is wrong on the user's own tasks: by class, what for what, the worst."""

from nas.evaluation.class_figures import MOST_NAMES
from nas.evaluation.mistakes import Mistakes
from nas.printable import counted
from nas.report import blocks
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot
from nas.runs.mistakes import trial_mistakes
from search_spaces.errors import quoted

_TITLE = "Where the best one is wrong"
_GROUPS = {"class": ("class", "classes"), "label": ("label", "labels"), "kind": ("kind", "kinds")}


@SECTIONS.register("mistakes")
def mistakes(snapshot: Snapshot) -> Section | None:
    """Return figures of each class and the worst answers; None of a run without own tasks."""
    if not snapshot.own_tasks:
        return None
    record = snapshot.records[snapshot.best]
    found = trial_mistakes(snapshot.directory, record["hash"], record["fidelity"])
    who = f"Trial {record['trial']}, the best of the search"
    if not found:
        return Section(_TITLE, f"{who}: {absent(str(quoted(snapshot.directory)))}")
    parts = [
        block
        for task, splits in found.items()
        for split, one in splits.items()
        for block in _blocks(task if len(splits) == 1 else f"{task}, {split}", one)
    ]
    return Section(
        _TITLE,
        f"{who}, on the development examples that the search chose by, which it was not trained "
        "on. Texts are shortened.",
        parts,
    )


def absent(place: str) -> str:
    """Return why nothing is shown, and how to have it."""
    return (
        "where it is wrong was not kept, as of a run of an older version. Have it with: nas export "
        f"{place} --to zoo/best, then nas evaluate zoo/best --task FILE --per-class"
    )


def _blocks(task: str, one: Mistakes) -> list[blocks.Block]:
    return [
        blocks.note(f"{task}: {summary(one)}"),
        *_by_class(task, one),
        *_confused(task, one),
        *_worst(task, one),
    ]


def summary(one: Mistakes) -> str:
    """Return in words how many answers are wrong, and which class is told apart worst."""
    if one.wrong is None:
        return f"{counted(one.examples, 'example')}, off by {one.mean_error:.4g} on the average."
    text = f"{one.wrong:,} of {counted(one.examples, 'example')} answered wrongly."
    if one.wrong and one.figures:
        figures, name = min(zip(one.figures, one.names, strict=True), key=lambda pair: pair[0].f1)
        text += f" Told apart worst: {name} (F1 {figures.f1:.3f} of {figures.support:,})."
    if one.confused:
        right, said, count = one.confused[0]
        text += f" Most often {right} was answered as {said}: {blocks.times(count)}."
    return text


def _by_class(task: str, one: Mistakes) -> list[blocks.Block]:
    if not one.names:
        return []
    single, many = _GROUPS[one.what]
    title = f"{task}: each {single}"
    if one.names_in_all > len(one.names):
        title = (
            f"{task}: the {MOST_NAMES} of {one.names_in_all:,} {many} with the lowest F1; all "
            "others have a higher one"
        )
    rows = [
        [name, *(f"{v:.3f}" for v in (of.precision, of.recall, of.f1)), of.support]
        for name, of in zip(one.names, one.figures, strict=True)
    ]
    columns = [single, "precision", "recall", "F1", "examples" if single != "kind" else "entities"]
    return [blocks.table(columns, rows, title=title, text_columns=(single,))]


def _confused(task: str, one: Mistakes) -> list[blocks.Block]:
    if one.table:
        rows = [[name, *row] for name, row in zip(one.names, one.table, strict=True)]
        return [
            blocks.table(
                ["right ↓ answered →", *one.names],
                rows,
                title=f"{task}: what was answered",
                text_columns=("right ↓ answered →",),
            )
        ]
    if not one.confused:
        return []
    left_out = one.confused_in_all - len(one.confused)
    title = f"{task}: what was taken for what"
    if left_out:
        title += f", the {len(one.confused)} most frequent of {one.confused_in_all:,} pairs"
    return [
        blocks.table(
            ["right", "answered", "times"],
            [list(pair) for pair in one.confused],
            title=title,
            text_columns=("right", "answered"),
        )
    ]


def _worst(task: str, one: Mistakes) -> list[blocks.Block]:
    if not one.worst:
        return []
    number = one.wrong is None
    title = "the largest errors" if number else "wrong, the surest first"
    rows = [
        [
            row.text or f"development example {row.example:,}",
            row.right,
            row.answer,
            f"{row.value:.4g}" if number else f"{row.value:.3f}",
        ]
        for row in one.worst
    ]
    columns = ["text", "right", "answered", "off by" if number else "sure"]
    title = f"{task}: {title}"
    return [
        blocks.table(
            columns, rows, title=title, text_columns=tuple(columns[:3]), read_column="text"
        )
    ]
