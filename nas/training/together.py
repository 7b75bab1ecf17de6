"""Training one encoder on all tasks at once, and what each of them takes from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from nas.data.batches import Batch
from nas.data.prepared import PreparedData
from nas.evaluation.suites.task import Task
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.training.budget import Budget
from nas.training.checkpoint import Checkpoint, part, restore_training, training_state
from nas.training.device import length_multiple
from nas.training.finetune import Finetuning, planned_passes, scored, task_batches, task_losses
from nas.training.finetunings import finetuning_of
from nas.training.finetunings.multi_task import Alignment, MultiTask, aligned, fold
from nas.training.loop import Loop
from nas.training.one_task import task_head
from nas.training.optimizers import optimizer_of
from nas.training.prediction import Scale
from nas.training.recipe import Recipe
from nas.training.schedules import schedule_of
from nas.training.seeds import named_seed, random_state
from nas.training.task_relations import rows_of, similarities, svd_weights
from nas.training.watch import Watch


@dataclass
class JointTraining:
    """Trains an encoder on all tasks of a recipe, once for each repetition.

    Attributes:
        encoder: Its weights change.
        data: Holds the tasks' examples.
        recipe: How to fine-tune; its tasks are the ones.
        seed: The trial's.
        watch: The trial's clock.
        precision: "fp32" or "bf16" (autocast).
        budget: How batches pass.
        checkpoint: Where the state is kept while this lasts, and what came out.
        start: The weights to begin with.
        columns: Filled with how tasks are related and what they count.
    """

    encoder: Encoder
    data: PreparedData
    recipe: Recipe
    seed: int
    watch: Watch
    precision: str
    budget: Budget
    checkpoint: Checkpoint
    start: dict[str, Tensor]
    columns: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tasks = self.data.rows(self.recipe.tasks)
        self._ways = finetuning_of(self.recipe)
        (self._way,) = [way for way in self._ways.ways if isinstance(way, MultiTask)]
        self._trained: dict[int, tuple[dict[str, Tensor], dict[str, float]]] = {}

    def result(self, task: Task, number: int, head: ClassificationHead) -> Finetuning:
        """Give encoder and `head` what `task` has learnt in repetition `number`; score them."""
        tensors, values = self._once(number)
        place = str(self._tasks.index(task))
        self.encoder.load_state_dict(part(tensors, "encoder"))
        head.load_state_dict(part(tensors, f"heads.{place}"))
        alignment = self._alignment()
        if alignment is not None:
            alignment.load_state_dict(part(tensors, f"alignments.{place}"))
        fold(self.encoder, alignment)
        splits = self.data.tasks[task.name]
        scale = _scale(task, self.data)
        found = scored(self.encoder, head, task, splits, scale=scale, precision=self.precision)
        passes, steps = planned_passes(len(splits["train"]), self.recipe.for_task(task.name))
        return Finetuning(
            **found._asdict(), loss=values["loss"], steps=steps, scale=scale, passes=passes
        )

    def recall(self) -> None:
        """Fill the columns, which a training that was over before it was cut off has not."""
        if not self.columns:
            self._once(0)

    def _alignment(self) -> Alignment | None:
        width = self.encoder.architecture.layers[0].width
        device = next(self.encoder.parameters()).device
        return Alignment(width).to(device) if self._way.aligned else None

    def _once(self, number: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        if number not in self._trained:
            mark = {"tasks": [task.name for task in self._tasks], "share": self.budget.share}
            name = f"together-{number}"
            state = self.checkpoint.load(name)
            if state is None or state.values["mark"] != mark:
                tensors, values = self._train(named_seed(self.seed, "together", str(number)), mark)
                self.checkpoint.save(name, tensors, {"mark": mark, "found": values})
            else:
                tensors, values = state.tensors, state.values["found"]
            if not number:
                self.columns |= {k: v for k, v in values.items() if k != "loss"}
            self._trained[number] = tensors, values
        return self._trained[number]

    def _train(
        self, seed: int, mark: dict[str, object]
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        self.encoder.load_state_dict(self.start)
        heads = nn.ModuleList(
            task_head(self.encoder, task, self.recipe, named_seed(seed, task.name))
            for task in self._tasks
        )
        alignments = nn.ModuleList(
            [self._alignment() for _ in self._tasks] if self._way.aligned else []
        )
        weights, columns = self._relations()
        modules = {"encoder": self.encoder, "heads": heads, "alignments": alignments}
        scales = [_scale(task, self.data) for task in self._tasks]
        device = next(self.encoder.parameters()).device
        order = self._order(seed)
        with self._ways.applied(self.encoder):
            loop = Loop(
                [*modules.values()],
                schedule=schedule_of(self.recipe, len(order), len(order), finetuning=True),
                learning_rate=self.recipe.finetune_learning_rate * self.budget.learning_rate_scale,
                weight_decay=self.recipe.weight_decay,
                clip=self.recipe.clip,
                stage="all tasks",
                watch=self.watch,
                micro_batches=self.budget.micro_batches,
                optimizer=optimizer_of(self.recipe, "finetune_optimizer"),
            )
            for module in modules.values():
                module.train()
            with random_state(named_seed(seed, "dropout")):
                kept = {"together": mark, "seed": seed}
                state = self.checkpoint.load("finetune")
                if state is not None and state.values["mark"] == kept:
                    restore_training(state.tensors, loop, modules)
                for place, batch in self._batches(order, seed, loop.step_number, device):
                    alignment = alignments[place] if self._way.aligned else None
                    pair = {"encoder": self.encoder, "head": heads[place]}
                    losses = partial(
                        task_losses, pair, self._tasks[place], batch, scales[place], device,
                        self.precision, self._ways, weight=float(weights[place]),
                    )  # fmt: skip
                    with aligned(self.encoder, alignment):
                        loop.step(losses, len(batch.labels))
                    if self.checkpoint.due:
                        tensors = training_state(loop, modules)
                        self.checkpoint.save("finetune", tensors, {"mark": kept})
            columns["loss"] = loop.finish()
        tensors = {
            f"{name}.{key}": value.detach().clone()
            for name, module in modules.items()
            for key, value in module.state_dict().items()
        }
        return tensors, columns

    def _relations(self) -> tuple[Tensor, dict[str, float]]:
        """Return what each task counts, 1 on the average, and the columns that say so."""
        rows = {
            task.name: rows_of(self.encoder, task, self.data.tasks[task.name]["train"])
            for task in self._tasks
        }
        columns = similarities(rows)
        weights = torch.ones(len(rows))
        if self._way.weighed:
            found = svd_weights([own.direction() for own in rows.values()], self._way.rank)
            weights = (found / found.mean().clamp(min=1e-12)).float()
            columns |= {
                f"{name}_weight": float(weight) for name, weight in zip(rows, weights, strict=True)
            }
        return weights, columns

    def _order(self, seed: int) -> np.ndarray:
        """Return whose step each one is, tasks by their place: as many as each would have alone."""
        counts = [
            planned_passes(
                len(self.data.tasks[task.name]["train"]), self.recipe.for_task(task.name)
            )[1]
            for task in self._tasks
        ]
        places = np.repeat(np.arange(len(counts)), counts)
        return np.random.default_rng(named_seed(seed, "tasks")).permutation(places)

    def _batches(
        self, order: Sequence[int], seed: int, start: int, device: torch.device
    ) -> Iterator[tuple[int, Batch]]:
        """Yield whose batch comes, and the batch, from step `start` on."""
        streams = []
        for place, task in enumerate(self._tasks):
            own, train = self.recipe.for_task(task.name), self.data.tasks[task.name]["train"]
            passes, _ = planned_passes(len(train), own)
            multiple = length_multiple(self.encoder.max_length, device)
            done = int((np.asarray(order[:start]) == place).sum())
            streams.append(
                task_batches(train, passes, own, named_seed(seed, task.name), multiple, start=done)
            )
        for place in islice(order, start, None):
            yield int(place), next(streams[int(place)])


def _scale(task: Task, data: PreparedData) -> Scale:
    labels = data.tasks[task.name]["train"].labels
    return Scale.of(labels) if task.is_regression else Scale()
