"""Weights of a trained encoder for another architecture, so that it needs less pre-training.

Layers are matched in order, heads by kind, tensors by what their axes are; `nas.models.axes`
carries one axis, `nas.models.growth` makes additional layers compute nothing at first.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023, and Tuli and Jha, "EdgeTran", 2023 (weight transfer between neighbours by ordered slices
or random projection).
Differs on purpose: a layer of another kind does not end the transfer; tensors that share an axis
are carried by one map; so is the masked-language head; growing keeps what the parent computes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nas.models.axes import AxisMap, AxisMaps, reading, selection
from nas.models.carrier import (
    Carrier,
    centred,
    first_ones,
    norm_axes,
    states_axis,
)
from nas.models.encoder import Encoder
from nas.models.growth import add_feedforwards, add_layers, add_stacked
from nas.models.heads import MaskedLanguageHead
from nas.models.layer_transfer import carry_layer
from nas.models.overlap import (
    match_layers,
    parent_streams,
    same_inside,
    same_sums,
    shared_feedforward,
    sums_below_width,
)
from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.size import table_width
from search_spaces.errors import InvalidData
from search_spaces.kinds import SLOTS


@dataclass(frozen=True)
class Inheritance:
    """Whose weights a trial starts from.

    Attributes:
        architecture: The trained parent.
        weights_path: Its safetensors file with "encoder.*" and "mlm.*", as a trial writes it.
        method: A name in `nas.models.axes.TRANSFER_METHODS`.
    """

    architecture: Architecture
    weights_path: Path
    method: str = "grow"

    def read(self) -> dict[str, Tensor]:
        """Read the parent's tensors.

        Raises:
            InvalidData: If the file is missing or is not a safetensors file.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(self.weights_path)
        except (OSError, SafetensorError) as error:
            raise InvalidData(
                f"The weights to inherit, {self.weights_path}, cannot be read: {error}. Give the "
                "safetensors file that the parent's trial wrote, or train without a parent."
            ) from error


@dataclass(frozen=True)
class InheritanceReport:
    """What a child got.

    Attributes:
        method: The method asked for.
        layers: For every layer of the child, the parent's layer it was matched with, or None.
        inherited: Parameters that come from the parent.
        parameters: All parameters of the child.
    """

    method: str
    layers: tuple[int | None, ...]
    inherited: int
    parameters: int

    @property
    def share(self) -> float:
        """The share of the child's parameters that come from the parent, in [0, 1]."""
        return self.inherited / self.parameters


def inherit_weights(
    encoder: Encoder,
    architecture: Architecture,
    parent: Architecture,
    tensors: Mapping[str, Tensor],
    *,
    head: MaskedLanguageHead | None = None,
    method: str = "grow",
    seed: int = 0,
) -> InheritanceReport:
    """Set the weights of `encoder` in place from those of a trained parent; new ones stay.

    With "slice" the first part of every axis is taken; with "projection" every axis is projected on
    random directions; with "grow" a smaller axis is sliced, and a larger one repeats the features
    so that the encoder computes what the parent computes. That is exact (hidden states are
    repeated, the masked-language logits equal) if every layer of the parent has its match, in which
    no axis shrinks, no head is lost or changes its kind, the widths of layers grow to multiples,
    heads of linear transforms keep their width, and additional layers do not follow a change of
    width. Elsewhere it is near.

    Args:
        encoder: The child, freshly initialised, on any device.
        architecture: The child's architecture.
        parent: The parent's architecture.
        tensors: The parent's weights, "encoder.*" and, for `head`, "mlm.*".
        head: The child's masked-language head.
        method: A name in `nas.models.axes.TRANSFER_METHODS`.
        seed: Decides the projections, and the unequal shares of the readers of repeated features.

    Raises:
        UnknownName: If there is no such method.
        InvalidData: If the tensors are not those of `parent`, or of another vocabulary.
    """
    maps = AxisMaps(method, seed)
    _check(encoder, parent, tensors)
    own = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    if head is not None:
        own.update({f"mlm.{name}": value for name, value in head.state_dict().items()})
    distances = encoder.max_length if encoder.layers[0].distances is not None else 0
    matched = match_layers(architecture, parent, distances=distances)
    carrier = Carrier(own, tensors, maps)
    with torch.no_grad():
        _carry_ends(carrier, encoder, architecture, parent, matched)
        for i, j in enumerate(matched):
            pair = (architecture.layers[i], parent.layers[j]) if j is not None else None
            if pair is not None and same_inside(*pair):
                states = states_axis(matched, i, j)
                carry_layer(carrier, encoder.layers[i], pair, (i, j), states)
        _carry_projections(carrier, architecture, parent, matched)
        if method == "grow":
            add_layers(encoder, matched)
            for i, j in enumerate(matched):
                pair = (architecture.layers[i], parent.layers[j]) if j is not None else None
                if pair is not None and same_inside(*pair) and shared_feedforward(*pair):
                    for block in encoder.layers[i].feedforwards.values():
                        add_feedforwards(block, pair[1].feedforward, maps, i)
                    add_stacked(encoder.layers[i], pair[1].widths.feedforwards)
    inherited = sum(int(mask.sum()) for mask in carrier.filled.values())
    return InheritanceReport(method, matched, inherited, sum(t.numel() for t in own.values()))


def _carry_ends(
    carrier: Carrier,
    encoder: Encoder,
    architecture: Architecture,
    parent: Architecture,
    matched: tuple[int | None, ...],
) -> None:
    """Embeddings, pooler and masked-language head."""
    maps = carrier.maps
    c, p = architecture.layers, parent.layers
    scope = {
        "first": maps("width", c[0].width, p[0].width),
        "last": maps("width", c[-1].width, p[-1].width),
    }
    tables = table_width(architecture), table_width(parent)
    wide = tables == (c[0].width, p[0].width)
    scope["code"] = scope["first"] if wide else maps("code", *tables)
    tokens = encoder.vocabulary_size
    scope["tokens"] = selection(range(tokens), tokens)
    same, narrow = same_sums(architecture, parent), sums_below_width(architecture)
    summed = "code" if narrow else "first"
    for table in ("types", "positions") if same else ():
        given = carrier.given.get(f"encoder.embeddings.{table}.weight")
        own = carrier.own.get(f"encoder.embeddings.{table}.weight")
        if given is not None and own is not None:
            scope[table] = selection(first_ones(len(own), len(given)), len(given))
            name = f"encoder.embeddings.{table}.weight"
            carrier.named(name, name, (table, summed), scope)
    ends: dict[str, tuple[str, ...]] = {}
    if encoder.distances is not None:
        name = "encoder.distances"
        given = carrier.given.get(f"{name}.weight")
        if given is not None:
            scope["rows"] = centred(len(carrier.own[f"{name}.weight"]), len(given))
            ends[f"{name}.weight"] = ("rows", "first")
            ends |= norm_axes(f"{name}.norm", encoder.distances.norm, "first")
    # the decoder reads the table that the embedding writes: the gain before it makes up for copies
    first = scope["code"]
    gain = first.read * first.loudness if first.copies else first.scale
    scope["gain"] = AxisMap(gain, gain, gain, first.filled)
    scope["level"] = reading(first)
    ends |= {
        f"encoder.embeddings.tokens.{name}": words
        for name, words in getattr(encoder.embeddings.tokens, "axes", {}).items()
    }
    if same:
        ends |= norm_axes("encoder.embeddings.norm", encoder.embeddings.norm, summed)
    if encoder.output_norm is not None:
        ends |= norm_axes("encoder.output_norm", encoder.output_norm, "last")
    ends |= {
        "mlm.transform.bias": ("code",),
        "mlm.decoder.weight": ("tokens", "code"),
        "mlm.norm.weight": ("gain",),
        "mlm.norm.bias": ("level",),
        "mlm.bias": ("tokens",),
        "encoder.pooler.bias": ("last",),
    }
    for name, words in ends.items():
        carrier.named(name, name, words, scope)
    streams = parent_streams(matched)
    bridge = _bridge(carrier.given, parent, streams[-1], len(p) - 1)
    reads = ("read", maps("width", c[-1].width, p[streams[-1]].width))
    for name, end in (("mlm.transform", "code"), ("encoder.pooler", "last")):
        weight, bias = (carrier.given.get(f"{name}.{part}") for part in ("weight", "bias"))
        if weight is None or bridge is None:
            continue
        matrix, level = bridge
        if matrix is not None:
            carrier.tensor(f"{name}.bias", bias + weight @ level, [("write", scope[end])])
            weight = weight @ matrix
        carrier.tensor(f"{name}.weight", weight, [("write", scope[end]), reads])


def _carry_projections(
    carrier: Carrier,
    architecture: Architecture,
    parent: Architecture,
    matched: tuple[int | None, ...],
) -> None:
    """Projections between layers of different widths: the parent's in between, if any."""
    streams = parent_streams(matched)
    maps, layers = carrier.maps, architecture.layers
    for i in range(len(layers) - 1):
        name = f"encoder.layers.{i}.projection"
        if f"{name}.weight" not in carrier.own:
            continue
        start, stop = streams[i], streams[i + 1]
        before, after = parent.layers[start].width, parent.layers[stop].width
        bridge = _bridge(carrier.given, parent, start, stop)
        if bridge is None:
            continue
        matrix, level = bridge
        if matrix is None:  # the parent's width stays: so does, as far as it fits, what it carries
            matrix, level = torch.eye(before), torch.zeros(before)
        writes = ("write", maps("width", layers[i + 1].width, after))
        reads = ("read", maps("width", layers[i].width, before))
        carrier.tensor(f"{name}.weight", matrix, [writes, reads])
        carrier.tensor(f"{name}.bias", level, [writes])


def _bridge(
    tensors: Mapping[str, Tensor], parent: Architecture, start: int, stop: int
) -> tuple[Tensor, Tensor] | tuple[None, None] | None:
    """All projections of a parent from layer `start` to layer `stop` as one linear map.

    Two Nones where widths stay the same, None where a projection is no linear map.
    """
    matrix = level = None
    for j in range(start, stop):
        before, after = parent.layers[j].width, parent.layers[j + 1].width
        if before == after:
            continue
        weight = tensors.get(f"encoder.layers.{j}.projection.weight")
        if weight is None or weight.shape != (after, before):
            return None
        weight = weight.float().cpu()
        bias = tensors.get(f"encoder.layers.{j}.projection.bias")
        bias = torch.zeros(after) if bias is None else bias.cpu()
        matrix = weight if matrix is None else weight @ matrix
        level = bias if level is None else weight @ level + bias
    return matrix, level


def _check(encoder: Encoder, parent: Architecture, tensors: Mapping[str, Tensor]) -> None:
    expected = {}
    if parent.part("embedding") == SLOTS["embedding"].default_part:
        name = "encoder.embeddings.tokens.weight"
        expected[name] = (encoder.vocabulary_size, parent.layers[0].width)
    for j, layer in enumerate(parent.layers):
        if layer.part("block") == SLOTS["block"].default_part:
            expected[f"encoder.layers.{j}.mixed.weight"] = (layer.width, layer.inner_width)
    for key, shape in expected.items():
        found = tuple(tensors[key].shape) if key in tensors else None
        if found != shape:
            what = "are missing" if found is None else f"have the shape {found}"
            raise InvalidData(
                f"The weights to inherit {what} at {key!r}; expected is {shape}, as the parent "
                f"{parent.short} has it with {encoder.vocabulary_size} token ids. Inherit from "
                "weights of this architecture, trained with the same tokenizer."
            )
