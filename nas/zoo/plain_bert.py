"""Models of BERT's form as folders of a plain BERT, which any tool loads without remote code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task
from nas.models.bert_checkpoint import in_words_of_bert, require_bert
from nas.models.encoder import Encoder
from nas.zoo.files import CONFIG, TOKENIZER, WEIGHTS, write_text
from nas.zoo.writing import label_facts, tokenizer_config
from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidData

PLAIN = "plain-bert"  # below the exported folder: a folder a task, and that of the encoder
_ENCODER = "encoder"


def require_plain(architecture: Architecture, model_options: Mapping[str, Any]) -> None:
    """Check that an encoder is of BERT's form.

    Raises:
        InvalidData: It is not; the message names what differs.
    """
    with torch.device("meta"):
        encoder = _build(architecture, model_options)
    try:
        require_bert(encoder)
    except InvalidData as error:
        raise InvalidData(
            f"{str(error).partition('. Export')[0]}. Leave --bert out; or pick one whose layers "
            "are alike and keep all heads, if the front has any: nas pareto shows it."
        ) from None


def write_plain(
    folder: Path,
    architecture: Architecture,
    model_options: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    tokenizer_json: str,
    task: Task | None = None,
) -> Path:
    """Write a model as a plain BERT below an exported folder; return where.

    A classifier that reads the first token comes as `BertForSequenceClassification` or
    `BertForMultipleChoice`, one for words as `BertForTokenClassification`, one for spans as
    `BertForQuestionAnswering`. A model that reads means
    has no class of `transformers`: its folder has the encoder, whose last hidden states are equal.

    Args:
        folder: Of the exported model.
        architecture: Of the encoder, of BERT's form.
        model_options: As `nas.zoo.export_model` takes them.
        weights: Tensors "encoder.*" and, for a task, "classifier.*".
        tokenizer_json: Its tokenizer.
        task: What it was fine-tuned on.

    Raises:
        InvalidData: The encoder is not of BERT's form.
    """
    encoder = _build(architecture, model_options)
    encoder.load_state_dict(
        {
            name.removeprefix("encoder."): tensor
            for name, tensor in weights.items()
            if name.startswith("encoder.")
        }
    )
    config, tensors = in_words_of_bert(encoder)
    words = task is not None and TASK_KINDS[task.kind].reads_tokens
    if task is not None and (words or encoder.pooling == "first"):
        build = f"Bert{TASK_KINDS[task.kind].auto.removeprefix('AutoModel')}"
        config |= {"architectures": [build], **label_facts(task)}
        tensors = {f"bert.{k}": v for k, v in tensors.items() if not (words and "pooler" in k)}
        head = "qa_outputs" if TASK_KINDS[task.kind].reads_passages else "classifier"
        for part in ("weight", "bias"):
            tensors[f"{head}.{part}"] = weights[f"classifier.output.{part}"].detach().cpu()
    place = folder / PLAIN / (_ENCODER if task is None else task.name)
    place.mkdir(parents=True)
    (place / WEIGHTS).write_bytes(
        save({k: v.contiguous() for k, v in tensors.items()}, metadata={"format": "pt"})
    )
    write_text(place / CONFIG, json.dumps(config, indent=2))
    write_text(place / TOKENIZER, tokenizer_json)
    facts = tokenizer_config(tokenizer_json, encoder.vocabulary_size, encoder.max_length)
    write_text(place / "tokenizer_config.json", json.dumps(facts, indent=2))
    return place


def _build(architecture: Architecture, model_options: Mapping[str, Any]) -> Encoder:
    options = dict(model_options)
    return Encoder(architecture.body, options.pop("vocabulary_size"), **options)
