"""The members of an ensemble: found models of a run, and what each says of its examples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nas.data.batches import batches
from nas.data.encoding import EncodedSplit
from nas.data.prepared import PreparedData
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.mean_score import MEANS
from nas.evaluation.suites.task import Task
from nas.models.heads import ClassificationHead
from nas.printable import counted
from nas.runs.directory import Run
from nas.runs.storage import open_storage, weights_name
from nas.single.exported import ExportedModel, parts_of
from nas.single.trials import task_models_of, training_of
from nas.training.device import autocast, choose_device, choose_precision, length_multiple
from nas.training.prediction import EVALUATION_BATCH, EVALUATION_TOKENS, Scale
from nas.training.seeds import thread_count
from nas.training.task_models import TaskModel
from nas.training.trial import build_encoder
from nas.training.watch import StageCallback
from nas.zoo.files import is_export
from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment, NotAModel, RunError, TrialError, quoted
from surrogates.objectives import sign_of

KINDS = ("classes", "number")  # of tasks, that ensembles answer


@dataclass(frozen=True)
class Member:
    """A found model.

    Attributes:
        name: For people: "trial 7", or a folder.
        trial: The record of a trial, which is fine-tuned again; None for a folder.
        folder: An exported model of the same run; None for a trial.
    """

    name: str
    trial: dict[str, Any] | None = None
    folder: ExportedModel | None = None

    def models(
        self, run: Run, tasks: Sequence[Task], progress: StageCallback | None = None
    ) -> Iterator[tuple[Task, nn.Module, nn.Module]]:
        """Yield each task with encoder and head, one after the other, as they were trained.

        Raises:
            NasError: The weights are gone, or cannot be read.
        """
        recipe, data = training_of(run)
        if self.folder is not None:
            for task in tasks:
                yield task, *parts_of(self.folder, task, recipe)
            return
        architecture = Architecture.from_dict(self.trial["architecture"])
        chosen = recipe.chosen(architecture)
        for model in task_models_of(run, self.trial, [task.name for task in tasks], progress):
            encoder = build_encoder(architecture, chosen, data.vocabulary_size)
            yield model.task, *_loaded(model, encoder, choose_device(chosen))


def members_of(run: Run, wanted: str) -> list[Member]:
    """Return the members that a text names.

    Args:
        run: The run.
        wanted: How many of the best trials whose weights the run kept; or several trials (number,
            hash, "best", "knee") and folders of exported models, with commas between.

    Raises:
        NasError: A name is none of a trial or an exported model of this run, or there are fewer
            than two different ones.
    """
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    if len(names) == 1 and names[0].isascii() and names[0].isdecimal() and len(names[0]) < 10:
        found = _best(run, int(names[0]))
    else:
        found = [_named(run, name) for name in names]
    if len({member.name for member in found}) < max(2, len(found)):
        raise InvalidExperiment(
            f"--members {wanted} names {', '.join(m.name for m in found) or 'nobody'}, and an "
            "ensemble has at least two members, each once. Give a number from 2 on, or trials such "
            f"as best,7; see: nas trials {quoted(run.directory)}"
        )
    return found


def _best(run: Run, count: int) -> list[Member]:
    done = run.finished()
    storage = open_storage(run.experiment.execution.storage, run.directory, run.id)
    kept = set(storage.sizes("weights"))
    there = [weights_name(row["hash"], row["fidelity"]) in kept for row in done.to_dict("records")]
    done = done[there] if any(there) else done
    metric = next((name for name in MEANS if name in done), None) or next(iter(run.objectives))
    falling = sign_of(run.objectives.get(metric, "max")) > 0
    order = done.sort_values(metric, ascending=not falling, kind="stable")
    if len(order) < count:
        raise RunError(
            f"The run {str(run.directory)!r} has {counted(len(order), 'finished trial')} with "
            f"weights, and --members asks for {count}. "
            + (f"Give --members {len(order)}. " if len(order) > 1 else "")
            + run.way_on()
        )
    return [_trial(run, int(number)) for number in order["trial"][:count]]


def _named(run: Run, name: str) -> Member:
    folder = Path(name)
    if not folder.is_dir() or not is_export(folder):
        return _trial(run, int(run.pick(name)["trial"]))
    model = ExportedModel.open(folder)
    known = training_of(run)[1].tokenizer.json
    if model.tokenizer.json != known:
        raise NotAModel(
            f"{folder} was not exported from {run.directory}: its tokenizer is another. Name "
            f"trials of the run, or folders that `nas export {quoted(run.directory)}` wrote."
        )
    return Member(str(folder), folder=model)


def _trial(run: Run, number: int) -> Member:
    record = next(r for r in run.journal.trials() if r["trial"] == number)
    return Member(f"trial {number}", trial=record)


def _loaded(
    model: TaskModel, encoder: nn.Module, device: torch.device
) -> tuple[nn.Module, nn.Module]:
    head = ClassificationHead(encoder.width, TASK_KINDS[model.task.kind].outputs(model.task), 0.0)
    for module, prefix in ((encoder, "encoder."), (head, "classifier.")):
        module.load_state_dict(
            {k.removeprefix(prefix): v for k, v in model.weights.items() if k.startswith(prefix)}
        )
    return encoder.to(device), head.to(device)


def said_of(
    encoder: nn.Module, head: nn.Module, task: Task, split: EncodedSplit, precision: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a model says of a split, and the vectors that it says it of.

    Returns:
        How sure each class is, `(n, classes)`, or the number, `(n, 1)`; pooled vectors, `(n,
        width)`.

    Raises:
        TrialError: Something of it is not finite; its cause is "nan".
    """
    kind, device = TASK_KINDS[task.kind], next(encoder.parameters()).device
    said, vectors = None, np.zeros((len(split), encoder.width))
    encoder.eval()
    head.eval()
    with torch.inference_mode():
        for batch in batches(
            split,
            batch_size=EVALUATION_BATCH,
            token_budget=EVALUATION_TOKENS,
            shuffle=False,
            length_multiple=length_multiple(encoder.max_length, device),
        ):
            own = batch.to(device)
            with autocast(precision, device):
                pooled = encoder.pooled(own.tokens, own.keep, own.token_types).float()
            # as the head's units are those of labels, bf16 would round a number to 1/64
            outputs = head(pooled)
            found = kind.probabilities(outputs)
            if found is None:
                found = kind.answers(outputs, Scale())[:, None]
            rows = batch.rows.numpy()
            said = np.zeros((len(split), found.shape[1])) if said is None else said
            said[rows] = found.double().cpu().numpy()
            vectors[rows] = pooled.double().cpu().numpy()
    if said is None or not (np.isfinite(said).all() and np.isfinite(vectors).all()):
        raise TrialError(
            f"{task.name}: a member's answers are NaN or infinite; leave it out.", cause="nan"
        )
    return said, vectors


def hear(
    member: Member,
    run: Run,
    data: PreparedData,
    tasks: Sequence[Task],
    progress: StageCallback | None = None,
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], nn.Module]:
    """Return what a member says of each task's development examples, and its encoder.

    Returns:
        Task name -> what `said_of` gives, of all development splits one after the other; the
        encoder is the last task's.

    Raises:
        NasError: Its weights are gone, or what it says is not finite.
    """
    recipe = training_of(run)[0]
    found, encoder = {}, None
    for task, own, head in member.models(run, tasks, progress):
        encoder = own
        with thread_count(recipe.threads):
            precision = choose_precision(recipe, choose_device(recipe))
            parts = [
                said_of(own, head, task, data.tasks[task.name][name], precision)
                for name in task.dev
            ]
        found[task.name] = tuple(np.concatenate(side) for side in zip(*parts, strict=True))
    return found, encoder
