"""A smaller encoder out of a trained one: what stays of each layer, and maps that are refitted."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nas.teachers.calibration import LayerWorth, refitted
from search_spaces.architectures.architecture import Architecture

_QKV = "mixers.sa_sdp.query_key_value"


@torch.inference_mode()
def extract(
    child: Architecture,
    weights: Mapping[str, Tensor],
    worth: Sequence[LayerWorth],
    layers: Sequence[int],
    *,
    refit: bool = True,
) -> dict[str, Tensor]:
    """Return the weights of a cut of an encoder like BERT's, named as in `Encoder`.

    Args:
        child: Layers as wide as the teacher's, with no more heads and neurons than its have.
        weights: The teacher's, named alike.
        worth: Of each of the teacher's layers.
        layers: Which of them stay, ascending, one for each layer of the child.
        refit: Whether output maps stand in for what goes; without, they are cut.
    """
    found = {name: value for name, value in weights.items() if not name.startswith("layers.")}
    for place, (layer, source) in enumerate(zip(child.layers, layers, strict=True)):
        old = {
            name.removeprefix(f"layers.{source}."): value
            for name, value in weights.items()
            if name.startswith(f"layers.{source}.")
        }
        new = _layer(old, worth[source], len(layer.heads), layer.feedforward[0], refit=refit)
        found |= {f"layers.{place}.{name}": value.contiguous() for name, value in new.items()}
    return found


def _layer(
    old: Mapping[str, Tensor], worth: LayerWorth, heads: int, inner: int, *, refit: bool
) -> dict[str, Tensor]:
    """Return one layer's tensors with its first `heads` heads and `inner` neurons, by worth."""
    new = dict(old)
    width = len(worth.heads.mean) // len(worth.head_order)
    stay = worth.kept_heads(heads)
    features = (stay[:, None] * width + torch.arange(width)).flatten()
    for kind in ("weight", "bias"):
        joined = old[f"{_QKV}.{kind}"]
        thirds = joined.unflatten(0, (3, -1))[:, features]
        new[f"{_QKV}.{kind}"] = thirds.flatten(0, 1)
    neurons = worth.feedforward_order[:inner].sort().values
    for kind in ("weight", "bias"):
        new[f"feedforward.stack.0.{kind}"] = old[f"feedforward.stack.0.{kind}"][neurons]
    for name, moments, kept in (
        ("mixed", worth.heads, features),
        ("feedforward.output", worth.feedforward, neurons),
    ):
        weight, bias = old[f"{name}.weight"], old[f"{name}.bias"]
        if refit:
            new[f"{name}.weight"], new[f"{name}.bias"] = refitted(weight, bias, moments, kept)
        else:
            new[f"{name}.weight"] = weight[:, kept]
    return new
