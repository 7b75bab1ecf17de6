"""What all fine-tunings on one task gave, and the columns that say so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nas.training.finetune import Finetuning


@dataclass(frozen=True)
class TaskResult:
    """All fine-tunings on one task.

    Attributes:
        runs: One for each seed.
        setting: The learning rate and batch that tuning chose; empty without tuning.
    """

    runs: tuple[Finetuning, ...]
    setting: dict[str, Any] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The mean over the seeds, larger is better."""
        return float(np.mean([run.score for run in self.runs]))

    @property
    def mistakes(self) -> Mapping[str, dict[str, Any]]:
        """Where the first one's answers to each development split are wrong; see `Finetuning`."""
        return self.runs[0].mistakes

    def details(self, name: str) -> dict[str, float]:
        """Return the columns that say more than the score."""
        columns: dict[str, float] = {}
        for split, metrics in self.runs[0].metrics.items():
            prefix = name if split == "dev" else f"{name}_{split}"
            for metric in metrics:
                found = [run.metrics[split][metric] for run in self.runs]
                columns[f"{prefix}_{metric}"] = float(np.mean(found))
        columns[f"{name}_loss"] = float(np.mean([run.loss for run in self.runs]))
        if len(self.runs) > 1:
            deviation = np.std([run.score for run in self.runs], ddof=1)
            columns[f"{name}_deviation"] = float(deviation)
        # a metric is 0 where every answer is the same; this says that it was so
        constant = sum(run.constant for run in self.runs)
        if constant:
            columns[f"{name}_constant_answers"] = float(constant)
        notes = {key for run in self.runs for key in run.notes}
        for key in sorted(notes):
            found = [run.notes[key] for run in self.runs if key in run.notes]
            columns[f"{name}_{key}"] = float(np.mean(found))
        tuned = {key.removeprefix("finetune_"): v for key, v in self.setting.items()}
        return {**columns, **{f"{name}_{key}": float(v) for key, v in tuned.items()}}
