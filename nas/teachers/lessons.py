"""What a teacher that was made ready for a run gives its students: weights to start with, answers.

Everything lies in one folder, task by task, each complete or not there.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nas.data.batches import Batch, token_places
from nas.data.prepared import EncodedSplit
from nas.evaluation.mean_score import mean_score
from nas.evaluation.measured import values_of
from nas.models.blocks import Inside, make_block
from nas.models.encoder import Encoder
from nas.models.positions import make_positions
from nas.teachers.attention import Attention, attention_of
from nas.teachers.calibration import LayerWorth, Moments
from nas.teachers.embedding import token_table
from nas.teachers.extraction import extract
from nas.teachers.layer_choice import matching_layers
from nas.teachers.replacement import fitted_mixers
from nas.whole_files import whole_file
from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidData, quoted
from search_spaces.parts import Part

_LONGEST = 512  # where no table of the teacher says how long its sequences are
WHOLE = "checkpoint"  # the name of the part that is the teacher as it came, of no task


@dataclass(frozen=True)
class Answers:
    """What an encoder and its head say of a batch.

    Attributes:
        outputs: Of the head, `(batch, outputs)`; of a regression in scaled labels; of a task of
            words for each real token, `(tokens, outputs)`.
        states: Hidden states, `(batch, length, width)` each: of the student after every layer, of
            the teacher where the student's are to be like them.
        keep: True for real tokens, `(batch, length)`.
        attention: What each layer attends to: of the student every layer's; of the teacher that of
            the layers and heads that the student's were cut from.
        last: What the last layer attends to, of the teacher with all its heads.
    """

    outputs: Tensor
    states: list[Tensor]
    keep: Tensor
    attention: list[Attention] = field(default_factory=list)
    last: Attention | None = None


@dataclass(frozen=True)
class Origin:
    """What of a teacher a student was cut from.

    Attributes:
        layers: Numbers of the teacher's layers that it keeps, ascending.
        heads: Of each of them the numbers of the heads that it keeps, ascending.
    """

    layers: tuple[int, ...]
    heads: tuple[Tensor, ...]

    def cut(
        self, child: Architecture, worth: Sequence[LayerWorth], layers: Sequence[int]
    ) -> "Origin":
        """Return where a cut of this student comes from.

        Args:
            child: The cut.
            worth: Of each of this student's layers.
            layers: Which of them it keeps.
        """
        heads = [
            self.heads[number][worth[number].kept_heads(len(layer.heads))]
            for number, layer in zip(layers, child.layers, strict=True)
        ]
        return Origin(tuple(self.layers[number] for number in layers), tuple(heads))


@dataclass(frozen=True)
class Cut:
    """A teacher of one task, and what a student of some architecture takes over.

    Attributes:
        encoder: Weights for the student's encoder.
        classifier: Weights for its head.
        origin: What of the teacher it keeps.
    """

    encoder: dict[str, Tensor]
    classifier: dict[str, Tensor]
    origin: Origin

    @property
    def layers(self) -> tuple[int, ...]:
        """Which of the teacher's layers it keeps."""
        return self.origin.layers


class Lessons:
    """What `nas.training.teaching` wrote, for the trials of a run.

    Args:
        folder: Where it lies.

    Raises:
        InvalidData: It is not complete.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.facts = self._task(WHOLE)

    def scores(self) -> dict[str, float]:
        """Return what the teacher reaches on each task."""
        names = sorted(path.stem for path in self.folder.glob("*.json"))
        return {n: self._task(n)["score"] for n in names if n != WHOLE}

    def figures(self) -> dict[str, float]:
        """Return the whole teacher's scores and costs, by the names that trials have for them."""
        scores = self.scores()
        counted = mean_score(scores, include_wnli="wnli" in scores) if scores else {}
        return values_of({"scores": counted | scores, "costs": self.facts.get("costs", {})})

    def card(self, architecture: Architecture) -> dict[str, Any]:
        """Return what a model card says of the teacher and of what a student keeps of it."""
        return {
            "name": self.facts["source"],
            "architecture": Architecture.from_dict(self.facts["architecture"]).describe(),
            **(
                {"layers": matching_layers(architecture, self.architecture, self.layers())}
                if self.cuts
                else {}
            ),
            "scores": self.scores(),
            "licence": self.facts["licence"],
        }

    @property
    def cuts(self) -> bool:
        """Whether students are cut out of the teacher, and not only taught."""
        return self.facts.get("cuts", True)

    def cut(
        self, architecture: Architecture, task: str = WHOLE, split: EncodedSplit | None = None
    ) -> Cut:
        """Return the weights with which a student of `task` starts; without one, no head's.

        Args:
            architecture: The student.
            task: Name of the task.
            split: Its training examples, on which mixers that the teacher does not have are fitted;
                None leaves them as they begin.
        """
        weights, classifier, worth = self._read(task)
        origin = self.origin(architecture, task)
        found = extract(architecture, weights, worth, origin.layers)
        if split is not None:
            found |= fitted_mixers(self, architecture, found, origin, task, split)
        return Cut(found, classifier, origin)

    @property
    def architecture(self) -> Architecture:
        """What the teacher is built like."""
        return Architecture.from_dict(self.facts["architecture"])

    def weights(self, task: str = WHOLE) -> dict[str, Tensor]:
        """Return the tensors of the teacher of a task, named as in `Encoder`."""
        return self._read(task)[0]

    def encoder(self, task: str = WHOLE) -> Encoder:
        """Return the whole teacher of a task, not to be trained."""
        weights = self.weights(task)
        found = Encoder(
            self.architecture,
            len(weights[token_table(weights)]),
            max_length=_longest(weights),
            dropout=0.0,
        )
        found.load_state_dict(weights)
        return found.eval().requires_grad_(requires_grad=False)

    def worth(self, task: str = WHOLE) -> list[LayerWorth]:
        """Return what each of its layers is worth."""
        return self._read(task)[2]

    def layers(self, task: str = WHOLE) -> list[list[int]]:
        """Return, for each number of layers from one to all, which stay."""
        return self._task(task)["layers"]

    def origin(self, architecture: Architecture, task: str = WHOLE) -> Origin:
        """Return what of the teacher of a task a student is cut from, all at once."""
        worth = self.worth(task)
        whole = Origin(
            tuple(range(len(worth))),
            tuple(torch.arange(len(layer.head_order)) for layer in worth),
        )
        layers = matching_layers(architecture, self.architecture, self.layers(task))
        return whole.cut(architecture, worth, layers)

    def aims(self, depth: int) -> Origin:
        """Return what the states of a student that is no cut are to be like, evenly by depth."""
        whole = len(self.architecture.layers)
        return Origin((0, *(round(n * whole / depth) for n in range(1, depth))), ())

    def _read(self, task: str) -> tuple[dict[str, Tensor], dict[str, Tensor], list[LayerWorth]]:
        return _read_teacher(self.folder / f"{task}.safetensors")

    def answers(
        self, origin: Origin, task: str, split: EncodedSplit, reads: Collection[str]
    ) -> Callable[[Batch], Answers]:
        """Return what gives the teacher's answers to a batch of the training examples.

        After each layer a student's states are to be those that the next layer it keeps has always
        read; after the last, the teacher's last.

        Args:
            origin: Of the student; of one that is no cut, `aims`.
            task: Name of the task.
            split: Its training examples, as they were when the teacher was made ready.
            reads: Which of "states", "attention" and "last" are wanted beside the outputs.
        """
        kept, heads = origin.layers, origin.heads
        wanted = [*kept[1:], -1] if "states" in reads else []
        rows = len(split.tokens) if split.per_token else len(split)
        logits = self._array(f"{task}.logits.npy", rows)
        stored = self.states(task) if reads else None
        attending = {n: self.layer(task, n) for n in (kept if "attention" in reads else ())}
        last = self.layer(task, len(self.architecture.layers) - 1) if "last" in reads else None

        def answers(batch: Batch) -> Answers:
            device = batch.tokens.device
            here = batch if device.type == "cpu" else batch.to(torch.device("cpu"))
            places = token_places(split, here)
            said = places if split.per_token else here.rows.numpy()
            outputs = torch.from_numpy(logits[said]).to(device)

            keep = here.sequences.keep

            def state(number: int) -> Tensor:
                whole = torch.zeros(*keep.shape, stored.shape[2])
                whole[keep] = torch.from_numpy(stored[number, places]).float()
                return whole.to(device)

            with torch.no_grad():
                attention = [
                    attention_of(attending[number].to(device), state(number), chosen.to(device))
                    for number, chosen in zip(attending, heads, strict=False)
                ]
                end = None if last is None else attention_of(last.to(device), state(-2))
            return Answers(outputs, [state(n) for n in wanted], keep.to(device), attention, end)

        return answers

    def states(self, task: str) -> np.ndarray:
        """Return what each layer read of the training examples, and last what the encoder gave.

        `(layers + 1, tokens, width)`, in half precision.
        """
        return self._array(f"{task}.states.npy")

    def longest(self, task: str) -> int:
        """Return how long a sequence the teacher of a task reads, in tokens."""
        return _longest(self.weights(task))

    def layer(self, task: str, number: int) -> nn.Module:
        """Return one of the teacher's layers, not to be trained."""
        return _build_layer(
            self.folder / f"{task}.safetensors", number, json.dumps(self.facts["architecture"])
        )

    def _array(self, name: str, rows: int | None = None) -> np.ndarray:
        path = self.folder / name
        try:
            found = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise _incomplete(path, error) from None
        if rows is not None and len(found) != rows:
            raise _incomplete(path, f"it has {len(found)} rows, and the data {rows}")
        return found

    def _task(self, name: str) -> dict[str, Any]:
        return _read_facts(self.folder / f"{name}.json")


@lru_cache(maxsize=8)
def _read_teacher(
    path: Path,
) -> tuple[dict[str, Tensor], dict[str, Tensor], list[LayerWorth]]:
    try:
        named = load_file(path)
    except (OSError, SafetensorError) as error:
        raise _incomplete(path, error) from None
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "classifier": {}, "worth": {}}
    for name, value in named.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = value
    worth = []
    while f"{len(worth)}.head_order" in parts["worth"]:
        own = {
            name.partition(".")[2]: value
            for name, value in parts["worth"].items()
            if name.startswith(f"{len(worth)}.")
        }
        worth.append(
            LayerWorth(
                Moments(own["heads.mean"], own["heads.second"]),
                Moments(own["feedforward.mean"], own["feedforward.second"]),
                own["head_order"],
                own["feedforward_order"],
            )
        )
    return parts["encoder"], parts["classifier"], worth


@lru_cache(maxsize=32)
def _build_layer(path: Path, number: int, architecture: str) -> nn.Module:
    weights, _, _ = _read_teacher(path)
    whole = Architecture.from_dict(json.loads(architecture))
    layer = whole.layers[number]
    own = {
        name.removeprefix(f"layers.{number}."): value
        for name, value in weights.items()
        if name.startswith(f"layers.{number}.")
    }
    places = make_positions(whole.part("positions") or Part("absolute"), _longest(weights))
    inside = Inside(places, whole.part("norm"), whole.part("projection"), 0.0)
    found = make_block(layer, layer.width, inside).eval().requires_grad_(requires_grad=False)
    found.load_state_dict(own)
    return found


def _longest(weights: Mapping[str, Tensor]) -> int:
    """Return how long a sequence a teacher's tables allow, in tokens."""
    if "embeddings.positions.weight" in weights:
        return len(weights["embeddings.positions.weight"])
    if "layers.0.distances.weight" in weights:
        return (len(weights["layers.0.distances.weight"]) + 1) // 2
    return _LONGEST


def is_complete(folder: Path, tasks: Iterable[str]) -> bool:
    """Whether a teacher is there for each of some tasks."""
    return all((folder / f"{name}.json").is_file() for name in (WHOLE, *tasks))


def write_teacher(
    path: Path,
    encoder: Mapping[str, Tensor],
    classifier: Mapping[str, Tensor],
    worth: list[LayerWorth],
) -> None:
    """Write a task's teacher and what calibration found of it, whole or not at all."""
    tensors = {f"encoder.{name}": value for name, value in encoder.items()}
    tensors |= {f"classifier.{name}": value for name, value in classifier.items()}
    for number, layer in enumerate(worth):
        own = {
            "heads.mean": layer.heads.mean,
            "heads.second": layer.heads.second,
            "feedforward.mean": layer.feedforward.mean,
            "feedforward.second": layer.feedforward.second,
            "head_order": layer.head_order,
            "feedforward_order": layer.feedforward_order,
        }
        tensors |= {f"worth.{number}.{name}": value for name, value in own.items()}
    with whole_file(path) as partial:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial)


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        kept = found["layers"]
        for number, layers in enumerate(kept, 1):
            if [int(layer) for layer in layers] != sorted(set(layers)) or len(layers) != number:
                raise ValueError(f"layers {layers!r} are no choice of {number}")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _incomplete(path, error) from None
    return found


def _incomplete(path: Path, error: object) -> InvalidData:
    return InvalidData(
        f"The teacher in {path.parent} is not complete: {path.name} cannot be read ({error}). "
        f"Make it again with: nas resume {quoted(path.parent.parent)}"
    )
