"""The files of an exported model: configuration, weights, tokenizer, code, architecture, card."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tokenizers
from safetensors.torch import save
from torch import Tensor

from nas.data.tokenizer import special_names, token_texts
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task
from nas.models.coupling import coupling_of
from nas.models.embeddings import reads_texts
from nas.models.hf import (
    FlexiBertConfig,
    FlexiBertForMaskedLM,
    FlexiBertModel,
)
from nas.models.hf_base import AUTO_MAP
from nas.models.hf_heads import HEADS
from nas.models.standalone import FILE_NAME, standalone_source
from nas.zoo.card import model_card
from nas.zoo.files import (
    ARCHITECTURE,
    CARD,
    TASK,
    TOKENIZER,
    WEIGHTS,
    write_checksums,
    write_text,
    written_at_once,
)
from nas.zoo.loading import check_names
from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import NotAModel

_MLM = "mlm."
# in the order of `nas.data.tokenizer.SPECIAL_TOKENS`
_SPECIAL = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
_TOKENIZER_CLASS = "PreTrainedTokenizerFast"
# What the classes of tasks whose files have numbers for labels are called by people.
_LABELS = {
    "cola": ("unacceptable", "acceptable"),
    "sst2": ("negative", "positive"),
    "mrpc": ("not_equivalent", "equivalent"),
    "qqp": ("not_duplicate", "duplicate"),
    "wnli": ("not_entailment", "entailment"),
}
# What the two outputs of a token say of a span.
_ENDS = ("start", "end")
# What a pipeline opens when nobody says which task.
_FIRST_TASK = "sst2"


def export_model(
    folder: str | os.PathLike,
    *,
    architecture: Architecture,
    weights: Mapping[str, Tensor],
    tokenizer_json: str,
    model_options: Mapping[str, Any],
    card: Mapping[str, Any],
    task_weights: Mapping[Task, Mapping[str, Tensor]] | None = None,
) -> Path:
    """Write a trained encoder as a folder that needs nothing else; all of it or nothing.

    Args:
        folder: Where to; must not exist.
        architecture: What was trained.
        weights: `state_dict` of the `Encoder`, with or without "encoder." before each name; entries
            named "mlm.…" are those of its `MaskedLanguageHead`.
        tokenizer_json: The tokenizer of the run, in the format of the `tokenizers` library.
        model_options: The other arguments of `Encoder`: `vocabulary_size` and, where not default,
            `max_length`, `token_types`, `positions`, `dropout`, `pad_id`.
        card: What README.md says, as `nas.zoo.card.REQUIRED` lists it.
        task_weights: For each task it was fine-tuned on, tensors "encoder.…" and "classifier.…".

    Returns:
        The folder.

    Raises:
        NasError: If the folder exists.
        NotAModel: If the weights are not those of this architecture with these options, or the
            tokenizer has ids that the model does not know.
    """
    folder = Path(folder)
    task_weights = dict(task_weights or {})
    config = make_config(architecture, model_options, list(task_weights), tokenizer_json)
    with written_at_once(folder) as partial:
        write_encoder(partial, config, weights, tokenizer_json, architecture)
        for task, tensors in task_weights.items():
            write_task(partial / task.name, task, config, tensors, tokenizer_json)
        finish(partial, {"name": folder.name, **card})
    return folder


def make_config(
    architecture: Architecture,
    model_options: Mapping[str, Any],
    tasks: Sequence[Task],
    tokenizer_json: str,
) -> FlexiBertConfig:
    """Return the configuration of the encoder, with the tasks in the order they are offered.

    It has how the tokenizer spells its tokens where the encoder is made of that.

    Of a user's own task it has the labels, too: by their number `from_pretrained` tells that the
    model of the first task is wanted, and no new head.
    """
    options = dict(model_options)
    vocabulary_size = options.pop("vocabulary_size")
    if reads_texts(architecture.part("embedding")):
        options["texts"] = token_texts(tokenizer_json)
    config = FlexiBertConfig.from_architecture(architecture, vocabulary_size, **options)
    config.task_names = sorted((t.name for t in tasks), key=lambda name: name != _FIRST_TASK)
    first = next((task for task in tasks if task.name == config.task_names[0]), None)
    if first is not None and first.own:
        for name, value in label_facts(first).items():
            setattr(config, name, value)
    return config


def label_facts(task: Task) -> dict[str, Any]:
    """Return what a configuration says of labels."""
    kind = TASK_KINDS[task.kind]
    labels = _LABELS.get(task.name, task.labels) or (task.label,)
    if kind.reads_passages:  # as many as a token has outputs
        labels = _ENDS
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
        "problem_type": kind.problem_type,
    }


def write_encoder(
    folder: Path,
    config: FlexiBertConfig,
    weights: Mapping[str, Tensor],
    tokenizer_json: str,
    architecture: Architecture,
) -> None:
    """Write the pre-trained encoder, with its masked-language head if `weights` have it.

    Raises:
        NotAModel: If weights or tokenizer do not fit.
    """
    with_head = any(name.startswith(_MLM) for name in weights)
    model = (FlexiBertForMaskedLM if with_head else FlexiBertModel)(config)
    prefix = "flexibert.encoder." if with_head else "encoder."
    named = {
        name if name.startswith(_MLM) else prefix + name.removeprefix("encoder."): tensor
        for name, tensor in weights.items()
    }
    check_names(named, model.state_dict(), "The weights to export")
    _write_model(folder, config, type(model).__name__, named, tokenizer_json)
    write_text(folder / ARCHITECTURE, json.dumps(architecture.to_dict(), indent=2))


def write_task(
    folder: Path,
    task: Task,
    config: FlexiBertConfig,
    weights: Mapping[str, Tensor],
    tokenizer_json: str,
) -> None:
    """Write the new folder of one task's fine-tuned model, ready to be loaded by itself.

    Raises:
        NotAModel: If the weights do not fit.
    """
    values = config.to_dict() | {"task_names": [], "task_name": task.name, **label_facts(task)}
    coupling = coupling_of(weights)
    values |= {} if coupling is None else {"coupling": coupling}
    config = FlexiBertConfig.from_dict(values)
    model = HEADS[TASK_KINDS[task.kind].auto](config)
    spans = TASK_KINDS[task.kind].reads_passages
    named = {
        f"flexibert.{name}"
        if name.startswith("encoder.")
        else (name.replace("classifier.output", "qa_outputs") if spans else name): tensor
        for name, tensor in weights.items()
    }
    check_names(named, model.state_dict(), f"The weights of {task.name} to export")
    folder.mkdir()
    _write_model(folder, config, type(model).__name__, named, tokenizer_json)
    if task.own:
        facts = json.dumps(task.to_dict(), indent=1, ensure_ascii=False)
        write_text(folder / TASK, facts)


def finish(folder: Path, card: Mapping[str, Any]) -> None:
    """Write the card, then the checksums of everything, each task's folder for itself, too."""
    write_text(folder / CARD, model_card(card))
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            write_checksums(path)
    write_checksums(folder)


def _write_model(
    folder: Path,
    config: FlexiBertConfig,
    class_name: str,
    tensors: Mapping[str, Tensor],
    tokenizer_json: str,
) -> None:
    _check_tokenizer(tokenizer_json, config.vocab_size)
    config.architectures = [class_name]
    config.auto_map = dict(AUTO_MAP)
    config.tokenizer_class = _TOKENIZER_CLASS  # pipelines of transformers 4 look for it here
    config.save_pretrained(folder)
    saved = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    (folder / WEIGHTS).write_bytes(save(saved, metadata={"format": "pt"}))
    write_text(folder / FILE_NAME, _source(config))
    write_text(folder / TOKENIZER, tokenizer_json)
    facts = tokenizer_config(tokenizer_json, config.vocab_size, config.max_position_embeddings)
    write_text(folder / "tokenizer_config.json", json.dumps(facts, indent=2))


def _source(config: FlexiBertConfig) -> str:
    return standalone_source(config.describe(), config.positions)


def _check_tokenizer(tokenizer_json: str, vocabulary_size: int) -> tuple[str, ...]:
    """Return what the special tokens of a tokenizer are called, which fits the model."""
    try:
        tokenizer = tokenizers.Tokenizer.from_str(tokenizer_json)
        size = tokenizer.get_vocab_size()
    except Exception as error:  # the library raises nothing narrower
        raise NotAModel(
            f"tokenizer_json is no tokenizer ({error}). Give the tokenizer of the run."
        ) from error
    if size > vocabulary_size:
        raise NotAModel(
            f"The tokenizer has {size} tokens, and the model {vocabulary_size}. Give the tokenizer "
            "that the model was trained with."
        )
    return special_names(tokenizer)


def tokenizer_config(tokenizer_json: str, vocabulary_size: int, max_length: int) -> dict[str, Any]:
    """Return what `transformers` reads of a tokenizer beside tokenizer.json.

    Raises:
        NotAModel: It is no tokenizer, or has more tokens than the model.
    """
    names = _check_tokenizer(tokenizer_json, vocabulary_size)
    return {
        "tokenizer_class": _TOKENIZER_CLASS,
        "model_max_length": max_length,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        "padding_side": "right",
        **dict(zip(_SPECIAL, names, strict=True)),
    }
