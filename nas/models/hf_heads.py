"""The classes of `transformers` for fine-tuned models, by the Auto class that loads each."""

from typing import Any

import transformers

from nas.models.hf import (
    FlexiBertConfig,
    FlexiBertForSequenceClassification,
    register_with_transformers,
)
from nas.models.hf_choice import FlexiBertForMultipleChoice
from nas.models.hf_tokens import FlexiBertForTokenClassification

# Every exported folder has the first; the others only those with a task that needs them.
USUAL = "AutoModelForSequenceClassification"
HEADS: dict[str, type[FlexiBertForSequenceClassification]] = {
    USUAL: FlexiBertForSequenceClassification,
    "AutoModelForTokenClassification": FlexiBertForTokenClassification,
    "AutoModelForMultipleChoice": FlexiBertForMultipleChoice,
}


def register_heads_with_transformers() -> None:
    """Let the Auto classes of `transformers` find them all; calling this twice does no harm."""
    register_with_transformers()
    for name, model in HEADS.items():
        auto: Any = getattr(transformers, name)
        auto.register(FlexiBertConfig, model, exist_ok=True)
