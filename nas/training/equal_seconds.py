"""How long an architecture may pre-train by a recipe of its own: as long as by the run's recipe.

Where architectures choose of their recipe, equal tokens would favour what is costly: twice the work
at each step would be free. So the budget of such a trial is seconds: of a processor on a CPU, of
the device on a GPU. They are those that this architecture would take by the run's recipe, with the
values that its fields have where they are not open, for its `pretrain_tokens`. What a step costs by
the run's recipe and by the chosen one is measured when the trial begins, a few steps of each in
turn, with weights put back after; the chosen recipe gets as many steps as fit. Where it makes
fine-tuning longer or shorter, pre-training gets the difference.

Choices that change nothing of what a step costs, such as a learning rate, leave the tokens as they
are, exactly. Clocks are never alike: the tokens are recorded, kept beside the trial's state, and
given to whoever trains the architecture again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import cycle
from statistics import mean, median

import torch
from torch import nn

from nas.data.prepared import PreparedData
from nas.evaluation.suites.task import Task
from nas.models.coupling import uncouple
from nas.training.device import device_seconds, length_multiple
from nas.training.finetune import planned_passes, task_batches, task_losses
from nas.training.finetunings import Together, finetuning_of
from nas.training.loop import Loop
from nas.training.objectives import objectives_of, own_modules
from nas.training.one_task import task_head
from nas.training.optimizers import optimizer_of
from nas.training.prediction import Scale
from nas.training.pretrain import batch_losses, on_device
from nas.training.recipe import Recipe
from nas.training.schedule import Schedule
from nas.training.seeds import named_seed, random_state
from nas.training.stages import Stage, planned_stages, stage_batches
from nas.training.task_runs import set_dropout
from nas.training.watch import Watch
from search_spaces.kinds import RECIPE_SLOTS

# Steps of each recipe: the first ones prepare kernels and moments, the others count.
_WARM, _MEASURED = 2, 6
_ENDLESS = 1_000_000
# Fields and slots that change nothing of what a step costs, or how many there are.
_FREE = {
    "open", "slots", "pretrain_learning_rate", "finetune_learning_rate", "inherit_learning_rate",
    "pretrain_decay", "warmup", "weight_decay", "clip", "schedule", "pretrain_tokens",
    "size_exponent",
}  # fmt: skip
_FINETUNING = {
    "finetune_epochs", "finetune_batch", "finetune_optimizer", "dropout", "from_mnli", "finetuning",
}  # fmt: skip

Step = Callable[[], None]


@dataclass(frozen=True)
class Allowance:
    """What a trial may spend on pre-training.

    Attributes:
        tokens: To read by the chosen recipe, the whole budget.
        seconds: That the run's recipe would take for the same architecture.
    """

    tokens: int
    seconds: float


@dataclass(frozen=True)
class Measuring:
    """What the steps of a trial are measured with.

    Attributes:
        encoder: On its device; it has its weights back after.
        mlm: Its head, too.
        data: What the trial trains on.
        tasks: What it fine-tunes.
        seed: The trial's.
        watch: The trial's clock.
        precision: "fp32" or "bf16" (autocast).
        micro_batches: Parts in which each batch passes.
    """

    encoder: nn.Module
    mlm: nn.Module
    data: PreparedData
    tasks: Sequence[Task]
    seed: int
    watch: Watch
    precision: str
    micro_batches: int = 1

    def allowance(self, reference: Recipe, chosen: Recipe) -> Allowance:
        """Return what a trial may read by `chosen` in the seconds of `reference`.

        Raises:
            TrialError: The time is up.
        """
        changed = _costly(reference, chosen)
        with _put_back(self.encoder, self.mlm), random_state(named_seed(self.seed, "seconds")):
            recipes = [reference, chosen] if changed - _FINETUNING else [reference]
            steps = [self._pretraining(recipe) for recipe in recipes]
            found = [median(seconds) for seconds in self._seconds(steps)]
            left = 0.0
            if changed & _FINETUNING:
                left = self._finetuning(reference) - self._finetuning(chosen)
        seconds = found[0] * -(-reference.pretrain_tokens // self._tokens_a_step(reference))
        if not changed:
            return Allowance(chosen.pretrain_tokens, seconds)
        count = max(1, int((seconds + left) / found[-1]))
        return Allowance(count * self._tokens_a_step(chosen), seconds)

    @property
    def _device(self) -> torch.device:
        return next(self.encoder.parameters()).device

    def _batch(self, recipe: Recipe) -> int:
        return min(recipe.pretrain_batch, len(self.data.pretrain))

    def _tokens_a_step(self, recipe: Recipe) -> int:
        return self._batch(recipe) * self.data.pretrain.shape[1]

    def _seconds(self, steps: Sequence[Step]) -> list[list[float]]:
        """Return the seconds of some steps of each, taken in turn, so that all meet the same."""
        found: list[list[float]] = [[] for _ in steps]
        for turn in range(_WARM + _MEASURED):
            for step, seconds in zip(steps, found, strict=True):
                began = device_seconds(self._device)
                step()
                if turn >= _WARM:
                    seconds.append(device_seconds(self._device) - began)
        return found

    def _loop(self, modules: list[nn.Module], recipe: Recipe, slot: str) -> Loop:
        # a learning rate of zero: that it cannot fall apart, whatever the recipe
        return Loop(
            modules,
            schedule=Schedule(_WARM + _MEASURED, 0, 0),
            learning_rate=0.0,
            weight_decay=recipe.weight_decay,
            clip=recipe.clip,
            stage="measuring",
            watch=self.watch,
            micro_batches=self.micro_batches,
            optimizer=optimizer_of(recipe, slot),
        )

    def _pretraining(self, recipe: Recipe) -> Step:
        phases = objectives_of(recipe)
        blocks, batch = self.data.pretrain, self._batch(recipe)
        for term in dict.fromkeys(term for phase in phases for term in phase):
            # so many that nothing that moves with them changes within those that are timed: a new
            # shape at each step would be slow, as it is not in a training that sees them all again
            term.begin(self.encoder, self.mlm, steps=_ENDLESS)
        own = on_device(own_modules(phases), self._device)
        loop = self._loop([self.encoder, self.mlm, *own.values()], recipe, "optimizer")
        # one step of each stage in turn: they may differ in what a step costs
        stages = planned_stages(phases, blocks, batch, 100, recipe.short_blocks)
        seed = named_seed(self.seed, "pretrain")
        streams = cycle([self._stream(stage, seed) for stage in stages])

        def step() -> None:
            set_dropout(self.encoder, recipe.pretrain_dropout)
            terms, batch = next(next(streams))
            losses = partial(
                batch_losses, terms, self.encoder, self.mlm, batch, self._device, self.precision
            )
            loop.step(losses, max(len(own.tokens) for own in batch))

        for module in (self.encoder, self.mlm, *own.values()):
            module.train()
        return step

    def _stream(self, stage: Stage, seed: int) -> Iterator:
        alone = replace(stage, first=0, end=_WARM + _MEASURED)
        return stage_batches([alone], self.data.vocabulary_size, seed, start=0)

    def _finetuning(self, recipe: Recipe) -> float:
        """Return the seconds of fine-tuning all tasks by a recipe."""
        set_dropout(self.encoder, recipe.dropout)
        total = 0.0
        for task in self.tasks:
            own = recipe.for_task(task.name)
            _, count = planned_passes(len(self.data.tasks[task.name]["train"]), own)
            ways = finetuning_of(own)
            with ways.applied(self.encoder):
                (seconds,) = self._seconds([self._task(task, own, ways)])
            uncouple(self.encoder)
            total += mean(seconds) * count * ways.fits
        return total * recipe.finetune_seeds * (1 + recipe.tune_trials)

    def _task(self, task: Task, recipe: Recipe, ways: Together) -> Step:
        head = task_head(self.encoder, task, recipe, self.seed)
        modules = {"encoder": self.encoder, "head": head}
        loop = self._loop([*modules.values()], recipe, "finetune_optimizer")
        train = self.data.tasks[task.name]["train"]
        scale = Scale.of(train.labels) if task.is_regression else Scale()
        multiple = length_multiple(self.encoder.max_length, self._device)
        found = task_batches(train, _WARM + _MEASURED, recipe, self.seed, multiple)
        head.train()

        def step() -> None:
            batch = next(found)
            losses = partial(
                task_losses, modules, task, batch, scale, self._device, self.precision, ways
            )
            loop.step(losses, len(batch.labels))

        return step


def _costly(reference: Recipe, chosen: Recipe) -> set[str]:
    """Return the fields and slots that differ and may change what training costs."""
    names = {
        f.name for f in fields(Recipe) if getattr(reference, f.name) != getattr(chosen, f.name)
    }
    slots = {name for name in RECIPE_SLOTS if reference.phases(name) != chosen.phases(name)}
    return (names | slots) - _FREE


@contextmanager
def _put_back(*modules: nn.Module) -> Iterator[None]:
    kept = [{name: v.clone() for name, v in m.state_dict().items()} for m in modules]
    try:
        yield
    finally:
        for module, values in zip(modules, kept, strict=True):
            module.load_state_dict(values)
            module.zero_grad()
