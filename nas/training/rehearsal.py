"""Fine-tunings before the one that counts, each from the same start, and what they are asked."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from nas.data.prepared import EncodedSplit
from nas.evaluation.suites.task import Task
from nas.models.coupling import uncouple
from nas.training.budget import Budget
from nas.training.checkpoint import Checkpoint
from nas.training.finetune import learn
from nas.training.prediction import predict_surely
from nas.training.recipe import Recipe
from nas.training.seeds import named_seed
from nas.training.watch import Watch


@dataclass
class Rehearsal:
    """Fine-tunes on some examples and tells how sure it is of others.

    Attributes:
        encoder: With the weights to start from, which it has again after each.
        head: Of the task, the same.
        task: What is learnt.
        recipe: How.
        seed: Of the fine-tuning that counts; each rehearsal has its own stream.
        watch: The trial's clock.
        precision: "fp32" or "bf16" (autocast).
        budget: How batches pass.
        checkpoint: Where what was said is kept until the fine-tuning that counts is over.
    """

    encoder: nn.Module
    head: nn.Module
    task: Task
    recipe: Recipe
    seed: int
    watch: Watch
    precision: str
    budget: Budget
    checkpoint: Checkpoint

    def __post_init__(self) -> None:
        modules = (self.encoder, self.head)
        self._start = [{k: v.clone() for k, v in m.state_dict().items()} for m in modules]
        self._names: list[str] = []

    def __call__(self, name: str, train: EncodedSplit, asked: EncodedSplit) -> np.ndarray:
        """Return how sure a fine-tuning on `train` is of each class, `(asked, classes)`.

        Raises:
            TrialError: Training became unstable or ran out of time.
        """
        seed = named_seed(self.seed, "rehearsal", name)
        mark = {"task": self.task.name, "seed": seed, "examples": [len(train), len(asked)]}
        place = f"rehearsal-{name}"
        self._names.append(place)
        state = self.checkpoint.load(place)
        if state is not None and state.values["mark"] == mark:
            return state.tensors["sure"].numpy()
        learnt = learn(
            self.encoder, self.head, self.task, train, self.recipe,
            seed=seed, watch=self.watch, precision=self.precision, budget=self.budget,
            checkpoint=self.checkpoint,
        )  # fmt: skip
        _, sure = predict_surely(
            self.encoder, self.head, self.task, asked,
            scale=learnt.scale, precision=self.precision,
        )  # fmt: skip
        assert sure is not None  # of classes it always is
        self.checkpoint.save(place, {"sure": torch.from_numpy(sure)}, {"mark": mark})
        uncouple(self.encoder)
        for module, weights in zip((self.encoder, self.head), self._start, strict=True):
            module.load_state_dict(weights)
        return sure

    def end(self) -> None:
        """Remove what was kept."""
        for name in self._names:
            self.checkpoint.remove(name)
