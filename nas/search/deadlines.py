"""What trials will need: a deadline of several times the predicted seconds, and memory."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from nas.config import Experiment
from nas.evaluation.trial_cost import Description, TrialCost
from search_spaces import load_space

# From so many finished trials on, the prediction is trusted; it is then this often exceeded before
# a trial is taken to hang, and a busy machine may take this long for the smallest of trials.
_TRUSTED_FROM = 5
_TIMES_PREDICTED = 5.0
_LEAST_SECONDS = 60.0
# Learning again from every result would cost more than it brings, and from all of them as well.
_GROWTH = 1.2
_LATEST = 100
_SAMPLED = 64
_DESCRIBED = 1000  # descriptions kept: more than are in flight and learned from


LIMITS = {
    "trial_timeout": "execution.trial_timeout",
    "predicted": f"{_TIMES_PREDICTED:g} times what finished trials let expect",
}


def cost_of(recipe: Mapping[str, Any], model_options: Mapping[str, Any]) -> TrialCost:
    """Return what predicts the trials of a recipe; settings that it lacks take their defaults.

    Where architectures choose their batch, it is the largest: what it needs must fit.
    """
    batches = (recipe.get("open") or {}).get("pretrain_batch")
    names = {
        "tokens": recipe.get("pretrain_tokens"),
        "batch": max(batches) if batches else recipe.get("pretrain_batch"),
        "length": recipe.get("block_length"),
        "vocabulary_size": model_options.get("vocabulary_size"),
        "positions": model_options.get("positions"),
    }
    return TrialCost(**{name: value for name, value in names.items() if value is not None})


def largest_memory_mb(experiment: Experiment, model_options: Mapping[str, Any]) -> float:
    """Return what the largest of a sample of the space will need in training, in 10^6 bytes."""
    cost = cost_of(experiment.recipe, model_options)
    sample = load_space(experiment.space).sample(_SAMPLED, seed=experiment.seed)
    return max(cost.predict(architecture)[1] for architecture in sample)


class Deadlines:
    """Predicts from finished trials how long others take.

    Trials are rows of the record: "hash", "architecture", "fidelity" and, once done, "seconds" and
    "details".

    Args:
        limit: Seconds that no trial may exceed, `execution.trial_timeout`.
        cost: Predicts a trial's seconds.
    """

    def __init__(self, limit: float, cost: TrialCost):
        self._limit, self._cost = limit, cost
        self._finished: deque[dict[str, Any]] = deque(maxlen=_LATEST)
        # Of trials that run or ran lately: asked for when one starts, and when it is learned from.
        self._described: dict[tuple[str, float], Description] = {}
        self._count = self._learned = 0

    def add(self, record: Mapping[str, Any]) -> None:
        """Enter a trial that is done."""
        names = ("hash", "architecture", "fidelity", "seconds", "details")
        self._finished.append({name: record.get(name) for name in names})
        self._count += 1

    def of(self, record: Mapping[str, Any]) -> tuple[float, str]:
        """Return a trial's seconds, and what they follow from: "trial_timeout" or "predicted".

        A prediction is multiplied by "deadline_scale", if what a retry "adjusted" has it.
        """
        if self._count < _TRUSTED_FROM or self._limit <= _LEAST_SECONDS:
            return self._limit, "trial_timeout"
        if self._count >= _GROWTH * self._learned:
            self._cost.fit([{**row, "architecture": self._of(row)} for row in self._finished])
            self._learned = self._count
        predicted = self._cost.predict(self._of(record))[0]
        scale = record.get("adjusted", {}).get("deadline_scale", 1.0)
        seconds = scale * max(_LEAST_SECONDS, _TIMES_PREDICTED * predicted)
        if seconds >= self._limit:
            return self._limit, "trial_timeout"
        return round(seconds, 1), "predicted"

    def memory_mb(self, record: Mapping[str, Any]) -> float:
        """Return the memory that a trial is predicted to need, in 10^6 bytes."""
        return self._cost.predict(self._of(record))[1]

    def _of(self, record: Mapping[str, Any]) -> Description:
        key = record["hash"], record["fidelity"]
        if key not in self._described:
            while len(self._described) >= _DESCRIBED:
                del self._described[next(iter(self._described))]
            self._described[key] = self._cost.describe(record["architecture"], record["fidelity"])
        return self._described[key]
