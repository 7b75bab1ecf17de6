"""A smaller encoder out of a trained one: what stays of each layer, and maps that are refitted."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nas.models.blocks.heads import module_name
from nas.teachers.calibration import LayerWorth, refitted
from nas.teachers.cuttable import ATTENTION
from nas.teachers.embedding import narrowed
from nas.teachers.mimicry import new_mixer
from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Layer

# A map of a mixer, or of a feed-forward -> how many parts its rows hold, each with all heads, or
# all neurons: of queries, keys and values; of gates and what they multiply.
HEAD_ROWS = {"query_key_value": 3, "query": 1, "key_value": 2}
NEURON_ROWS = {"stack.0": 1, "gated.0": 2}


@torch.inference_mode()
def extract(
    child: Architecture,
    weights: Mapping[str, Tensor],
    worth: Sequence[LayerWorth],
    layers: Sequence[int],
    *,
    refit: bool = True,
) -> dict[str, Tensor]:
    """Return the weights of a cut of an encoder, named as in `Encoder`.

    Args:
        child: Layers as wide as the teacher's, with no more heads and neurons than its have. Mixers
            that no teacher has are as at their start, but for its queries, keys and values.
        weights: The teacher's, named alike.
        worth: Of each of the teacher's layers.
        layers: Which of them stay, ascending, one for each layer of the child.
        refit: Whether output maps stand in for what goes; without, they are cut.
    """
    whole = narrowed(weights, child)
    found = {name: value for name, value in whole.items() if not name.startswith("layers.")}
    for place, (layer, source) in enumerate(zip(child.layers, layers, strict=True)):
        old = {
            name.removeprefix(f"layers.{source}."): value
            for name, value in weights.items()
            if name.startswith(f"layers.{source}.")
        }
        new = _layer(old, worth[source], layer, child, refit=refit)
        found |= {f"layers.{place}.{name}": value.contiguous() for name, value in new.items()}
    return found


def _layer(
    old: Mapping[str, Tensor],
    worth: LayerWorth,
    layer: Layer,
    child: Architecture,
    *,
    refit: bool,
) -> dict[str, Tensor]:
    """Return a layer's tensors with as many of its heads and neurons as `layer` has, by worth."""
    width = len(worth.heads.mean) // len(worth.head_order)
    stay = worth.kept_heads(len(layer.heads))
    features = (stay[:, None] * width + torch.arange(width)).flatten()
    neurons = worth.feedforward_order[: layer.feedforward[0]].sort().values
    mixer = module_name(layer.heads[0].kind)
    new, attention = {}, {}
    for name, value in old.items():
        stem = name.rpartition(".")[0]
        if stem.startswith("mixers."):
            inner = name.split(".", 2)[2]
            parts = HEAD_ROWS[inner.rpartition(".")[0]]
            attention[inner] = _rows(value, parts, features)
        elif (parts := NEURON_ROWS.get(stem.removeprefix("feedforward."))) is not None:
            new[name] = _rows(value, parts, neurons)
        else:
            new[name] = value
    if layer.heads[0].operation in ATTENTION:
        # the same heads under the name of another window, if it has one
        new |= {f"mixers.{mixer}.{inner}": value for inner, value in attention.items()}
    else:
        new |= new_mixer(layer, child, attention)
    for name, moments, kept in (
        ("mixed", worth.heads, features),
        ("feedforward.output", worth.feedforward, neurons),
    ):
        weight, bias = old[f"{name}.weight"], old.get(f"{name}.bias")
        weight, bias = refitted(weight, bias, moments, kept) if refit else (weight[:, kept], bias)
        new[f"{name}.weight"] = weight
        if bias is not None:
            new[f"{name}.bias"] = bias
    return new


def _rows(value: Tensor, parts: int, kept: Tensor) -> Tensor:
    """Return the rows of some heads or neurons, out of each of several parts."""
    return value.unflatten(0, (parts, -1))[:, kept].flatten(0, 1)
