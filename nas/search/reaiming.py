"""Extending or re-aiming a run: more of a budget, other objectives, other constraints.

What was trained stays and is told to the policy again; nothing is trained twice.
"""

import json
from collections.abc import Mapping
from typing import Any

from nas.config import Experiment, make_experiment, parse_constraint, write_experiment
from nas.evaluation.measured import values_of
from nas.runs.directory import Run
from nas.search.preconditions import require_possible
from nas.setting_types import parse_seconds
from search_spaces.errors import InvalidExperiment

# Those of a policy: where one changes, it is another policy that knows the old results.
AIMS = ("objectives", "constraints")
_MOST_DIGITS = 18


def more_trials(text: str, planned: int) -> int:
    """Return the number of trials that `text`, "80" or "+50", asks for.

    Raises:
        InvalidExperiment: The text is no such number.
    """
    number = text.removeprefix("+")
    # Python reads no number of thousands of digits, and no search comes to one
    if not number.isdecimal() or len(number) > _MOST_DIGITS or int(number) < 1:
        raise InvalidExperiment(
            f"{text[:60]!r} is no number of trials. Write 80 for 80 in all, or +50 for 50 more "
            f"than the {planned} planned."
        )
    return int(number) + (planned if text.startswith("+") else 0)


def changed(run: Run, changes: Mapping[str, Any]) -> Experiment:
    """Return the run's experiment with `changes`.

    Args:
        run: What to continue.
        changes: Settings of the experiment, of which "trials" may be text such as "+50" and "time"
            counts from now on; and "execution", of which only what is given changes.

    Raises:
        InvalidExperiment: A change that is not allowed, or objectives that old results lack.
    """
    settings = run.experiment.model_dump(mode="json")
    changes = dict(changes)
    if "trials" in changes:
        changes["trials"] = more_trials(str(changes["trials"]), settings["trials"])
    if "time" in changes:
        changes["time"] = run.journal.elapsed() + parse_seconds(changes["time"])
    if "execution" in changes:
        changes["execution"] = {**settings["execution"], **changes["execution"]}
    experiment = make_experiment({**settings, **changes})
    wanted = (*experiment.objectives, *(parse_constraint(c)[0] for c in experiment.constraints))
    for record in run.journal.each_trial():
        values = values_of(record, seconds=True)
        missing = [name for name in wanted if name not in values]
        if record["status"] == "done" and missing:
            raise InvalidExperiment(
                f"Trial {record['trial']} of {str(run.directory)!r} has no {missing[0]!r}, so the "
                f"run cannot be aimed at it. It measured: {', '.join(sorted(values))}."
            )
    return experiment


def reaim(run: Run, changes: Mapping[str, Any]) -> Experiment:
    """Store and record `changes`; return the experiment from here on.

    Raises:
        InvalidExperiment: As `changed`; then nothing is stored.
    """
    after = changed(run, changes) if changes else run.experiment
    require_possible(after, changes)
    settings = after.model_dump(mode="json")
    write_experiment(after, run.directory / "experiment.yaml")
    now = {name: settings[name] for name in AIMS}
    recorded = run.journal.json_meta("aim", {}) or now
    with run.journal.together():
        # Compared with the record, not with the file: a driver may have died between the two.
        if recorded != now:
            run.journal.decided("aim", before=recorded, after=now)
        run.journal.set_meta("aim", json.dumps(now))
        run.journal.set_meta("objectives", json.dumps(now["objectives"]))
        if changes:
            run.journal.decided("extend", **{name: settings[name] for name in changes})
    run.__dict__["experiment"] = after
    return after
