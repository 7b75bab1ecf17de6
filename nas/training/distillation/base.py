"""What every distillation is: the loss of a student that also sees what its teacher answers."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from nas.data.batches import Batch
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task
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
        reads_states: Whether it looks at hidden states, which are stored only then.
    """

    reads_states: ClassVar[bool] = False

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
        self, encoder: nn.Module, head: nn.Module, task: Task, batch: Batch, scale: Scale
    ) -> Tensor:
        """Return the loss of a batch that lies where the modules are."""
        keep, kind = batch.keep, TASK_KINDS[task.kind]
        if self.distillation.reads_states:
            states = encoder.states(batch.tokens, keep, batch.token_types)
            read = states[-1] if kind.reads_tokens else encoder.pool(states[-1], keep)
        else:
            states = []
            encode = encoder if kind.reads_tokens else encoder.pooled
            read = encode(batch.tokens, keep, batch.token_types)
        outputs = head(read).float()
        own = kind.loss(outputs, batch.labels, scale)
        if kind.reads_tokens:
            outputs = outputs[keep]
        student = Answers(outputs, states[1:], keep)
        return self.distillation.loss(own, student, self.answers(batch), task)


def distillation_of(recipe: Recipe) -> Distillation | None:
    """Return the distillation that stands in a recipe; None where no teacher is asked.

    Raises:
        UnknownName: Nothing that can be trained has that name.
    """
    (part,) = recipe.standing("distillation")
    if part.kind == "none":
        return None
    settings = SLOTS["distillation"].kinds[part.kind].settings_of(part)
    return DISTILLATIONS[part.kind](**settings)
