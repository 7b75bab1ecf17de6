"""What an exported model answers to a few sentences: hidden states, and both kinds of logits."""

from pathlib import Path

from golden_files import HERE

MODELS = HERE / "old_models"
TASK = "sst2"
EVERY = 9  # of the scores of the words, those recorded
# Padding, a cut, one token, and an unknown word: what a model can get wrong silently.
SENTENCES = ("the film was good .", "no", "a slow and dull story 7 about the very old teacher " * 3)


def encoded(folder: Path) -> dict:
    """Return the sentences as the folder's own tokenizer encodes them."""
    from transformers import AutoTokenizer

    encode = AutoTokenizer.from_pretrained(folder)
    return encode(list(SENTENCES), padding=True, truncation=True, return_tensors="pt")


def digits(tensor) -> list:
    """Return a tensor as nested lists of numbers with six digits after the point."""
    return tensor.detach().double().round(decimals=6).tolist()


def answers(folder: Path, encoder, masked, classifier) -> dict:
    """Return what three models answer: states, scores of each token, scores of each class."""
    import torch

    batch = encoded(folder)
    with torch.inference_mode():
        return {
            "tokens": batch["input_ids"].tolist(),
            "states": digits(encoder(**batch).last_hidden_state),
            "masked": digits(masked(**batch).logits[..., ::EVERY]),
            "classes": digits(classifier(**batch).logits),
        }


def loaded(folder: Path) -> dict:
    """Return what the models of a folder answer, loaded by the project."""
    import nas
    from nas.models.hf import FlexiBertForMaskedLM

    encoder = nas.load_model(folder)
    masked = FlexiBertForMaskedLM.from_pretrained(folder)
    return answers(folder, encoder, masked, nas.load_model(folder, task=TASK))


def automatic(folder: Path, **options) -> dict:
    """Return what the models of a folder answer, loaded by `transformers`."""
    from transformers import (
        AutoModel,
        AutoModelForMaskedLM,
        AutoModelForSequenceClassification,
    )

    return answers(
        folder,
        AutoModel.from_pretrained(folder, **options),
        AutoModelForMaskedLM.from_pretrained(folder, **options),
        AutoModelForSequenceClassification.from_pretrained(folder / TASK, **options),
    )
