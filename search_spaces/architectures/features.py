"""Architectures as vectors: readable features for surrogates, and the encodings others use.

All of them by name through `search_spaces.vectors.encodings.encode`, with FlexiBERT 2.0's indices.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.facts import Columns, choice_of
from search_spaces.architectures.layers import Layer
from search_spaces.architectures.size import count_parameters
from search_spaces.errors import InvalidSpace
from search_spaces.operations import OPERATIONS, PLAIN

ROLES = ("sa_sdp", "sa_wma", "l_dft", "l_dct", "c")  # a convolution's kernel is a number of its own
LAYER_NAMES = (
    "present",
    "log2 width",
    "log2 heads",
    "log2 ff width",
    "ff depth",
    "ff growth",
    "log2 kernel",
)


def encode_features(
    architectures: Sequence[Architecture], max_layers: int, columns: Columns | None = None
) -> np.ndarray:
    """Return numbers a person can read: totals of the encoder, then one block for each layer.

    Totals: number of layers, log2 of the parameters (without embeddings), and the mean over the
    layers of every number of a block. A block: whether the layer exists, log2 of its width, heads
    and geometric mean feed-forward width, feed-forward depth, octaves from the first to the last
    feed-forward width, log2 of the mean kernel size of its convolutions, and the share of its heads
    of each kind; zeros beyond the last layer. Where slots vary, their columns follow: the means
    over the layers, those of each layer, then those of the model and its recipe.
    `feature_names` names the columns.

    Args:
        architectures: What to encode.
        max_layers: Most layers any may have.
        columns: What varies in slots and recipe; None for nothing.

    Returns:
        float64, `(architectures, features)`.

    Raises:
        InvalidSpace: If an architecture has more layers than `max_layers`.
    """
    _check_depth(architectures, max_layers)
    block = len(LAYER_NAMES) + len(ROLES)
    encoded = np.zeros((len(architectures), 1 + block + max_layers * block))
    for row, architecture in zip(encoded, architectures, strict=True):
        blocks = np.array([_layer_features(layer) for layer in architecture.layers])
        row[0] = len(blocks)
        row[1] = np.log2(count_parameters(architecture, vocabulary_size=0, max_length=0))
        row[2 : 1 + block] = blocks.mean(axis=0)[1:]
        row[1 + block : 1 + block + blocks.size] = blocks.ravel()
    return (
        encoded if not columns else np.hstack([encoded, _facts(architectures, max_layers, columns)])
    )


def _facts(architectures: Sequence[Architecture], max_layers: int, columns: Columns) -> np.ndarray:
    width = len(columns.layer_names)
    layers = np.zeros((len(architectures), max_layers, width))
    means = np.zeros((len(architectures), width))
    for i, architecture in enumerate(architectures):
        rows = np.array([columns.of_layer(layer) for layer in architecture.layers])
        layers[i, : len(rows)], means[i] = rows, rows.mean(axis=0)
    flat = layers.reshape(len(architectures), max_layers * width)
    return np.hstack([means, flat, columns.of_models(architectures)])


def feature_names(max_layers: int, columns: Columns | None = None) -> list[str]:
    """Return the names of the columns of `encode_features`."""
    block = [*LAYER_NAMES, *(f"share {role}" for role in ROLES)]
    layers = [f"layer {i} {name}" for i in range(max_layers) for name in block]
    names = ["layers", "log2 parameters", *(f"mean {name}" for name in block[1:]), *layers]
    if columns:
        names += [f"mean {name}" for name in columns.layer_names]
        names += [f"layer {i} {name}" for i in range(max_layers) for name in columns.layer_names]
        names += columns.model_names
    return names


def encode_one_hot(
    architectures: Sequence[Architecture], max_layers: int | None = None
) -> np.ndarray:
    """Return one column for each value that some position takes among the given architectures.

    Positions are the depth and, for each layer, width, number of heads, share of each kind of head
    and feed-forward stack, and what stands in each slot that varies; then the slots of the model
    and the fields of the recipe that vary. A missing layer has no column set. The squared distance
    of two rows is therefore twice their Hamming distance where both have the layer.

    Args:
        architectures: What to encode; they decide which columns there are.
        max_layers: Most layers any may have; by default the most any has.

    Returns:
        float64 of zeros and ones, `(architectures, columns)`.
    """
    max_layers = max_layers or max((len(a) for a in architectures), default=0)
    _check_depth(architectures, max_layers)
    varying = Columns.among(architectures)
    rows = [one_hot_names(architecture, varying) for architecture in architectures]
    columns = {value: i for i, value in enumerate(sorted({v for row in rows for v in row}))}
    encoded = np.zeros((len(rows), len(columns)))
    for i, row in enumerate(rows):
        encoded[i, [columns[value] for value in row]] = 1.0
    return encoded


def one_hot_names(architecture: Architecture, columns: Columns | None = None) -> list[str]:
    """Return the names of the columns of `encode_one_hot` that are 1 for an architecture.

    Args:
        architecture: What to name.
        columns: What varies in slots and recipe; None for nothing.
    """
    slots = columns.layer_slots if columns else ()
    found = [f"depth={len(architecture)}"]
    for i, layer in enumerate(architecture.layers):
        values = (
            f"width={layer.width}",
            f"heads={len(layer.heads)}",
            *(f"{kind}*{Fraction(count, len(layer.heads))}" for kind, count in layer.kinds.items()),
            f"ff={layer.feedforward}",
            *(f"{slot}={layer.part(slot)}" for slot in slots),
        )
        found += [f"{i:03d} {value}" for value in values]
    for name in columns.model_choices if columns else ():
        value = choice_of(architecture, name)
        if value is not None:
            found.append(f"{name}={value}")
    return found


def encode_naive(
    architectures: Sequence[Architecture], max_layers: int | None = None
) -> np.ndarray:
    """Return the published baseline encoding: depth, then five numbers for each layer.

    The five: width, heads, index of the operation, index of its parameter, product of the
    feed-forward widths. Zeros beyond the last layer. Length `1 + 5 * max_layers`: 21 for the
    paper's space.

    Source: Tuli et al., "FlexiBERT", JAIR 2023 (the "naive" embedding of the ablation).

    Args:
        architectures: Per-layer architectures: all heads of a layer alike.
        max_layers: Most layers any may have; by default the most any has.

    Returns:
        float64, `(architectures, 1 + 5 * max_layers)`.

    Raises:
        InvalidSpace: If a layer mixes kinds of head, or one has too many layers.
    """
    max_layers = max_layers or max((len(a) for a in architectures), default=0)
    _check_depth(architectures, max_layers)
    encoded = np.zeros((len(architectures), 1 + 5 * max_layers))
    for row, architecture in zip(encoded, architectures, strict=True):
        row[0] = len(architecture)
        for i, layer in enumerate(architecture.layers):
            row[1 + 5 * i : 6 + 5 * i] = _naive_layer(layer)
    return encoded


def _layer_features(layer: Layer) -> list[float]:
    heads = layer.heads
    shares = dict.fromkeys(ROLES, 0.0)
    kernels = []
    for head in heads:
        if head.operation == "c":
            kernels.append(head.parameter)
        role = _role(head)
        if role in shares:  # newer mixers are facts
            shares[role] += 1 / len(heads)
    return [
        1.0,
        np.log2(layer.width),
        np.log2(len(heads)),
        np.mean(np.log2(layer.feedforward)),
        len(layer.feedforward),
        np.log2(layer.feedforward[-1] / layer.feedforward[0]),
        np.log2(np.mean(kernels)) if kernels else 0.0,
        *shares.values(),
    ]


def _role(head) -> str:
    return head.operation if head.operation in ROLES else head.kind


def _naive_layer(layer: Layer) -> tuple[float, ...]:
    if len(layer.kinds) > 1:
        raise InvalidSpace(
            f"The naive encoding knows only layers of one kind of head; one has {layer.kinds}. "
            "Use encode_features or encode_one_hot."
        )
    head = layer.heads[0]
    if head.operation not in PLAIN:
        raise InvalidSpace(
            f"The naive encoding knows only the operations {', '.join(PLAIN)}; one layer has "
            f"{head.kind}. Use encode_features or encode_one_hot."
        )
    choices = OPERATIONS[head.operation].settings["parameter"].allowed
    parameter = choices.index(head.parameter) if choices else head.parameter // 4 - 1
    operation = PLAIN.index(head.operation)
    return layer.width, len(layer.heads), operation, parameter, float(np.prod(layer.feedforward))


def _check_depth(architectures: Sequence[Architecture], max_layers: int) -> None:
    deepest = max((len(architecture) for architecture in architectures), default=0)
    if deepest > max_layers:
        raise InvalidSpace(
            f"An architecture has {deepest} layers, but max_layers is {max_layers}. "
            f"Use max_layers={deepest} or more."
        )
