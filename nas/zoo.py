"""Exported models: folders that `load_model` and `transformers.AutoModel` both load."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tokenizers
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from nas.models.hf import (
    FlexiBertConfig,
    FlexiBertForMaskedLM,
    FlexiBertModel,
    register_with_transformers,
)
from nas.models.standalone import AUTO_MAP, FILE_NAME, standalone_source
from search_spaces.architecture import Architecture
from search_spaces.errors import NasError, NotAModel

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_MLM = "mlm."


def export_model(
    folder: str | os.PathLike,
    *,
    architecture: Architecture,
    weights: Mapping[str, Tensor],
    tokenizer_json: str,
    model_options: Mapping[str, Any],
    card: Mapping[str, Any],
) -> Path:
    """Write a trained encoder as a folder that needs nothing else; all of it or nothing.

    The folder holds the model for `transformers` (configuration, weights, tokenizer, and the code
    of the model as one file), architecture.json and a README.md.

    Args:
        folder: Where to; must not exist.
        architecture: What was trained.
        weights: `state_dict` of the `Encoder`, with or without "encoder." before each name; entries
            named "mlm.…" are those of its `MaskedLanguageHead`.
        tokenizer_json: The tokenizer of the run, in the format of the `tokenizers` library.
        model_options: The other arguments of `Encoder`: `vocabulary_size` and, where not default,
            `max_length`, `token_types`, `positions`, `dropout`, `pad_id`.
        card: What README.md says: names to numbers and texts, or to dictionaries of them.

    Returns:
        The folder.

    Raises:
        NasError: If the folder exists.
        NotAModel: If the weights are not those of this architecture with these options, or the
            tokenizer has ids that the model does not know.
    """
    folder = Path(folder)
    options = dict(model_options)
    vocabulary_size = options.pop("vocabulary_size")
    config = FlexiBertConfig.from_architecture(architecture, vocabulary_size, **options)
    with_head = any(name.startswith(_MLM) for name in weights)
    model = (FlexiBertForMaskedLM if with_head else FlexiBertModel)(config)
    prefix = "flexibert.encoder." if with_head else "encoder."
    named = {
        name if name.startswith(_MLM) else prefix + name.removeprefix("encoder."): tensor
        for name, tensor in weights.items()
    }
    _check_names(named, model.state_dict(), "The weights to export")
    _check_tokenizer(tokenizer_json, vocabulary_size)
    with _written_at_once(folder) as partial:
        config.architectures = [type(model).__name__]
        config.auto_map = dict(AUTO_MAP)
        config.save_pretrained(partial)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}
        (partial / WEIGHTS).write_bytes(save(tensors, metadata={"format": "pt"}))
        _write(partial / FILE_NAME, standalone_source())
        _write(partial / "architecture.json", json.dumps(architecture.to_dict(), indent=2))
        _write(partial / "tokenizer.json", tokenizer_json)
        _write(partial / "tokenizer_config.json", json.dumps(_tokenizer_config(config), indent=2))
        _write(partial / "README.md", _model_card(folder.name, architecture, card))
    return folder


def load_model(folder: str | os.PathLike) -> FlexiBertModel:
    """Load the encoder of an exported folder, in evaluation mode, on the CPU.

    From then on `transformers.AutoModel.from_pretrained` knows the model, too.

    Raises:
        NotAModel: If the folder is missing, or its files are missing, broken or do not fit.
    """
    register_with_transformers()
    folder = Path(folder)
    model = _build_model(folder)
    path = folder / WEIGHTS
    if not path.is_file():
        raise NotAModel(f"{folder} has no {WEIGHTS}. Export the model again with nas export.")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise NotAModel(
            f"{path} cannot be read ({error}); it may be cut short. Copy or export it again."
        ) from error
    tensors = {
        name.removeprefix("flexibert."): tensor
        for name, tensor in tensors.items()
        if not name.startswith((_MLM, "classifier."))
    }
    _check_names(tensors, model.state_dict(), str(path))
    model.load_state_dict(tensors)
    return model.eval()


def _build_model(folder: Path) -> FlexiBertModel:
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
    try:
        return FlexiBertModel(FlexiBertConfig.from_dict(values))
    except (KeyError, TypeError, ValueError) as error:
        raise NotAModel(f"{path} describes no encoder ({error}). Export it again.") from error


def _check_names(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str) -> None:
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


def _check_tokenizer(tokenizer_json: str, vocabulary_size: int) -> None:
    try:
        size = tokenizers.Tokenizer.from_str(tokenizer_json).get_vocab_size()
    except Exception as error:  # the library raises nothing narrower
        raise NotAModel(
            f"tokenizer_json is no tokenizer ({error}). Give the tokenizer of the run."
        ) from error
    if size > vocabulary_size:
        raise NotAModel(
            f"The tokenizer has {size} tokens, and the model {vocabulary_size}. Give the tokenizer "
            "that the model was trained with."
        )


@contextmanager
def _written_at_once(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `folder` if nothing is raised."""
    if folder.exists():
        raise NasError(f"{folder} exists already. Choose another folder, or remove it first.")
    partial = folder.parent / f".{folder.name}.partial-{os.getpid()}"
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write(path: Path, text: str) -> None:
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def _tokenizer_config(config: FlexiBertConfig) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.max_position_embeddings,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        "padding_side": "right",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }


def _model_card(name: str, architecture: Architecture, card: Mapping[str, Any]) -> str:
    lines = [
        "---",
        "library_name: transformers",
        "tags: [encoder, flexibert, neural-architecture-search]",
        "---",
        f"# {name}",
        "",
        f"An encoder found by architecture search: {architecture.describe()}.",
        "",
        "```python",
        "from transformers import AutoModel, AutoTokenizer",
        "",
        "model = AutoModel.from_pretrained(FOLDER, trust_remote_code=True)",
        "tokenizer = AutoTokenizer.from_pretrained(FOLDER, trust_remote_code=True)",
        "```",
        "",
        "Where encoder-nas is installed, `nas.load_model(FOLDER)` gives the same model.",
        "",
        "| | |",
        "|---|---|",
    ]
    lines += [f"| {key} | {value} |" for key, value in _flattened(card)]
    return "\n".join(lines)


def _flattened(card: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in card.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{above}{key} ")
        else:
            yield f"{above}{key}", f"{value:.4g}" if isinstance(value, float) else str(value)
