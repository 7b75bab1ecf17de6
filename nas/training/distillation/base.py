"""What every distillation is: the loss of a student that also sees what its teacher answers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from nas.data.batches import Batch
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task
from nas.teachers.attention import attention_of
from nas.teachers.lessons import Answers
from nas.training.prediction import Scale
from nas.training.recipe import Recipe
from search_spaces.kinds import SLOTS
from search_spaces.registry import Registry

# name of a kind -> what takes the kind's settings by name and gives its distillation
DISTILLATIONS: Registry[Callable[..., "Distillation"]] = Registry(
    "distillation", group="nas.distillations"
)


class Distillation(ABC):
    """One way to learn from a teacher.

    Attributes:
        reads: What it looks at beside the outputs: "states" after every layer, the "attention" of
            every layer, that of the "last" one.
        focus: Number of the only layer that learns, from the states that it reads; None where all
            learn.
        steps: In how many steps a student that keeps less than half is cut out of its teacher,
            learning after each.
    """

    reads: ClassVar[frozenset[str]] = frozenset()
    focus: int | None = None
    steps: int = 1

    def during(self, progress: float, layers: int) -> "Distillation":
        """Return what holds when a share of the training is done: this, unless it goes in stages.

        Args:
            progress: Share of the steps that are done, in [0, 1).
            layers: How many the student has.
        """
        return self

    @abstractmethod
    def loss(self, own: Tensor, student: Answers, teacher: Answers, task: Task) -> Tensor:
        """Return the loss of a batch, a scalar.

        Args:
            own: The loss against the labels.
            student: What the student says; it is differentiated.
            teacher: What the teacher says of the same batch, detached.
            task: Whether outputs are classes or a number.
        """


@dataclass(frozen=True)
class Lesson:
    """What one student learns of one task beside its labels.

    Attributes:
        distillation: How.
        answers: Gives what the teacher says of a batch, on the batch's device.
    """

    distillation: Distillation
    answers: Callable[[Batch], Answers]

    def loss(
        self,
        encoder: nn.Module,
        head: nn.Module,
        task: Task,
        batch: Batch,
        scale: Scale,
        progress: float = 0.0,
    ) -> Tensor:
        """Return the loss of a batch that lies where the modules are.

        `progress` is the share of the steps that are done.
        """
        kind, flat = TASK_KINDS[task.kind], batch.sequences
        keep = flat.keep
        how = self.distillation.during(progress, len(encoder.layers))
        states, attention = [], []
        if how.reads:
            with _alone(encoder, how.focus):
                states = encoder.states(flat.tokens, keep, flat.token_types)
            read = states[-1] if kind.reads_tokens else encoder.pool(states[-1], keep)
            # the last layer's alone is that of a list with one
            seen = len(encoder.layers) if "attention" in how.reads else 1
            if {"attention", "last"} & how.reads:
                pairs = list(zip(encoder.layers, states[:-1], strict=True))[-seen:]
                attention = [
                    attention_of(layer, _start(state, number, how.focus))
                    for number, (layer, state) in enumerate(pairs, len(encoder.layers) - seen)
                ]
        else:
            encode = encoder if kind.reads_tokens else encoder.pooled
            read = encode(flat.tokens, keep, flat.token_types)
        outputs = batch.side_by_side(head(read).float())
        own = kind.loss(outputs, batch.labels, scale)
        if kind.reads_tokens:
            outputs = outputs[keep]
        last = attention[-1] if attention else None
        student = Answers(outputs, states[1:], keep, attention, last)
        return how.loss(own, student, self.answers(batch), task)


@contextmanager
def _alone(encoder: nn.Module, focus: int | None) -> Iterator[None]:
    """Let nothing below one layer learn."""
    if focus is None:
        yield
        return
    layer = encoder.layers[focus]
    hook = layer.register_forward_pre_hook(lambda _, read: (read[0].detach(), *read[1:]))
    try:
        yield
    finally:
        hook.remove()


def _start(state: Tensor, number: int, focus: int | None) -> Tensor:
    return state.detach() if number == focus else state


def distillation_of(recipe: Recipe) -> Distillation | None:
    """Return the distillation that stands in a recipe; None where no teacher is asked.

    Raises:
        UnknownName: Nothing that can be trained has that name.
    """
    (part,) = recipe.standing("distillation")
    if part.kind == "none":
        return None
    settings = dict(SLOTS["distillation"].kinds[part.kind].settings_of(part))
    steps = settings.pop("steps", 1)
    found = DISTILLATIONS[part.kind](**settings)
    found.steps = steps
    return found
