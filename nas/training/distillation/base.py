"""What every distillation is: the loss of a student that also sees what its teacher answers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor, nn

from nas.data.batches import Batch
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task
from nas.teachers.attention import Attention, attention_of
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
        general: Whether it reads the text of all tasks, without labels, in place of the batch.
        tuned: Whether the teacher is fine-tuned on the task; that as it came only reads general
            text.
        steps: In how many steps a student that keeps less than half is cut out of its teacher,
            learning after each.
    """

    reads: ClassVar[frozenset[str]] = frozenset()
    focus: int | None = None
    general: bool = False
    tuned: bool = True
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
        follows: Whether pre-training comes before, which a smaller budget shortens instead.
        general: Gives the batch of all tasks' text for a step, and what the teacher says of it that
            is fine-tuned, or not. None where no kind asks for it.
    """

    distillation: Distillation
    answers: Callable[[Batch], Answers]
    general: "General | None" = None
    follows: bool = False

    def loss(
        self,
        encoder: nn.Module,
        head: nn.Module,
        task: Task,
        batch: Batch,
        scale: Scale,
        progress: float = 0.0,
        step: int = 0,
    ) -> Tensor:
        """Return the loss of a batch that lies where the modules are.

        `progress` is the share of the steps that are done, `step` their number.
        """
        how = self.distillation.during(progress, len(encoder.layers))
        if how.general:
            return self._of_general_text(how, encoder, task, step)
        kind, flat = TASK_KINDS[task.kind], batch.sequences
        keep = flat.keep
        states, attention = [], []
        if how.reads:
            with _alone(encoder, how.focus):
                states = encoder.states(flat.tokens, keep, flat.token_types)
            read = states[-1] if kind.reads_tokens else encoder.pool(states[-1], keep)
            attention = _attention(how, encoder, states)
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

    def _of_general_text(
        self, how: Distillation, encoder: nn.Module, task: Task, step: int
    ) -> Tensor:
        device = next(encoder.parameters()).device
        batch = self.general.batch(step).to(device).sequences
        states = encoder.states(batch.tokens, batch.keep, batch.token_types)
        attention = _attention(how, encoder, states)
        nothing = states[-1].new_zeros(())
        last = attention[-1] if attention else None
        student = Answers(nothing, states[1:], batch.keep, attention, last)
        said = self.general.answers(batch, tuned=how.tuned)
        return how.loss(nothing, student, said, task)


class General(Protocol):
    """The text of all tasks, and two teachers who read it."""

    def batch(self, step: int) -> Batch:
        """Return what is read at a step, the same for the same step."""

    def answers(self, batch: Batch, *, tuned: bool) -> Answers:
        """Return what a teacher has in mind of a batch, on its device; its outputs are empty."""


def _attention(how: Distillation, encoder: nn.Module, states: list[Tensor]) -> list[Attention]:
    """Return what layers attend to: all, the last one alone, or none that is asked for."""
    if not {"attention", "last"} & how.reads:
        return []
    # the last layer's alone is that of a list with one
    seen = len(encoder.layers) if "attention" in how.reads else 1
    pairs = list(zip(encoder.layers, states[:-1], strict=True))[-seen:]
    return [
        attention_of(layer, _start(state, number, how.focus))
        for number, (layer, state) in enumerate(pairs, len(encoder.layers) - seen)
    ]


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


def read_by(recipe: Recipe) -> frozenset[str]:
    """Return what distillations look at beside outputs, of all that stand or may be chosen."""
    given = recipe.open.get("distillation") or [str(recipe.standing("distillation")[0])]
    parts = [SLOTS["distillation"].read(text) for text in given]
    found = [DISTILLATIONS[part.kind] for part in parts if part.kind != "none"]
    return frozenset().union(*(kind.reads for kind in found))


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
