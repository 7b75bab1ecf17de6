"""Parameters and floating-point operations of an architecture, without building the model."""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Layer
from search_spaces.errors import InvalidArchitecture, UnknownName
from search_spaces.kinds import LAYER_SLOTS, SLOTS, Kind, LayerShape, LayerWidths, ModelShape
from search_spaces.operations import (
    OPERATIONS,
    HeadGroup,
    group_flops,
    group_parameters,
    mixer_part,
)
from search_spaces.parts import Part

COUNTED = ("embedding", "positions", "projection")  # model slots that count by themselves


def count_parameters(
    architecture: Architecture,
    *,
    vocabulary_size: int,
    max_length: int = 128,
    token_types: int = 2,
    positions: str = "absolute",
    masked_lm: bool = False,
) -> int:
    """Return the number of trainable parameters of the model `nas` builds.

    Embeddings, layers, projections between layers of different widths and the pooler.

    Args:
        architecture: The encoder.
        vocabulary_size: Number of tokens.
        max_length: Longest sequence, in tokens.
        token_types: Number of segment kinds.
        positions: A kind of positions, where the architecture does not say: "absolute" (one
            learned table), "relative" (one table in each layer) or another.
        masked_lm: Also count the masked-language-model head, whose decoder is tied to the token
            embedding.

    Raises:
        UnknownName: If there are no such positions.
    """
    relative, rows, shape, parts = _model(
        architecture, positions, vocabulary_size, max_length, token_types
    )
    layers = architecture.layers
    last = layers[-1].width
    total = token_types * shape.embedded + shape.norm(shape.embedded)
    total += sum(kind.parameters(shape, part) for kind, part in parts)
    for i, layer in enumerate(layers, 1):
        for operation, group in _groups(layer, relative=relative, rows=rows):
            total += group_parameters(operation, group)
        widths = layer.widths
        total += (layer.inner_width + 1) * widths.inner
        norms = shape.norm(layer.width), shape.norm(widths.inner)
        inside = layer.shape(*norms, last=i == len(layers), states=i)
        for kind, part, of_kind, times in layer_kinds(layer.parts, widths, inside):
            total += times * kind.parameters(of_kind, part)
    total += (last + 1) * last
    if masked_lm:
        output = architecture.part("output")
        total += (last + 1) * shape.table + shape.norm(shape.table)
        total += SLOTS["output"].kinds[output.kind].parameters(shape, output)
    return total


def count_flops(
    architecture: Architecture,
    *,
    length: int,
    vocabulary_size: int,
    positions: str = "absolute",
    masked_lm: bool = False,
) -> int:
    """Return the floating-point operations of one forward pass over one sequence.

    A multiply-add counts 2. Counted are linear maps, scores and weighted sums, convolutions, fast
    transforms (5 N log2 N) and the pooler; not counted are look-ups, biases, norms, softmax and
    activations.

    Args:
        architecture: The encoder.
        length: Tokens of the sequence.
        vocabulary_size: Number of tokens that exist; matters only with `masked_lm`.
        positions: "absolute" or "relative".
        masked_lm: Also count the masked-language-model head, at every token.

    Raises:
        UnknownName: If there are no such positions.
    """
    relative, rows, shape, parts = _model(architecture, positions, vocabulary_size, length, 2)
    layers = architecture.layers
    last = layers[-1].width
    total = 2 * last * last
    total += sum(kind.flops(shape, part, length) for kind, part in parts)
    table = _table_rows(architecture, positions) if rows else 0
    for i, layer in enumerate(layers, 1):
        for operation, group in _groups(layer, relative=relative, rows=rows):
            total += group_flops(operation, group, length)
        widths = layer.widths
        total += 2 * length * layer.inner_width * widths.inner
        read = table if _attends(layer) else 0
        inside = layer.shape(last=i == len(layers), states=i, rows=read)
        for kind, part, of_kind, times in layer_kinds(layer.parts, widths, inside):
            total += times * kind.flops(of_kind, part, length)
    if masked_lm:
        total += 2 * length * shape.table * (last + vocabulary_size)
    return total


def count_kept(architecture: Architecture, *, length: int, positions: str = "absolute") -> float:
    """Return how many numbers a token leaves behind in the kinds of an encoder's slots.

    They are kept for the backward pass. A mixer that does not say counts as self-attention does:
    one number a head for every token of the sequence.

    Args:
        architecture: The encoder.
        length: Tokens of a sequence.
        positions: "absolute" or "relative", where the architecture does not say.

    Raises:
        UnknownName: If there are no such positions.
    """
    relative, rows, shape, parts = _model(architecture, positions, 0, length, 2)
    norm = architecture.part("norm")
    of_norm = SLOTS["norm"].kinds[norm.kind].kept
    total = float(sum(kind.kept(shape, part) for kind, part in parts))
    for layer in architecture.layers:
        for operation, group in _groups(layer, relative=relative, rows=rows):
            kind = OPERATIONS[operation]
            kept = kind.kept(group, mixer_part(operation, group.parameter))
            total += kept or group.heads * length
        inside = layer.shape(last=layer is architecture.layers[-1])
        for kind, part, of_kind, times in layer_kinds(layer.parts, layer.widths, inside):
            total += times * kind.kept(of_kind, part)
        total += 2 * of_norm(layer.width, norm)
    return total


def count_parameters_as_published(
    architecture: Architecture,
    *,
    vocabulary_size: int = 50265,
    max_length: int = 512,
    token_types: int = 2,
    masked_lm: bool = True,
) -> int:
    """Return the parameter count of the published FlexiBERT implementation.

    It differs from `count_parameters` where that implementation keeps weights it does not use:
    a d x d matrix for every kind of attention, queries and keys for linear transforms, an absolute
    position table beside the relative ones, a decoder not tied to the embedding. Self-attention and
    linear transforms agree with the two published numbers; convolutions follow ConvBERT with half
    of the heads left to attention, for which no number was published.

    Source: Tuli et al., "FlexiBERT", JAIR 2023, public code.

    Raises:
        InvalidArchitecture: If a layer mixes kinds of head, which this count does not know.
    """
    layers = architecture.layers
    if architecture.parts or any(layer.parts for layer in layers):
        raise InvalidArchitecture(
            f"The published count knows no other parts than the usual: {architecture.describe()}. "
            "Use count_parameters."
        )
    for i, layer in enumerate(layers):
        if not layer.uniform:
            raise InvalidArchitecture(
                f"Layer {i} has {layer.kinds} in width {layer.width}; the published count knows "
                "only layers of one kind of head, together as wide as the layer. Use "
                "count_parameters."
            )
    first, last = layers[0].width, layers[-1].width
    total = (vocabulary_size + max_length + token_types) * first + 2 * first
    for layer in layers:
        total += _published_mixing(layer) + layer.head_width * (2 * max_length - 1)
        total += (layer.inner_width + 1) * layer.width + _feedforward_parameters(layer)
        total += 4 * layer.width
    for before, after in zip(layers, layers[1:], strict=False):
        if before.width != after.width:
            total += (before.width + 1) * after.width
    if not masked_lm:
        return total + (last + 1) * last
    return total + (last + 1) * last + 2 * last + (last + 1) * vocabulary_size


def _model(
    architecture: Architecture,
    positions: str,
    vocabulary_size: int,
    max_length: int,
    token_types: int,
) -> tuple[bool, int, ModelShape, tuple[tuple[Kind, Part], ...]]:
    """Return what heads know of positions, the shape, and the model's kinds but the output.

    What heads know: whether positions are relative, and the rows of a table of distances.
    """
    place, norm, kinds = _model_kinds(architecture.parts, positions)
    rows = SLOTS["positions"].kinds[place.kind].rows(place, max_length)
    layers = architecture.layers
    shape = ModelShape(
        tuple([layer.width for layer in layers]),
        tuple([layer.head_width for layer in layers]),
        vocabulary_size,
        max_length,
        token_types,
        norm,
        attends(architecture),
        table_width(architecture),
        embedded_width(architecture),
        carried_states(layers),
    )
    return place.kind == "relative", rows, shape, kinds


# what stands in slots is the same for most encoders, and counting asks for it in every layer
@lru_cache(maxsize=1 << 12)
def _model_kinds(
    parts: tuple[tuple[str, Part], ...], positions: str
) -> tuple[Part, Callable[[int], int], tuple[tuple[Kind, Part], ...]]:
    given = dict(parts)
    standing = {slot: given.get(slot, SLOTS[slot].default_part) for slot in (*COUNTED, "norm")}
    if standing["positions"] is None:
        if positions not in SLOTS["positions"].kinds:
            raise UnknownName("kind of positions", positions, SLOTS["positions"].kinds)
        standing["positions"] = Part(positions)
    norm = standing.pop("norm")
    kinds = tuple((SLOTS[slot].kinds[part.kind], part) for slot, part in standing.items())
    norm_of = partial(SLOTS["norm"].kinds[norm.kind].parameters, part=norm)
    return standing["positions"], norm_of, kinds


def layer_kinds(
    parts: tuple[tuple[str, Part], ...], widths: LayerWidths, shape: LayerShape
) -> Iterator[tuple[Kind, Part, LayerShape, int]]:
    """Yield what stands in the slots of a layer, the shape it counts, and how often it is there.

    Args:
        parts: What stands there where it is not the default.
        widths: What the layer's block makes of its width.
        shape: The layer.
    """
    narrow = shape
    if widths.inner != shape.width:
        narrow = shape._replace(width=widths.inner, norm=shape.inner_norm)
    for slot, kind, part in _kinds_standing(parts):
        if slot == "feedforward":
            yield kind, part, narrow, widths.feedforwards
        else:
            yield kind, part, shape, 1


@lru_cache(maxsize=1 << 12)
def _kinds_standing(parts: tuple[tuple[str, Part], ...]) -> tuple[tuple[str, Kind, Part], ...]:
    standing = dict(parts)
    found = ((slot, standing.get(slot, SLOTS[slot].default_part)) for slot in LAYER_SLOTS)
    return tuple((slot, SLOTS[slot].kinds[part.kind], part) for slot, part in found)


def table_width(architecture: Architecture) -> int:
    """Return the width of the rows of the embedding's table."""
    part = architecture.part("embedding")
    return SLOTS["embedding"].kinds[part.kind].table(architecture.layers[0].width, part)


def embedded_width(architecture: Architecture) -> int:
    """Return the width of the vectors of tokens, types and positions that are summed."""
    part = architecture.part("embedding")
    return SLOTS["embedding"].kinds[part.kind].embedded(architecture.layers[0].width, part)


def attends(architecture: Architecture) -> bool:
    """Whether any head of an encoder makes scores of queries and keys."""
    return any(map(_attends, architecture.layers))


def _attends(layer: Layer) -> bool:
    return any(OPERATIONS[head.operation].attends for head, _ in layer.groups)


def _table_rows(architecture: Architecture, positions: str) -> int:
    """Return all rows of the table of distances: as many as a very long sequence reads."""
    part = architecture.part("positions") or Part(positions)
    return SLOTS["positions"].kinds[part.kind].rows(part, 1 << 30)


def carried_states(layers: tuple[Layer, ...]) -> tuple[int, ...]:
    """Return, for each layer, how many states before its own a later layer will read."""
    looking = [
        i for i, layer in enumerate(layers)
        if layer.parts and SLOTS["residual"].kinds[layer.part("residual").kind].looks_back
    ]  # fmt: skip
    if not looking:
        return ()
    return tuple(i + 1 if i < looking[-1] else 0 for i in range(len(layers)))


def _groups(layer: Layer, *, relative: bool, rows: int) -> Iterator[tuple[str, HeadGroup]]:
    read, values = layer.widths.read, layer.widths.values
    for head, count in layer.groups:
        own = values if values != read and OPERATIONS[head.operation].splits else 0
        group = HeadGroup(read, count, head.width, head.parameter, relative, rows, own)
        yield head.operation, group


def _feedforward_parameters(layer: Layer) -> int:
    widths = (layer.width, *layer.feedforward, layer.width)
    return sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))


def _published_mixing(layer: Layer) -> int:
    head, heads, d = layer.heads[0], len(layer.heads), layer.head_width
    if head.operation == "c":
        # half of the heads are ordinary attention, half span-based dynamic convolutions
        inner, k = max(heads // 2, 1) * d, head.parameter
        convolution = layer.width * k + (inner + 1) * max(heads // 2, 1) * k
        return 5 * (layer.width + 1) * inner + convolution
    return 3 * (layer.width + 1) * layer.inner_width + (d * d if head.operation == "sa" else 0)
