"""The test part of a user's own tasks: scored when nothing is left to choose, and counted.

Every look at it makes its score a little less honest, so that each is noted in the run.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.data.prepared import TEST
from nas.data.prepared_files import read_index
from nas.runs.directory import Run
from nas.whole_files import write_whole
from search_spaces.documents import read_json_file
from search_spaces.errors import InvalidData

FILE = "test.json"


@dataclass(frozen=True)
class TestScores:
    """What one trial's models reach on the test part.

    Attributes:
        trial: Its number.
        scores: Task -> metric -> value.
        looks: How many encoders of the run were scored on it so far, this one included.
    """

    __test__ = False  # no test case, whatever its name

    trial: int
    scores: dict[str, dict[str, float]]
    looks: int


def has_test(run: Run) -> list[str]:
    """Return the tasks of a run that have a test part with labels."""
    if run.experiment.execution.trial_function is not None or not run.experiment.own_tasks:
        return []
    try:
        tasks = read_index(run.directory / "data")["tasks"]
    except InvalidData:
        return []
    return [name for name in run.experiment.task_names if TEST in tasks.get(name, ())]


def test_scores(run: Run) -> TestScores | None:
    """Return the scores of a run's best trial on the test part; None where there is none.

    The models are fine-tuned again from the trial's weights, as an export does; what was found is
    kept, so that asking again trains nothing.

    Raises:
        RunError: The trial's weights are gone.
        TrialError: Training became unstable.
    """
    tasks = has_test(run)
    if not tasks or run.pareto().empty:
        return None
    from nas.single.trials import task_models_of

    number = int(run.pick("best")["trial"])
    known = _read(run.directory / FILE)
    key = str(number)
    if key not in known:
        record = next(r for r in run.journal.trials() if r["trial"] == number)
        known[key] = {m.task.name: dict(m.test) for m in task_models_of(run, record, tasks)}
        write_whole(run.directory / FILE, json.dumps(known, indent=1))
    return TestScores(number, known[key], len(known))


test_scores.__test__ = False


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    found = read_json_file(path, InvalidData)
    good = isinstance(found, dict) and all(
        isinstance(tasks, dict)
        and all(
            isinstance(values, dict) and all(isinstance(v, float) for v in values.values())
            for values in tasks.values()
        )
        for tasks in found.values()
    )
    if not good:
        raise InvalidData(f"{path} holds no scores. Remove it to have them made again.")
    return found
