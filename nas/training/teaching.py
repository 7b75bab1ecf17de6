"""Make a checkpoint ready to teach: fine-tune it on each task, calibrate it, store its answers.

Tasks are made one after another, each complete or not there, so that what was interrupted goes on.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nas.data.batches import Batch, batches, token_places
from nas.data.prepared import EncodedSplit, PreparedData
from nas.evaluation.cost import measure_latency
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.majority import majority_score
from nas.evaluation.suites.task import Task
from nas.models.encoder import Encoder
from nas.teachers.answers import answers_first, heads_in_answers, layers_by_answers
from nas.teachers.calibration import LayerWorth, calibrate
from nas.teachers.checkpoint import Checkpoint
from nas.teachers.cuttable import fixed_layers
from nas.teachers.layer_choice import choose_layers
from nas.teachers.lessons import WHOLE, write_teacher
from nas.training.device import autocast, choose_device, choose_precision
from nas.training.distillation.base import read_by
from nas.training.finetune import finetune
from nas.training.one_task import task_head
from nas.training.recipe import Recipe
from nas.training.seeds import named_seed, random_state, thread_count
from nas.training.task_runs import set_dropout
from nas.training.watch import Watch
from nas.whole_files import whole_file, write_whole
from search_spaces.errors import TrialError

# How a checkpoint is fine-tuned: gentler than a small encoder, which has less to lose.
LEARNING_RATE, EPOCHS, DROPOUT = 1e-4, 3, 0.1
_RATES = 3  # that are tried, each half of the one before, where training becomes unstable
# What calibration reads, what the choice of layers does, and what heads are taken out on.
_CALIBRATION_BATCHES, _CHOICE_BATCHES, _HEAD_BATCHES, _BATCH = 24, 4, 2, 32
_MANY_HEADS = 96  # from which on one batch is enough
_ANSWER_BATCH = 128


def make_teacher(
    folder: Path,
    checkpoint: Checkpoint,
    data: PreparedData,
    recipe: Recipe,
    *,
    seed: int,
    threads: int = 1,
    say: Callable[[str], None] = lambda line: None,
    cuts: bool = True,
) -> None:
    """Make everything that trials of a run learn from a checkpoint; what is there stays.

    Args:
        folder: Where it goes.
        checkpoint: The teacher.
        data: What trials train on, with the checkpoint's tokenizer.
        recipe: The run's.
        seed: The run's.
        threads: CPU threads to use.
        say: Called with a line for each task.
        cuts: Whether students are cut out of it: then it is calibrated. Otherwise its states are
            kept only where the recipe's distillation reads them.

    Raises:
        TrialError: Fine-tuning became unstable at every learning rate.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with thread_count(threads):
        if not (folder / f"{WHOLE}.json").is_file():
            _make_whole(folder, checkpoint, data, recipe, cuts=cuts)
        for task in data.rows():
            if not (folder / f"{task.name}.json").is_file():
                say(f"Fine-tuning the teacher on {task.name}")
                splits = data.tasks[task.name]
                say(_make_task(folder, checkpoint, task, splits, recipe, seed, cuts=cuts))


def _make_whole(
    folder: Path, checkpoint: Checkpoint, data: PreparedData, recipe: Recipe, *, cuts: bool
) -> None:
    """Make the part of the checkpoint as it came, calibrated on the text of all tasks."""
    encoder = checkpoint.build(max_length=model_length(recipe), pooling=recipe.pooling)
    each = -(-_CALIBRATION_BATCHES // len(data.tasks))
    text = [b for splits in data.tasks.values() for b in _text(splits["train"], each)]
    worth = calibrate(encoder, text) if cuts else []
    write_teacher(folder / f"{WHOLE}.safetensors", encoder.state_dict(), {}, worth)
    facts = {
        "source": checkpoint.name,
        "licence": checkpoint.licence,
        "architecture": checkpoint.architecture.to_dict(),
        "layers": _layers(encoder, text[:: max(1, each)][:_CHOICE_BATCHES] if cuts else []),
        **({} if cuts else {"cuts": False}),
        "costs": {
            "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
            "latency_ms": measure_latency(
                encoder, length=recipe.max_length, threads=recipe.threads
            ).p50_ms,
        },
    }
    write_whole(folder / f"{WHOLE}.json", json.dumps(facts, indent=1))


def model_length(recipe: Recipe) -> int:
    """Return the longest sequence that a recipe's encoders read, in tokens."""
    return max(recipe.max_length, recipe.block_length)


def _text(split: EncodedSplit, count: int) -> list[Batch]:
    return [b.sequences for b in islice(batches(split, batch_size=_BATCH, seed=0), count)]


def _make_task(
    folder: Path,
    checkpoint: Checkpoint,
    task: Task,
    splits: dict[str, EncodedSplit],
    recipe: Recipe,
    seed: int,
    *,
    cuts: bool,
) -> str:
    """Make one task's part; return what to say of it."""
    device = choose_device(recipe)
    precision = choose_precision(recipe, device)
    own = replace(
        recipe.for_task(task.name),
        finetune_learning_rate=LEARNING_RATE,
        finetune_epochs=EPOCHS,
        dropout=DROPOUT,
        slots={},
        open={},
    )
    own_seed = named_seed(seed, "teacher", task.name)
    encoder, head, score = _fine_tuned(checkpoint, task, splits, own, own_seed, device, precision)
    encoder.eval()
    head.eval()
    stored = cuts or bool(read_by(recipe))
    _store_answers(folder, task, encoder, head, splits["train"], precision, with_states=stored)
    encoder.cpu()
    text = _text(splits["train"], _CALIBRATION_BATCHES) if cuts else []
    worth, layers = _parts(encoder, head, task, text)
    write_teacher(
        folder / f"{task.name}.safetensors", encoder.state_dict(), head.state_dict(), worth
    )
    majority = majority_score(task, splits)
    facts = {
        "score": score,
        "majority": majority,
        "layers": layers,
    }
    # last: with it, the task is complete
    write_whole(folder / f"{task.name}.json", json.dumps(facts))
    said = f"The teacher reaches {score:.3f} on {task.name} (majority {majority:.3f})"
    return said if score > majority else f"{said}: it has nothing to teach there"


def _fine_tuned(
    checkpoint: Checkpoint,
    task: Task,
    splits: dict[str, EncodedSplit],
    recipe: Recipe,
    seed: int,
    device: torch.device,
    precision: str,
) -> tuple[Encoder, nn.Module, float]:
    """Return a checkpoint fine-tuned on a task, its head, and its score.

    What becomes unstable is begun again at half of the learning rate, as a trial is.

    Raises:
        TrialError: It became unstable at every rate.
    """
    rates = [recipe.finetune_learning_rate / 2**halved for halved in range(_RATES)]
    for rate in rates:
        own = replace(recipe, finetune_learning_rate=rate)
        try:
            with random_state(seed):
                encoder = checkpoint.build(max_length=model_length(own), pooling=own.pooling)
                encoder.to(device)
                set_dropout(encoder, own.dropout)
                head = task_head(encoder, task, own, seed)
                result = finetune(
                    encoder, head, task, splits, own,
                    seed=seed, watch=Watch(None, None), precision=precision,
                )  # fmt: skip
            return encoder, head, result.score
        except TrialError as error:
            if error.cause != "nan":
                raise
            failure = error
    tried = ", ".join(f"{rate:g}" for rate in rates)
    raise TrialError(
        f"The teacher {checkpoint.name!r} cannot be fine-tuned on {task.name}: at the learning "
        f"rates {tried} it became unstable. The last one said: {failure} If that was fp32, its "
        "weights may be damaged: take another checkpoint, or leave the task out.",
        cause="nan",
    )


def _layers(encoder: Encoder, text: list[Batch]) -> list[tuple[int, ...]]:
    """Return which layers cuts of each depth keep; without text, of which there are none."""
    if text:
        return choose_layers(encoder, text)
    return [tuple(range(n)) for n in range(1, len(encoder.layers) + 1)]


def _parts(
    encoder: Encoder, head: nn.Module, task: Task, text: list[Batch]
) -> tuple[list[LayerWorth], list[tuple[int, ...]]]:
    """Return what a task's encoder is worth, and which layers cuts keep; without text, of none."""
    if not text:
        return [], _layers(encoder, text)
    worth = calibrate(encoder, text)
    tokens = TASK_KINDS[task.kind].reads_tokens

    def answer(hidden: Tensor, batch: Batch) -> Tensor:
        return head(hidden[batch.keep] if tokens else encoder.pool(hidden, batch.keep))

    # half as many passes as there are heads: where the head is, which may be a GPU
    device = next(head.parameters()).device
    heads = sum(len(layer.heads) for layer in encoder.architecture.layers)
    some = text[: _HEAD_BATCHES if heads <= _MANY_HEADS else 1]
    effects = heads_in_answers(encoder.to(device), answer, worth, [b.to(device) for b in some])
    encoder.cpu()
    fixed = fixed_layers(encoder.architecture)
    return answers_first(worth, effects), layers_by_answers(effects, fixed)


@torch.inference_mode()
def _store_answers(
    folder: Path,
    task: Task,
    encoder: Encoder,
    head: nn.Module,
    split: EncodedSplit,
    precision: str,
    *,
    with_states: bool,
) -> None:
    """Write logits `(examples, outputs)` and states `(layers + 1, tokens, width)`."""
    device = next(encoder.parameters()).device
    kind = TASK_KINDS[task.kind]
    tokens, wide = kind.reads_tokens, kind.outputs(task) * split.each
    logits = np.zeros((len(split.tokens if tokens else split), wide), np.float32)
    count = len(encoder.layers) + 1 if with_states else 0
    shape = (count, len(split.tokens), encoder.width)
    with whole_file(folder / f"{task.name}.states.npy") as partial:
        states = np.lib.format.open_memmap(partial, "w+", np.float16, shape)
        for batch in batches(split, batch_size=_ANSWER_BATCH, shuffle=False):
            places = token_places(split, batch)
            moved = batch.to(device).sequences
            with autocast(precision, device):
                found = encoder.states(moved.tokens, moved.keep, moved.token_types)
                read = found[-1][moved.keep] if tokens else encoder.pool(found[-1], moved.keep)
                said = batch.side_by_side(head(read))
            logits[places if tokens else batch.rows.numpy()] = said.float().cpu().numpy()
            for number, state in enumerate(found[:count]):
                states[number, places] = state[moved.keep].half().cpu().numpy()
        states.flush()
        del states
    with whole_file(folder / f"{task.name}.logits.npy") as partial, partial.open("wb") as file:
        np.save(file, logits)
