"""A trained encoder from elsewhere as something to score: it is fine-tuned first."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nas.data.tokenizer import Tokenizer
from nas.single.exported import ExportedModel
from nas.teachers.checkpoint import Checkpoint, read_checkpoint
from nas.teachers.hub import HUB
from nas.training.recipe import RECIPES
from nas.training.teaching import DROPOUT, EPOCHS, LEARNING_RATE
from nas.zoo.files import is_export
from search_spaces.errors import NasError, quoted

_PRESET = "checkpoint"


@dataclass(frozen=True)
class TrainedEncoder(ExportedModel):
    """A folder that `transformers` wrote, or a name on the hub; it has no fine-tuned models.

    Attributes:
        checkpoint: What is in it.
    """

    checkpoint: Checkpoint

    @classmethod
    def open(cls, folder: Path | str) -> "TrainedEncoder":
        """Read the encoder in `folder`.

        Raises:
            NasError: It holds none that can be read.
        """
        found = read_checkpoint(folder, to_cut=False)
        recipe = {
            "preset": _PRESET,
            "finetune_learning_rate": LEARNING_RATE,
            "finetune_epochs": EPOCHS,
            "dropout": DROPOUT,
            "max_length": min(RECIPES[_PRESET].max_length, found.max_length),
            "block_length": min(RECIPES[_PRESET].block_length, found.max_length),
        }
        return cls(
            found.folder,
            Tokenizer.from_json(found.tokenizer_json),
            found.max_length,
            (),
            {"recipe": recipe},
            found,
        )

    def read(self, task: str | None = None) -> Any:
        """Return what has the encoder, as it came."""
        if task is not None:
            raise NasError(
                f"{self.folder} has no model of {task!r}, only an encoder. Fine-tune it with: "
                f"nas evaluate {quoted(self.folder)} --finetune --tasks {task}"
            )
        pooling = RECIPES[_PRESET].pooling
        return SimpleNamespace(
            encoder=self.checkpoint.build(max_length=self.max_length, pooling=pooling)
        )


def open_model(place: Path) -> ExportedModel:
    """Return what lies in a folder of the zoo, in one of `transformers`, or on the hub.

    Raises:
        NasError: There is nothing that can be scored.
    """
    kind = ExportedModel if is_export(place) and not str(place).startswith(HUB) else TrainedEncoder
    return kind.open(place)
