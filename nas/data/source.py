"""The one door to data: generated, from a directory, or from the hub; the same tables behind it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from nas.data.glue import available_tasks, read_task
from nas.data.tables import Split, TaskData
from nas.evaluation.suites.glue import GLUE, Task, glue_tasks
from search_spaces.errors import InvalidData

HUB_DATASET = "nyu-mll/glue"
_UNLABELLED = -1

Source = tuple[dict[str, TaskData], list[Path] | None]


def load_source(
    name: str | Path,
    tasks: Sequence[str] | None = None,
    *,
    cache_directory: str | Path,
    seed: int = 0,
    test: bool = False,
) -> Source:
    """Return the tasks of a data source, and the corpus files that come with it, if any.

    Args:
        name: "glue-mini" (generated), "hub" (downloaded), or a directory of official GLUE files.
        tasks: Names of tasks; None takes all that the source has.
        cache_directory: Where "glue-mini" may be written.
        seed: Seed of "glue-mini".
        test: Read the unlabelled test sets too, where there are any.

    Raises:
        UnknownName: A task that GLUE does not have.
        InvalidData: The source is missing, malformed, or cannot be downloaded.
    """
    wanted = [task.name for task in glue_tasks(tasks)] if tasks else None
    loader: Callable[[], Source] | None = {
        "glue-mini": lambda: _generated(wanted, Path(cache_directory), seed),
        "hub": lambda: (_from_hub(wanted, test=test), None),
    }.get(str(name))
    if loader is not None:
        return loader()
    directory = Path(name)
    if not directory.is_dir():
        raise InvalidData(
            f"There is no data {str(name)!r}. Give glue-mini, hub, or a directory in the official "
            f"GLUE layout (folders such as CoLA and RTE)."
        )
    names = wanted or available_tasks(directory)
    return {name: read_task(directory, name, test=test) for name in names}, None


def _generated(wanted: list[str] | None, cache: Path, seed: int) -> Source:
    from nas.data.glue_mini import write_glue_mini

    directory = write_glue_mini(cache / "glue-mini", seed=seed, tasks=wanted)
    names = wanted or available_tasks(directory)
    return {name: read_task(directory, name) for name in names}, [directory / "corpus.txt"]


def _from_hub(wanted: list[str] | None, *, test: bool) -> dict[str, TaskData]:
    try:
        import datasets
    except ImportError:
        raise InvalidData(
            "--data hub needs the datasets library. Run: pip install 'encoder-nas[hub]'"
        ) from None
    return {name: _download(datasets, GLUE[name], test=test) for name in wanted or GLUE}


def _download(datasets: ModuleType, task: Task, *, test: bool) -> TaskData:
    try:
        splits = datasets.load_dataset(HUB_DATASET, task.name)
    except Exception as error:  # the library raises whatever its transport raised
        raise InvalidData(
            f"Task {task.name!r} could not be downloaded from the hub: {error}. Check the network, "
            "or give a directory of the official files with --data DIR."
        ) from None
    # The hub calls MNLI's two development sets validation_matched and validation_mismatched.
    names = (
        {"validation": "dev"} if len(task.dev) == 1 else {f"validation_{d}": d for d in task.dev}
    )
    return TaskData(
        name=task.name,
        train=_split(splits["train"], task),
        dev={ours: _split(splits[theirs], task) for theirs, ours in names.items()},
        test={
            name: _unlabelled(splits[name if name == "test" else f"test_{name}"])
            for name in task.test
            if test
        },
    )


def _unlabelled(rows: object) -> Split:
    columns = [c for c in rows.column_names if c not in ("label", "idx")]
    second = list(rows[columns[1]]) if len(columns) > 1 else None
    return Split(list(rows[columns[0]]), second, None)


def _split(rows: object, task: Task) -> Split:
    """Return a split of the hub; its labels are numbers in an order of its own, told by name."""
    columns = [c for c in rows.column_names if c not in ("label", "idx")]
    labels = np.asarray(rows["label"])
    if task.labels:
        # By name: the hub may number classes in another order than the files name them.
        names = rows.features["label"].names
        known = {name: task.labels.index(name) for name in names if name in task.labels}
        order = np.array([known.get(name, position) for position, name in enumerate(names)])
        labels = order[labels[labels != _UNLABELLED]].astype(np.int64)
    else:
        labels = labels.astype(np.float32)
    second = list(rows[columns[1]]) if len(columns) > 1 else None
    return Split(list(rows[columns[0]]), second, labels)
