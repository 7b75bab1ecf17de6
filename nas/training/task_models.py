"""The fine-tuned models of a finished trial, made again from its pre-trained weights.

A search keeps one set of weights a trial instead of one a task, eight times as many. Fine-tuning
has its own seed, so that repeating it gives the very weights that were scored, and the score says
whether it did: another processor may round differently.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from nas.data.prepared import TEST, EncodedSplit, PreparedData
from nas.evaluation.suites.glue import glue_task
from nas.evaluation.suites.task import Task
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.teachers.lessons import Lessons
from nas.training.budget import Budget
from nas.training.device import choose_device, choose_precision
from nas.training.finetune import Finetuning
from nas.training.intermediate import start_of
from nas.training.prediction import Scale, evaluate
from nas.training.recipe import Recipe
from nas.training.seeds import named_seed, random_state, thread_count
from nas.training.task_runs import TaskTraining, set_dropout
from nas.training.trial import build_encoder
from nas.training.watch import StageCallback, Watch
from search_spaces import Architecture
from search_spaces.errors import NotAModel


@dataclass(frozen=True)
class TaskModel:
    """One task's fine-tuned model.

    Attributes:
        task: The task.
        score: Its one number on the development data, larger is better.
        weights: Tensors named "encoder.*" and "classifier.*"; for a regression the classifier
            answers in the units of the labels.
        test: Metric -> value on the examples that nothing was chosen by; empty where there are
            none.
    """

    task: Task
    score: float
    weights: dict[str, Tensor]
    test: Mapping[str, float] = field(default_factory=dict)


def task_models(
    architecture: Architecture,
    recipe: Recipe,
    data: PreparedData,
    *,
    seed: int,
    weights: Mapping[str, Tensor],
    tasks: Sequence[str],
    progress: StageCallback | None = None,
    learning_rate_scale: float = 1.0,
    micro_batches: int = 1,
) -> Iterator[TaskModel]:
    """Fine-tune each of `tasks` as the trial of `seed` did; yield them one at a time.

    Where the recipe fine-tunes a task with several seeds, the model of the first is made.

    Args:
        architecture: What the trial built.
        recipe: How it was trained.
        data: What it was trained on.
        seed: The trial's seed.
        weights: The trial's pre-trained weights; those named "encoder.*" are used.
        tasks: Names of tasks in `data`.
        progress: Called with each task and the share of it done.
        learning_rate_scale: As the trial had it, in its last attempt.
        micro_batches: As the trial had them, in its last attempt.

    Raises:
        TrialError: Training became unstable.
        NotAModel: The weights do not fit the architecture and the data.
    """
    recipe = recipe.chosen(architecture)
    device = choose_device(recipe)
    with thread_count(recipe.threads), random_state(named_seed(seed, "trial")):
        encoder = build_encoder(architecture, recipe, data.vocabulary_size, data.tokenizer_json).to(
            device
        )
        tensors = {
            name.removeprefix("encoder."): tensor
            for name, tensor in weights.items()
            if name.startswith("encoder.")
        }
        try:
            encoder.load_state_dict(tensors)
        except (RuntimeError, AttributeError) as error:  # another name or shape, no tensor
            raise NotAModel(
                f"The trial's weights are not those of {architecture.hash[:10]} with the "
                f"vocabulary of the run's data: {str(error)[:300]}. Use a copy of the run, or pick "
                "another trial."
            ) from None
        set_dropout(encoder, recipe.dropout)
    kept: dict[str, TaskModel] = {}
    precision = choose_precision(recipe, device)

    def keep(task: Task, encoder: Encoder, head: ClassificationHead, result: Finetuning) -> None:
        test = data.tasks[task.name].get(TEST)
        kept[task.name] = task_model(task, encoder, head, result, test, precision)

    training = TaskTraining(
        encoder,
        data,
        replace(recipe, finetune_seeds=1),
        seed,
        Watch(None, progress),
        precision,
        budget=Budget(1.0, learning_rate_scale, micro_batches),
        keep=keep,
        lessons=None if data.teacher is None else Lessons(data.teacher),
    )
    wanted = data.rows(tasks)
    for task in _in_order(wanted, recipe):
        with thread_count(recipe.threads), random_state(named_seed(seed, "trial")):
            training.run([task])
        if task in wanted:
            yield kept.pop(task.name)


def task_model(
    task: Task,
    encoder: Encoder,
    head: ClassificationHead,
    result: Finetuning,
    test: EncodedSplit | None = None,
    precision: str = "fp32",
) -> TaskModel:
    """Return a copy of what `encoder` and `head` are now, as `run_trial` hands them to `keep`.

    Args:
        task: What they were fine-tuned on.
        encoder: The encoder.
        head: Its head.
        result: How fine-tuning went.
        test: Examples to score them on that nothing was chosen by.
        precision: "fp32" or "bf16", of scoring.
    """
    named = {f"encoder.{k}": v.detach().cpu().clone() for k, v in encoder.state_dict().items()}
    found = {}
    if test is not None:
        found = evaluate(encoder, head, task, test, scale=result.scale, precision=precision)
    return TaskModel(task, result.score, named | _classifier(head, result.scale), found)


def _in_order(wanted: list[Task], recipe: Recipe) -> list[Task]:
    """Return `wanted`, after the task whose weights one of them starts from."""
    starts = {start_of(recipe, task.name) for task in wanted} - {None}
    first = [glue_task(name) for name in starts]
    return [*first, *(task for task in wanted if task not in first)]


def _classifier(head: ClassificationHead, scale: Scale) -> dict[str, Tensor]:
    """Return the head's tensors, with the scale of the labels folded into its linear map."""
    with torch.no_grad():
        weight = head.output.weight.detach().cpu() * scale.deviation
        bias = head.output.bias.detach().cpu() * scale.deviation + scale.mean
    return {"classifier.output.weight": weight, "classifier.output.bias": bias}
