"""What every way of fine-tuning is: what it does to a model while it learns, and to the loss.

`a+b` does both.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager as Context
from contextlib import ExitStack, contextmanager, nullcontext
from math import prod
from types import MappingProxyType

import numpy as np
from torch import Tensor, nn

from nas.data.batches import Batch
from nas.data.prepared import EncodedSplit
from nas.evaluation.kinds import TASK_KINDS, TaskKind
from nas.evaluation.kinds.classes import Classes
from nas.evaluation.suites.task import Task
from nas.training.prediction import Scale, outputs_of
from nas.training.recipe import Recipe
from search_spaces.kinds import SLOTS
from search_spaces.registry import Registry

# name of a kind -> what takes the kind's settings by name and gives its way of fine-tuning
FINETUNINGS: Registry[Callable[..., "FineTuning"]] = Registry(
    "way of fine-tuning", group="nas.finetunings"
)


# (name, what to fine-tune on, what to ask) -> how sure it is of each class, `(asked, classes)`
Rehearse = Callable[[str, EncodedSplit, EncodedSplit], np.ndarray]


class FineTuning:
    """All weights learn, by the loss against the labels: what others change one thing of.

    Attributes:
        fits: How many fine-tunings one is.
        notes: What a trial's columns say of it, by the end of their names.
    """

    fits: int = 1
    notes: Mapping[str, float] = MappingProxyType({})

    def require(self, encoder: nn.Module) -> None:
        """Check that an encoder can learn so, before anything is trained.

        Raises:
            InvalidExperiment: It cannot; the message has the reason and the nearest that works.
        """
        return

    def applied(self, encoder: nn.Module) -> Context[None]:
        """Return a context in which the encoder is as it learns; after it, as others read it.

        Its tensors are then those it had, and at most an `encoder.coupling` more.
        """
        return nullcontext()

    def examples(
        self, task: Task, splits: Mapping[str, EncodedSplit], rehearse: Rehearse
    ) -> Mapping[str, EncodedSplit]:
        """Return the splits with other training examples, which other fine-tunings decide.

        Args:
            task: What is learnt.
            splits: "train", and those that are scored.
            rehearse: Fine-tunes from the same start, and tells how sure it is then.
        """
        return splits

    def task_loss(
        self, kind: TaskKind, outputs: Tensor, batch: Batch, scale: Scale
    ) -> Tensor | None:
        """Return what is minimised in place of the kind's own loss of a batch; None for that."""
        return None

    def extra_loss(
        self, encoder: nn.Module, head: nn.Module, task: Task, batch: Batch, outputs: Tensor
    ) -> Tensor | None:
        """Return what is added to the loss of a batch, a scalar, or None for nothing.

        Args:
            encoder: Being trained.
            head: Of the task.
            task: What is learnt.
            batch: Examples, where the modules are.
            outputs: What the head says of them.
        """
        return None

    def stepped(self, learning_rate: float) -> None:
        """Do what follows each step of the optimizer, which had that rate."""
        return


class Together(FineTuning):
    """Several ways at once.

    Args:
        ways: Which.
    """

    def __init__(self, ways: list[FineTuning]):
        self.ways = ways

    def require(self, encoder: nn.Module) -> None:
        for way in self.ways:
            way.require(encoder)

    @contextmanager
    def applied(self, encoder: nn.Module) -> Iterator[None]:
        with ExitStack() as stack:
            for way in self.ways:
                stack.enter_context(way.applied(encoder))
            yield

    @property
    def fits(self) -> int:
        """How many fine-tunings one is."""
        return prod(way.fits for way in self.ways)

    @property
    def notes(self) -> dict[str, float]:
        """What a trial's columns say of it, by the end of their names."""
        return {name: value for way in self.ways for name, value in way.notes.items()}

    def examples(
        self, task: Task, splits: Mapping[str, EncodedSplit], rehearse: Rehearse
    ) -> Mapping[str, EncodedSplit]:
        """Return the splits with the training examples that the ways decide on."""
        for way in self.ways:
            splits = way.examples(task, splits, rehearse)
        return splits

    def stepped(self, learning_rate: float) -> None:
        for way in self.ways:
            way.stepped(learning_rate)

    def loss(
        self, encoder: nn.Module, head: nn.Module, task: Task, batch: Batch, scale: Scale
    ) -> Tensor:
        """Return the loss of a batch that lies where the modules are, a scalar."""
        kind = TASK_KINDS[task.kind]
        outputs = outputs_of(encoder, head, batch, tokens=kind.reads_tokens)
        own = (way.task_loss(kind, outputs, batch, scale) for way in self.ways)
        loss = next((found for found in own if found is not None), None)
        loss = kind.loss(outputs, batch.labels, scale) if loss is None else loss
        for way in self.ways:
            extra = way.extra_loss(encoder, head, task, batch, outputs)
            loss = loss if extra is None else loss + extra
        return loss


def has_classes(task: Task) -> bool:
    """Whether each example of a task has one class, of which a fine-tuning is more or less sure."""
    return isinstance(TASK_KINDS[task.kind], Classes)


def finetuning_of(recipe: Recipe) -> Together:
    """Return the ways of fine-tuning that stand in a recipe.

    Raises:
        UnknownName: Nothing that can be trained has that name.
    """
    kinds = SLOTS["finetuning"].kinds
    return Together(
        [
            FINETUNINGS[part.kind](**kinds[part.kind].settings_of(part))
            for part in recipe.standing("finetuning")
        ]
    )
