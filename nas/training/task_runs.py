"""Fine-tuning a pre-trained encoder on task after task, each from the pre-trained weights."""

from collections.abc import Iterable
from dataclasses import asdict

from torch import nn

from nas.data.prepared import PreparedData
from nas.evaluation.suites.task import Task
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.training.budget import WHOLE, Budget
from nas.training.checkpoint import Checkpoint
from nas.training.finetune import Finetuning, finetune
from nas.training.recipe import Recipe
from nas.training.seeds import named_seed, random_state
from nas.training.watch import Watch


def finetune_tasks(
    encoder: Encoder,
    tasks: Iterable[Task],
    data: PreparedData,
    recipe: Recipe,
    *,
    seed: int,
    watch: Watch,
    precision: str,
    budget: Budget,
    checkpoint: Checkpoint,
    seconds: dict[str, float],
) -> dict[str, Finetuning]:
    """Fine-tune on each task from the weights `encoder` has now; return how each went.

    Args:
        encoder: Pre-trained; its weights change.
        tasks: The tasks, in the order to take them.
        data: Holds their examples.
        recipe: How to fine-tune.
        seed: The trial's; each task has its own stream.
        watch: The trial's clock.
        precision: "fp32" or "bf16" (autocast).
        budget: What pre-training had; results of another share are not taken over.
        checkpoint: Where finished tasks are noted, so that they are not repeated.
        seconds: Filled with the seconds of each task.

    Raises:
        TrialError: Training became unstable or ran out of time.
    """
    pretrained = {name: value.clone() for name, value in encoder.state_dict().items()}
    results = _finished(checkpoint, budget)
    for task in tasks:
        if task.name in results:
            continue
        before = watch.elapsed
        encoder.load_state_dict(pretrained)
        results[task.name] = finetune_task(
            encoder,
            task,
            data,
            recipe,
            named_seed(seed, task.name),
            watch,
            precision,
            budget=budget,
            checkpoint=checkpoint,
        )
        seconds[task.name] = watch.elapsed - before
        done = {name: asdict(result) for name, result in results.items()}
        checkpoint.save("tasks", {}, {"share": budget.share, "results": done})
    checkpoint.remove("finetune")
    return {task.name: results[task.name] for task in tasks}


def _finished(checkpoint: Checkpoint, budget: Budget) -> dict[str, Finetuning]:
    state = checkpoint.load("tasks")
    if state is None or state.values["share"] != budget.share:
        return {}
    return {name: Finetuning(**result) for name, result in state.values["results"].items()}


def task_head(encoder: Encoder, task: Task, recipe: Recipe, seed: int) -> ClassificationHead:
    """Return the untrained head of a task, beside the encoder on its device."""
    with random_state(named_seed(seed, "head")):
        head = ClassificationHead(encoder.width, task.outputs, recipe.dropout)
    return head.to(next(encoder.parameters()).device)


def finetune_task(
    encoder: Encoder,
    task: Task,
    data: PreparedData,
    recipe: Recipe,
    seed: int,
    watch: Watch,
    precision: str,
    head: ClassificationHead | None = None,
    *,
    budget: Budget = WHOLE,
    checkpoint: Checkpoint | None = None,
) -> Finetuning:
    """Train `encoder` in place on one task, with the head that `task_head` gives unless given."""
    head = task_head(encoder, task, recipe, seed) if head is None else head
    return finetune(
        encoder,
        head,
        task,
        data.tasks[task.name],
        recipe,
        seed=seed,
        watch=watch,
        precision=precision,
        budget=budget,
        checkpoint=checkpoint,
    )


def set_dropout(module: nn.Module, probability: float) -> None:
    """Set the probability of every dropout in `module`."""
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = probability
