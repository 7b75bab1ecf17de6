"""From an exported folder to a model, with every doubt about the files spoken out."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.glue import glue_task
from nas.evaluation.suites.task import Task
from nas.models.hf import FlexiBertConfig, FlexiBertForMaskedLM, FlexiBertModel
from nas.models.hf_heads import HEADS, USUAL
from nas.zoo.configuration import read_config
from nas.zoo.files import CHECKSUMS, CONFIG, TASK, WEIGHTS, verify
from search_spaces.documents import read_json_file
from search_spaces.errors import InvalidData, NotAModel, UnknownName
from search_spaces.kinds import INSTALL


def load_model(folder: str | os.PathLike, *, task: str | None = None) -> PreTrainedModel:
    """Load a model of an exported folder, in evaluation mode, on the CPU.

    The Auto classes of `transformers` are left as they are: give them `trust_remote_code=True`.

    Args:
        folder: What `nas export` has written.
        task: A task it was fine-tuned on, for that task's classifier; None for the encoder.

    Raises:
        NotAModel: If the folder is missing, or its files are missing, broken, changed or do not
            fit together.
        UnknownName: If the model was not fine-tuned on `task`.
    """
    folder = Path(folder)
    config, build = read_config(folder), FlexiBertModel
    if task is not None:
        if task not in config.task_names:
            raise UnknownName("task of this model", task, config.task_names)
        row = read_row(folder, task) if (folder / task / TASK).is_file() else None
        folder = folder / task
        config = read_config(folder)
        build = HEADS[USUAL if row is None else TASK_KINDS[row.kind].auto]
    return _load(folder, config, build, encoder_alone=task is None)


def load_masked_model(folder: str | os.PathLike) -> FlexiBertForMaskedLM:
    """Load the encoder of an exported folder with the head that predicts masked tokens.

    Raises:
        NotAModel: As `load_model`; or the folder has no such head.
    """
    return _load(Path(folder), read_config(Path(folder)), FlexiBertForMaskedLM)


def _load(
    folder: Path,
    config: FlexiBertConfig,
    build: type[PreTrainedModel],
    *,
    encoder_alone: bool = False,
) -> PreTrainedModel:
    try:
        # without memory at first: a configuration may ask for more than its weights have
        with torch.device("meta"):
            wanted = build(config).state_dict()
    except UnknownName as error:
        raise NotAModel(
            f"{folder / CONFIG} describes no encoder of kinds that are here. {error} {INSTALL} "
            "AutoModel.from_pretrained(..., trust_remote_code=True) takes the folder's own code."
        ) from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise NotAModel(
            f"{folder / CONFIG} describes no encoder ({error}). Export it again."
        ) from error
    tensors = _read_weights(folder)
    if encoder_alone:
        tensors = {
            name.removeprefix("flexibert."): tensor
            for name, tensor in tensors.items()
            if not name.startswith(("mlm.", "classifier."))
        }
    check_names(tensors, wanted, str(folder / WEIGHTS))
    model = build(config)
    model.load_state_dict(tensors)
    return model.eval()


def read_row(folder: Path, name: str) -> Task:
    """Return the task `name` that a model was fine-tuned on: a user's own, or one of GLUE.

    Raises:
        NotAModel: What the folder says of it cannot be read.
        UnknownName: It says nothing, and GLUE has no such task.
    """
    path = folder / name / TASK
    if not path.is_file():
        return glue_task(name)
    if (path.parent / CHECKSUMS).exists():
        verify(path.parent, TASK)
    try:
        task = Task.from_dict(read_json_file(path, NotAModel))
        TASK_KINDS[task.kind].check(task)
    except (InvalidData, UnknownName, ValueError) as error:
        raise NotAModel(f"{path} describes no task ({error}). Export the model again.") from None
    if task.name != name:
        raise NotAModel(f"{path} describes the task {task.name!r:.60}. Export the model again.")
    return task


def _read_weights(folder: Path) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    if not path.is_file():
        raise NotAModel(f"{folder} has no {WEIGHTS}. Export the model again with nas export.")
    if (folder / CHECKSUMS).exists():  # models of version 0.1.0 have none
        verify(folder, WEIGHTS)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise NotAModel(
            f"{path} cannot be read ({error}); it may be cut short. Copy or export it again."
        ) from error


def check_names(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str) -> None:
    """Check that the tensors `given` are those `wanted`, by name and shape.

    Raises:
        NotAModel: One is missing, unknown, or of another shape.
    """
    missing, unknown = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    for names, problem in ((missing, "lack"), (unknown, "have the unknown entry")):
        if names:
            raise NotAModel(
                f"{what}: {problem} {names[0]!r} ({len(names)} such). "
                "Weights and architecture must come from the same model."
            )
    for name, tensor in wanted.items():
        if given[name].shape != tensor.shape:
            raise NotAModel(
                f"{what}: {name!r} has shape {tuple(given[name].shape)}, and the architecture "
                f"needs {tuple(tensor.shape)}. Weights and architecture must come from the same "
                "model."
            )
