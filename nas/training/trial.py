"""One trial: build an architecture, pre-train it, fine-tune it on every task, measure it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nas.data.prepared import PreparedData
from nas.evaluation.cost import measure_latency, peak_memory_mb
from nas.evaluation.metrics import glue_score
from nas.evaluation.suites.glue import glue_tasks
from nas.evaluation.suites.task import Task
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead, MaskedLanguageHead
from nas.training.device import choose_device, choose_precision
from nas.training.finetune import Finetuning, finetune
from nas.training.measurement import Measurement
from nas.training.pretrain import pretrain
from nas.training.recipe import Recipe
from nas.training.seeds import named_seed, random_state, thread_count
from nas.training.watch import Progress, Watch
from search_spaces import Architecture, count_flops, count_parameters
from search_spaces.errors import InvalidData, TrialError


def trial_device(recipe: Recipe) -> str:
    """Return the name of the device a trial would run on: "cpu", or the GPU's own name."""
    device = choose_device(recipe)
    return "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device)


def run_trial(
    architecture: Architecture,
    recipe: Recipe,
    data: PreparedData,
    *,
    seed: int,
    deadline: float | None = None,
    weights_path: Path | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Train and measure `architecture`; the same arguments give the same scores, bit by bit.

    Each task starts from the pre-trained weights. The global random generators and the number of
    threads are as before when this returns.

    Args:
        architecture: What to build.
        recipe: How to train it.
        data: Tokenizer, text and tasks, prepared with the same recipe.
        seed: Decides initial weights, order, masks and dropout, each by a stream of its own.
        deadline: Seconds from now after which the trial fails; None for no limit.
        weights_path: Where to save the pre-trained weights as safetensors, under the names
            "encoder.*" and "mlm.*"; the file appears complete or not at all.
        progress: Called with a stage ("pretrain", each task, "costs") and the share of it done.

    Raises:
        TrialError: Training failed; `cause` is "nan", "out-of-memory" or "time-out".
        InvalidData: The data does not fit the recipe.
        InvalidExperiment: The recipe asks for a GPU that is not there.
    """
    tasks = _tasks_to_train(recipe, data)
    device = choose_device(recipe)
    precision = choose_precision(recipe, device)
    watch = Watch(deadline, progress)
    seconds: dict[str, float] = {}
    with _memory_errors(), thread_count(recipe.threads), random_state(named_seed(seed, "trial")):
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        with random_state(named_seed(seed, "weights")):
            encoder = build_encoder(architecture, recipe, data.vocabulary_size)
            mlm = MaskedLanguageHead(encoder)
        encoder.to(device)
        mlm.to(device)
        before = watch.elapsed
        set_dropout(encoder, recipe.pretrain_dropout)
        pretraining = pretrain(
            encoder,
            mlm,
            data.pretrain,
            data.validation,
            recipe,
            vocabulary_size=data.vocabulary_size,
            seed=named_seed(seed, "pretrain"),
            watch=watch,
            precision=precision,
        )
        seconds["pretrain"] = watch.elapsed - before
        if weights_path is not None:
            save_weights(weights_path, encoder=encoder, mlm=mlm)
        set_dropout(encoder, recipe.dropout)
        pretrained = {name: value.clone() for name, value in encoder.state_dict().items()}
        results: dict[str, Finetuning] = {}
        for task in tasks:
            before = watch.elapsed
            encoder.load_state_dict(pretrained)
            results[task.name] = finetune_task(
                encoder, task, data, recipe, named_seed(seed, task.name), watch, precision
            )
            seconds[task.name] = watch.elapsed - before
        watch.check("costs", 0.0)
        latency = measure_latency(encoder, length=recipe.max_length, threads=recipe.threads)
        costs = {
            **_exact_costs(architecture, recipe, data.vocabulary_size),
            "latency_ms": latency.p50_ms,
            "peak_memory_mb": peak_memory_mb(encoder, length=recipe.max_length),
        }
        watch.check("costs", 1.0)
    scores = {name: result.score for name, result in results.items()}
    glue = glue_score(scores, include_wnli="wnli" in recipe.tasks)
    return Measurement(
        scores={"glue": glue, **scores},
        costs=costs,
        seconds=watch.elapsed,
        details={
            "precision": precision,
            "latency_p95_ms": latency.p95_ms,
            "pretrain_loss": pretraining.loss,
            "validation_loss": pretraining.validation_loss,
            "pretrain_tokens": float(pretraining.tokens),
            **_task_details(results),
            **{f"{stage}_seconds": value for stage, value in seconds.items()},
        },
    )


def build_encoder(architecture: Architecture, recipe: Recipe, vocabulary_size: int) -> Encoder:
    """Return the untrained encoder of a trial, its weights drawn from torch's global generator."""
    return Encoder(architecture, vocabulary_size, **model_options(recipe))


def model_options(recipe: Recipe) -> dict[str, int | float | str]:
    """Return what `Encoder` needs beside the architecture and the vocabulary."""
    return {
        "max_length": max(recipe.max_length, recipe.block_length),
        "positions": recipe.positions,
        "dropout": recipe.dropout,
    }


def save_weights(path: Path, **modules: nn.Module) -> None:
    """Write the tensors of `modules` under "<name>." to a safetensors file, whole or not at all."""
    tensors: dict[str, Tensor] = {
        f"{name}.{key}": value.detach().cpu().contiguous()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _tasks_to_train(recipe: Recipe, data: PreparedData) -> list[Task]:
    missing = [name for name in recipe.tasks if name not in data.tasks]
    if missing:
        raise InvalidData(
            f"The recipe trains on {missing[0]!r}, but the prepared data has "
            f"{', '.join(data.tasks) or 'no task'}. Prepare the data with this task, "
            "or leave it out of the recipe."
        )
    length = data.pretrain.shape[1]
    longest = max(recipe.max_length, recipe.block_length)
    if length > longest:
        raise InvalidData(
            f"The text was prepared in blocks of {length} tokens, but the recipe's models read at "
            f"most {longest}. Prepare the data with this recipe."
        )
    return glue_tasks(recipe.tasks)


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
    )


def _exact_costs(
    architecture: Architecture, recipe: Recipe, vocabulary_size: int
) -> dict[str, float]:
    parameters = count_parameters(
        architecture,
        vocabulary_size=vocabulary_size,
        max_length=model_options(recipe)["max_length"],
        positions=recipe.positions,
    )
    flops = count_flops(
        architecture,
        length=recipe.max_length,
        vocabulary_size=vocabulary_size,
        positions=recipe.positions,
    )
    return {"parameters": float(parameters), "flops": float(flops)}


def _task_details(results: dict[str, Finetuning]) -> dict[str, float]:
    details: dict[str, float] = {}
    for name, result in results.items():
        for split, metrics in result.metrics.items():
            prefix = name if split == "dev" else f"{name}_{split}"
            details.update({f"{prefix}_{metric}": value for metric, value in metrics.items()})
        details[f"{name}_loss"] = result.loss
    return details


def set_dropout(module: nn.Module, probability: float) -> None:
    """Set the probability of every dropout in `module`."""
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = probability


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Turn what running out of memory raises, on a CPU or a GPU, into a `TrialError`."""
    advice = "Lower the batches or the lengths of the recipe, or constrain the parameters."
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise TrialError(f"Out of memory: {error}. {advice}", cause="out-of-memory") from error
    except RuntimeError as error:
        # torch's CPU allocator raises a plain RuntimeError, recognisable by its text alone
        if "can't allocate memory" not in str(error) and "not enough memory" not in str(error):
            raise
        first = str(error).splitlines()[0]
        raise TrialError(f"Out of memory: {first}. {advice}", cause="out-of-memory") from error
