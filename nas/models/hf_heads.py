"""The classes of `transformers` for fine-tuned models, by the Auto class that loads each."""

from typing import Any

import transformers
from torch import nn

from nas.models.hf import FlexiBertForSequenceClassification, register_with_transformers
from nas.models.hf_base import FlexiBertPreTrainedModel
from nas.models.hf_choice import FlexiBertForMultipleChoice
from nas.models.hf_config import FlexiBertConfig
from nas.models.hf_spans import FlexiBertForQuestionAnswering
from nas.models.hf_tokens import FlexiBertForTokenClassification

# Every exported folder has the code of all.
USUAL = "AutoModelForSequenceClassification"
HEADS: dict[str, type[FlexiBertPreTrainedModel]] = {
    USUAL: FlexiBertForSequenceClassification,
    "AutoModelForTokenClassification": FlexiBertForTokenClassification,
    "AutoModelForMultipleChoice": FlexiBertForMultipleChoice,
    "AutoModelForQuestionAnswering": FlexiBertForQuestionAnswering,
}


def head_of(model: FlexiBertPreTrainedModel) -> nn.Module:
    """Return what stands on top of a fine-tuned model's encoder."""
    spans = isinstance(model, FlexiBertForQuestionAnswering)
    return model.qa_outputs if spans else model.classifier


def register_heads_with_transformers() -> None:
    """Let the Auto classes of `transformers` find them all; calling this twice does no harm."""
    register_with_transformers()
    for name, model in HEADS.items():
        auto: Any = getattr(transformers, name)
        auto.register(FlexiBertConfig, model, exist_ok=True)
