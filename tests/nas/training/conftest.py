"""Tiny prepared data and recipes, so that training takes seconds."""

import numpy as np
import pytest

from nas.data.preparation import prepare
from nas.data.tables import Split, TaskData
from nas.training.recipe import Recipe
from search_spaces import Architecture

GOOD, BAD = ["good", "fine", "nice", "great"], ["bad", "poor", "awful", "weak"]
NOUNS = ["film", "song", "meal", "book", "play", "show", "plot", "cake"]


def sentences(count, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    texts = [
        f"the {rng.choice(NOUNS)} was {rng.choice(GOOD if label else BAD)}" for label in labels
    ]
    return texts, labels


def single(count=64, seed=0):
    texts, labels = sentences(count, seed)
    return Split(texts, None, labels)


def similar(count=64, seed=0):
    rng = np.random.default_rng(seed)
    pairs = [rng.choice(NOUNS, 2) for _ in range(count)]
    labels = np.array([5.0 if a < b else 0.5 for a, b in pairs], np.float32)
    return Split([a for a, _ in pairs], [b for _, b in pairs], labels)


@pytest.fixture(scope="session")
def recipe():
    return Recipe(
        tasks=("sst2", "stsb"),
        vocabulary_size=100,
        max_length=12,
        block_length=8,
        pretrain_tokens=512,
        pretrain_batch=4,
        finetune_epochs=2,
        finetune_batch=16,
        precision="fp32",
        device="cpu",
    )


@pytest.fixture(scope="session")
def data(recipe):
    texts, _ = sentences(400, 5)
    return prepare(
        tasks={
            "sst2": TaskData("sst2", single(), {"dev": single(48, 1)}),
            "stsb": TaskData("stsb", similar(), {"dev": similar(48, 1)}),
        },
        corpus=texts,
        vocabulary_size=recipe.vocabulary_size,
        max_length=recipe.max_length,
        block_length=recipe.block_length,
    )


def build(operation="sa", parameter="sdp", width=16):
    return Architecture.from_dict(
        {
            "l": 2,
            "o": [operation] * 2,
            "h": [width] * 2,
            "n": [2] * 2,
            "f": [[32]] * 2,
            "p": [parameter] * 2,
        }
    )


@pytest.fixture(scope="session")
def architecture():
    """A function that builds a two-layer architecture of one kind of head."""
    return build
