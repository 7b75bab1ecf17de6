"""Whether anything that a run trained meets its constraints, and how near the nearest comes."""

from typing import TYPE_CHECKING, Any

from nas.evaluation.measured import values_of
from nas.runs.endings import EXIT_CODES, NOTHING_FINISHED, NOTHING_MEETS
from search_spaces.constraints import Constraint, parse_constraint
from search_spaces.errors import quoted

if TYPE_CHECKING:
    from nas.runs.directory import Run


def unmet(run: "Run") -> str | None:
    """Return in words that no finished trial meets the run's constraints; None if one does.

    None too where none was asked for, or nothing has finished: that is no fault of a constraint.
    """
    constraints = [parse_constraint(text) for text in run.experiment.constraints]
    if not constraints:
        return None
    nearest: dict[Constraint, tuple[float, int]] = {}  # value and trial
    done = 0
    for record in run.journal.each_trial():
        if record["status"] != "done":
            continue
        done += 1
        values = values_of(record, seconds=True)
        if all(_meets(constraint, values) for constraint in constraints):
            return None
        for constraint in constraints:
            value = values.get(constraint.metric)
            best = nearest.get(constraint)
            if value is not None and (best is None or constraint.sign * (value - best[0]) < 0):
                nearest[constraint] = (value, record["trial"])
    if not done:
        return None
    wanted = " and ".join(run.experiment.constraints)
    found = ", ".join(
        f"{constraint.metric} {value:.4g} (trial {trial})"
        for constraint, (value, trial) in nearest.items()
    )
    none_of = f"None of the {done} finished trials meets" if done > 1 else "The trial does not meet"
    return (
        f"{none_of} {wanted}; the nearest: {found or 'not measured'}. "
        f"Loosen it, nothing is trained twice: nas resume {quoted(run.directory)} --constraint …; "
        f"or search on: nas resume {quoted(run.directory)} --trials +20"
    )


def _meets(constraint: Constraint, values: dict[str, Any]) -> bool:
    value = values.get(constraint.metric)
    return value is not None and constraint.allows(value)


def exit_code(run: "Run", reason: str, default: int | None = None) -> int:
    """Return the exit code of a search that ended for `reason`.

    Args:
        run: What it made.
        reason: A key of `nas.runs.endings.ENDINGS`.
        default: For another reason; None takes it for a fault.
    """
    code = EXIT_CODES[reason] if default is None else EXIT_CODES.get(reason, default)
    if code == 0 and all_failed(run):
        return NOTHING_FINISHED
    return NOTHING_MEETS if code == 0 and unmet(run) else code


def all_failed(run: "Run") -> str | None:
    """Return in words that every trial of a run failed; None if one finished, or none ended."""
    counts = run.journal.counts()
    if counts["done"] or not counts["failed"]:
        return None
    again = quoted(run.directory)
    what = "The trial" if counts["failed"] == 1 else f"Each of the {counts['failed']} trials"
    return (
        f"{what} failed. See why: nas trials {again} --where \"status == 'failed'\"; when it is "
        f"mended, go on with: nas resume {again} --trials +{counts['failed']}"
    )
