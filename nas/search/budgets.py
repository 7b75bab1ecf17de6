"""When a search ends: enough trials, time, GPU-hours, money, or no progress any more."""

from nas.config import Experiment
from nas.search.tally import Tally

# This many failures with one message, and no success, mean that the search itself is at fault.
FAILING_ALIKE = 3


# Plain encoders that are trained beside finalists: see `nas.single.baselines`.
_BASELINES = 2


def finalist_trainings(experiment: Experiment) -> int:
    """Return how many trainings of usual length follow the search, at most."""
    if not experiment.finalists:
        return 0
    trainings = (experiment.finalists + _BASELINES) * experiment.finalist_seeds
    return trainings * experiment.finalist_longer


def settled(experiment: Experiment, tally: Tally) -> str | None:
    """Return why the results so far end the search, or None: the same for the same results."""
    counts = tally.counts
    if not counts["done"] and counts["failed"] >= FAILING_ALIKE and len(tally.first_errors) == 1:
        return "failing"
    if experiment.patience is not None and tally.without_gain >= experiment.patience:
        return "patience"
    return None


def spent(
    experiment: Experiment,
    tally: Tally,
    *,
    elapsed: float,
    fidelity: float,
    gpus: float,
    capacity: int = 1,
) -> str | None:
    """Return which budget a trial of usual length started now would overrun, or None.

    Args:
        experiment: Sets the budgets.
        tally: What was used.
        elapsed: Seconds that drivers have spent on the run.
        fidelity: Of the trial.
        gpus: Share of a GPU that a trial reserves.
        capacity: How many trials run at once.
    """
    usual = tally.usual_seconds(fidelity)
    after = tally.usual_seconds(1.0) * finalist_trainings(experiment)
    if experiment.time is not None:
        # Finalists are no reason to search for less than half of the time.
        kept = min(after / max(1, capacity), experiment.time / 2)
        if elapsed + usual > experiment.time - kept:
            return "time"
    # Trials in flight are not counted as spent yet, but will be.
    coming = usual * (tally.counts["running"] + 1) + after
    if experiment.gpu_hours is not None:
        hours = (tally.gpu_seconds + coming * gpus) / 3600
        if hours > experiment.gpu_hours:
            return "gpu_hours"
    if experiment.cost is not None:
        price = experiment.price_per_hour or 0.0
        if (tally.trial_seconds + coming) / 3600 * price > experiment.cost:
            return "cost"
    return None
