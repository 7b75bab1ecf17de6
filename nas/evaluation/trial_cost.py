"""How long a trial will take and how much memory it needs, from the architecture alone.

For packing trials on a device and for deadlines. Formulas give a first answer; finished trials
correct it by a small ridge regression on the logarithms.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from search_spaces import Architecture, count_flops, count_parameters
from search_spaces.architectures.size import count_kept

# Before anything is measured: a processor core's sustained rate, and the fixed cost of each
# operation of a layer, of which a step has a few dozen.
_FLOPS_PER_SECOND = 2e10
_SECONDS_PER_LAYER_STEP = 1e-3
# A step costs a forward pass and a backward pass of twice its work.
_PASSES = 3
# Weights, gradients and the two moments of AdamW, in single precision.
_BYTES_PER_PARAMETER = 16
# Tensors as wide as the layer that a layer keeps for its backward pass.
_KEPT_PER_LAYER = 12
# How strongly the regression holds to the formulas: as much as so many trials.
_RIDGE = 1.0


@dataclass(frozen=True)
class Description:
    """What of a trial decides its cost; taking it costs more than predicting from it.

    Attributes:
        features: What the regression is on.
        logs: Logarithms of what the formulas say: seconds, and memory in 10^6 bytes.
    """

    features: tuple[float, ...]
    logs: tuple[float, float]


@dataclass
class TrialCost:
    """Predicts seconds and memory of trials of one recipe.

    Attributes:
        tokens: Pre-training budget at fidelity 1.
        other_tokens: Tokens of fine-tuning and scoring, which no fidelity changes.
        batch: Sequences in a step.
        length: Tokens of a sequence.
        vocabulary_size: Entries of the tokenizer.
        positions: "absolute" or "relative".
    """

    tokens: int = 320_000
    other_tokens: int = 400_000
    batch: int = 16
    length: int = 32
    vocabulary_size: int = 1_024
    positions: str = "relative"
    _weights: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    _centre: np.ndarray | None = field(default=None, repr=False)

    def fit(self, rows: Iterable[Mapping[str, Any]]) -> "TrialCost":
        """Learn from finished trials; return this.

        Args:
            rows: With "architecture" (an `Architecture`, its dictionary or the trial's
                `Description`) and, where known, "fidelity" (1 without it), "seconds" and, there or
                in "details", "training_memory_mb". Rows whose "status" is another than "done", and
                values that are missing or not positive, are left out.
        """
        rows = [row for row in rows if row.get("status", "done") == "done"]
        if not rows:
            return self
        described = [
            self.describe(row["architecture"], float(row.get("fidelity") or 1.0)) for row in rows
        ]
        features = np.array([one.features for one in described])
        self._centre = features.mean(axis=0)
        centred = _with_one(features - self._centre)
        priors = np.array([one.logs for one in described])
        for column, name in enumerate(("seconds", "training_memory_mb")):
            values = np.array([_value(row, name) for row in rows])
            known = np.isfinite(values)
            if known.any():
                gap = np.log(values[known]) - priors[known, column]
                self._weights[name] = _ridge(centred[known], gap)
        return self

    def predict(
        self, architecture: Architecture | Description, fidelity: float = 1.0
    ) -> tuple[float, float]:
        """Return the seconds a trial will take, and the memory it needs in 10^6 bytes."""
        described = self.describe(architecture, fidelity)
        logs = list(described.logs)
        if self._centre is not None:
            row = _with_one(np.array([described.features]) - self._centre)[0]
            for column, name in enumerate(("seconds", "training_memory_mb")):
                if name in self._weights:
                    logs[column] += float(row @ self._weights[name])
        return math.exp(logs[0]), math.exp(logs[1])

    def describe(
        self, architecture: Architecture | Description | Mapping[str, Any], fidelity: float = 1.0
    ) -> Description:
        """Return what predictions rest on, to be kept by who asks for several."""
        if isinstance(architecture, Description):
            return architecture
        if not isinstance(architecture, Architecture):
            architecture = Architecture.from_dict(architecture)
        flops, parameters = self._flops(architecture), self._parameters(architecture)
        tokens = fidelity * self.tokens + self.other_tokens
        steps = tokens / (self.batch * self.length)
        work = _PASSES * flops / self.length * tokens
        seconds = work / _FLOPS_PER_SECOND + steps * len(architecture) * _SECONDS_PER_LAYER_STEP
        places = self.batch * self.length
        kept = sum(_KEPT_PER_LAYER * layer.width for layer in architecture.layers)
        kept += count_kept(architecture, length=self.length, positions=self.positions)
        size = _BYTES_PER_PARAMETER * parameters + 4 * places * kept
        sizes = (flops, parameters, len(architecture), tokens)
        return Description(tuple(map(math.log, sizes)), (math.log(seconds), math.log(size / 1e6)))

    def _flops(self, architecture: Architecture) -> int:
        return count_flops(
            architecture,
            length=self.length,
            vocabulary_size=self.vocabulary_size,
            positions=self.positions,
        )

    def _parameters(self, architecture: Architecture) -> int:
        return count_parameters(
            architecture,
            vocabulary_size=self.vocabulary_size,
            max_length=self.length,
            positions=self.positions,
        )


def _value(row: Mapping[str, Any], name: str) -> float:
    """Return what a row or its "details" say, if it is a positive number; NaN otherwise."""
    found = row.get(name, (row.get("details") or {}).get(name))
    try:
        number = float(found)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
    return number if 0 < number < math.inf else math.nan


def _with_one(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(rows), 1)), rows], axis=1)


def _ridge(features: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the weights; the first, a constant, is held only a little."""
    penalty = _RIDGE * np.eye(features.shape[1])
    penalty[0, 0] = 1e-3
    return np.linalg.solve(features.T @ features + penalty, features.T @ target)
