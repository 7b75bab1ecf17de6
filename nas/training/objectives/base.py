"""What every objective of pre-training is: batches made of blocks of text, and a loss of each.

An objective `a+b` is the sum of the losses, each of its own batch of the same blocks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas.training.recipe import Recipe
from search_spaces.kinds import SLOTS
from search_spaces.recipes import flattened
from search_spaces.registry import Registry

# name of a kind -> what takes the kind's settings by name and gives its objective
PRETRAINING_OBJECTIVES: Registry[Callable[..., "PretrainingObjective"]] = Registry(
    "objective of pre-training", group="nas.pretraining"
)


class PretrainingObjective(ABC):
    """One term of what pre-training minimises.

    Attributes:
        modules: What it trains beside the encoder and its head, by name; made in `begin`.
        shares_start: Whether the first steps of a longer training are those of a shorter one.
    """

    shares_start: bool = True
    modules: Mapping[str, nn.Module] = MappingProxyType({})

    def begin(self, encoder: nn.Module, head: nn.Module, *, steps: int) -> None:  # noqa: B027
        """Make what it needs of its own, before anything is trained or restored.

        Args:
            encoder: What is to be trained.
            head: Of masked tokens.
            steps: Of the whole training.
        """

    def after_step(self) -> None:  # noqa: B027  most have nothing to do
        """Do what follows each step of the optimizer."""

    @abstractmethod
    def batches(
        self,
        blocks: np.ndarray,
        *,
        batch_size: int,
        vocabulary_size: int,
        seed: int,
        start: int,
    ) -> Iterator[Any]:
        """Yield batches without end, from number `start` on; each has `tokens`, a row a sequence.

        Args:
            blocks: Text without padding, `(blocks, length)`.
            batch_size: Rows of a batch; the last one of a pass over the blocks may have fewer.
            vocabulary_size: Ids are below it.
            seed: Decides order and everything drawn.
            start: Batches that an interrupted trial has seen before.
        """

    @abstractmethod
    def losses(
        self,
        encoder: nn.Module,
        head: nn.Module,
        batch: Any,
        device: torch.device,
        precision: str,
        parts: int,
    ) -> Iterator[Tensor]:
        """Yield scalars whose sum is the loss of a batch that passes in `parts` parts.

        Args:
            encoder: Called as `encoder(tokens, keep, at=places)`, gives `(places, width)`.
            head: Turns hidden states `(places, width)` into logits `(places, vocabulary)`.
            batch: What `batches` gave.
            device: Where the modules are.
            precision: "fp32" or "bf16" (autocast).
            parts: For less memory: each is differentiated before the next is asked for.
        """

    @abstractmethod
    def validation_loss(
        self,
        encoder: nn.Module,
        head: nn.Module,
        blocks: np.ndarray,
        *,
        vocabulary_size: int,
        precision: str,
    ) -> float:
        """Return the loss of text held out, with nothing drawn that depends on a seed.

        Compared only between trainings with the same objective.
        """


def objectives_of(recipe: Recipe) -> list[list[PretrainingObjective]]:
    """Return the terms of each phase of a recipe's objective; equal parts are one term.

    Raises:
        UnknownName: Nothing that can be trained has that name.
    """
    kinds, phases = SLOTS["objective"].kinds, recipe.phases("objective")
    terms = {
        part: PRETRAINING_OBJECTIVES[part.kind](**kinds[part.kind].settings_of(part))
        for part in flattened(phases)
    }
    return [[terms[part] for part in phase] for phase in phases]


def own_modules(phases: list[list[PretrainingObjective]]) -> dict[str, nn.Module]:
    """Return what the terms of all phases train beside the encoder and its head, by name."""
    terms = dict.fromkeys(term for phase in phases for term in phase)
    return {
        f"objective-{number}-{name}": module
        for number, term in enumerate(terms)
        for name, module in term.modules.items()
    }
