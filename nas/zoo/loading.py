"""From an exported folder to a model, with every doubt about the files spoken out."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from nas.models.hf import (
    FlexiBertConfig,
    FlexiBertForSequenceClassification,
    FlexiBertModel,
    register_with_transformers,
)
from nas.zoo.files import CHECKSUMS, CONFIG, FORMAT, WEIGHTS, verify
from search_spaces.errors import NotAModel, UnknownName
from search_spaces.kinds import INSTALL


def load_model(folder: str | os.PathLike, *, task: str | None = None) -> PreTrainedModel:
    """Load a model of an exported folder, in evaluation mode, on the CPU.

    From then on the Auto classes of `transformers` know the model, too.

    Args:
        folder: What `nas export` has written.
        task: A task it was fine-tuned on, for that task's classifier; None for the encoder.

    Raises:
        NotAModel: If the folder is missing, or its files are missing, broken, changed or do not
            fit together.
        UnknownName: If the model was not fine-tuned on `task`.
    """
    register_with_transformers()
    folder = Path(folder)
    config = read_config(folder)
    if task is not None:
        if task not in config.task_names:
            raise UnknownName("task of this model", task, config.task_names)
        folder = folder / task
        config = read_config(folder)
    build = FlexiBertModel if task is None else FlexiBertForSequenceClassification
    try:
        model = build(config)
    except UnknownName as error:
        raise NotAModel(
            f"{folder / CONFIG} describes no encoder of kinds that are here. {error} {INSTALL} "
            "AutoModel.from_pretrained(..., trust_remote_code=True) takes the folder's own code."
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise NotAModel(
            f"{folder / CONFIG} describes no encoder ({error}). Export it again."
        ) from error
    tensors = _read_weights(folder)
    if task is None:
        tensors = {
            name.removeprefix("flexibert."): tensor
            for name, tensor in tensors.items()
            if not name.startswith(("mlm.", "classifier."))
        }
    check_names(tensors, model.state_dict(), str(folder / WEIGHTS))
    model.load_state_dict(tensors)
    return model.eval()


def read_config(folder: Path) -> FlexiBertConfig:
    """Return the configuration of an exported folder.

    Raises:
        NotAModel: There is none, or it is another kind of model's.
    """
    if not folder.is_dir():
        raise NotAModel(f"{folder} is no folder. Give one that nas export has written.")
    path = folder / CONFIG
    if not path.is_file():
        raise NotAModel(f"{folder} has no {CONFIG}. Give a folder that nas export has written.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        kind = values.get("model_type")
    except (ValueError, AttributeError) as error:
        raise NotAModel(f"{path} is no JSON object ({error}). Export the model again.") from error
    if kind != FlexiBertConfig.model_type:
        raise NotAModel(
            f"{path} has model_type {kind!r}; only {FlexiBertConfig.model_type!r} can be loaded "
            "here. Load other models with transformers.AutoModel."
        )
    if values.get("nas_format", FORMAT) != FORMAT:
        raise NotAModel(
            f"{folder} was written in format {values['nas_format']!r}; this version reads "
            f"{FORMAT}. Update with: pip install --upgrade encoder-nas"
        )
    try:
        return FlexiBertConfig.from_dict(values)
    except (KeyError, TypeError, ValueError) as error:
        raise NotAModel(f"{path} describes no encoder ({error}). Export it again.") from error


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
