"""Layers of a cut whose mixer the teacher does not have: fitted once a run, kept, and found again.

What they are fitted on are the states that the teacher stored for the task: nothing is read again.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from nas.data.batches import batches, token_places
from nas.data.prepared import EncodedSplit
from nas.models.blocks import Inside, make_block
from nas.models.blocks.heads import module_name
from nas.models.positions import make_positions
from nas.teachers.mimicry import fit_mixer
from nas.whole_files import whole_file
from search_spaces.architectures.architecture import Architecture
from search_spaces.parts import Part

if TYPE_CHECKING:
    from nas.teachers.lessons import Lessons, Origin

FOLDER = "mixers"
_BATCHES, _BATCH = 12, 32  # of the task's training examples


def replaced_layers(child: Architecture, teacher: Architecture) -> list[int]:
    """Return the numbers of a cut's layers whose mixer its teacher has in no layer."""
    known = {head.kind for layer in teacher.layers for head in layer.heads}
    return [n for n, layer in enumerate(child.layers) if layer.heads[0].kind not in known]


def fitted_mixers(
    lessons: "Lessons",
    child: Architecture,
    weights: dict[str, Tensor],
    origin: "Origin",
    task: str,
    split: EncodedSplit,
) -> dict[str, Tensor]:
    """Return the tensors of the mixers that are another kind than the teacher's, and of their maps.

    Args:
        lessons: The teacher's.
        child: The cut.
        weights: What it was extracted with, mixers as at their start; not changed.
        origin: Which layers and heads it keeps.
        task: On which the teacher is fine-tuned.
        split: Its training examples.
    """
    found = {}
    for place in replaced_layers(child, lessons.architecture):
        own = {
            name.removeprefix(f"layers.{place}."): value
            for name, value in weights.items()
            if name.startswith(f"layers.{place}.")
        }
        source, heads = origin.layers[place], origin.heads[place]
        layer = child.layers[place]
        kept = "-".join(map(str, heads.tolist()))
        name = f"{task}-{source}-{module_name(layer.heads[0].kind)}-{kept}.safetensors"
        path = lessons.folder / FOLDER / name
        fitted = _read(path, own)
        if fitted is None:
            fitted = _fitted(lessons, child, place, own, source, heads, task, split)
            path.parent.mkdir(exist_ok=True)
            with whole_file(path) as partial:
                save_file(fitted, partial)
        found |= {f"layers.{place}.{name}": value for name, value in fitted.items()}
    return found


def _read(path: Path, own: dict[str, Tensor]) -> dict[str, Tensor] | None:
    """Return what was fitted before; None where nothing whole is there."""
    try:
        found = load_file(path)
    except (OSError, SafetensorError):
        return None
    fits = all(name in own and own[name].shape == value.shape for name, value in found.items())
    return found if fits else None


def _fitted(
    lessons: "Lessons",
    child: Architecture,
    place: int,
    own: dict[str, Tensor],
    source: int,
    heads: Tensor,
    task: str,
    split: EncodedSplit,
) -> dict[str, Tensor]:
    layer = child.layers[place]
    states = list(_states(lessons, task, split, source))
    places = make_positions(child.part("positions") or Part("absolute"), lessons.longest(task))
    inside = Inside(places, child.part("norm"), child.part("projection"), 0.0)
    with torch.random.fork_rng(devices=[]):  # whatever is drawn is replaced
        block = make_block(layer, layer.width, inside)
    block.load_state_dict(own)
    block.requires_grad_(requires_grad=False)
    fit_mixer(block, lessons.layer(task, source), heads, states)
    return {
        name: value.detach().clone().contiguous()
        for name, value in block.state_dict().items()
        if name.startswith(("mixers.", "mixed.")) and name in own
    }


def _states(
    lessons: "Lessons", task: str, split: EncodedSplit, number: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what a teacher's layer read of the first batches, with what is no padding."""
    stored = lessons.states(task)
    for batch in islice(batches(split, batch_size=_BATCH, seed=0), _BATCHES):
        keep = batch.sequences.keep
        x = torch.zeros(*keep.shape, stored.shape[2])
        x[keep] = torch.from_numpy(stored[number, token_places(split, batch)]).float()
        yield x, keep


def require_kinds(kinds: Sequence[str]) -> list[tuple[str, str | int]]:
    """Return operation and parameter of mixers that are written as heads are, without a width.

    Raises:
        InvalidArchitecture: There is no such mixer.
    """
    from search_spaces.architectures.layers import Head

    found = [Head.parse(f"{kind}_1", "mixers") for kind in kinds]
    return [(head.operation, head.parameter) for head in found]
