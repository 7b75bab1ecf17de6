"""Parameters and floating-point operations of an architecture, without building the model."""

from collections.abc import Iterator

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Layer
from search_spaces.errors import InvalidArchitecture, UnknownName
from search_spaces.operations import OPERATIONS, HeadGroup

POSITIONS = ("absolute", "relative")


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
        positions: "absolute" (one learned table) or "relative" (one table in each layer).
        masked_lm: Also count the masked-language-model head, whose decoder is tied to the token
            embedding.

    Raises:
        UnknownName: If `positions` is neither.
    """
    relative = _relative(positions)
    layers = architecture.layers
    first, last = layers[0].width, layers[-1].width
    rows = vocabulary_size + token_types + (0 if relative else max_length)
    total = rows * first + 2 * first
    for layer in layers:
        total += sum(
            OPERATIONS[op].parameters(group) for op, group in _groups(layer, relative=relative)
        )
        total += layer.head_width * (2 * max_length - 1) if relative else 0
        total += (layer.inner_width + 1) * layer.width + _feedforward_parameters(layer)
        total += 4 * layer.width
    for before, after in zip(layers, layers[1:], strict=False):
        if before.width != after.width:
            total += (before.width + 1) * after.width
    total += (last + 1) * last
    if masked_lm:
        total += (last + 1) * first + 2 * first + vocabulary_size
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
        UnknownName: If `positions` is neither.
    """
    relative = _relative(positions)
    layers = architecture.layers
    first, last = layers[0].width, layers[-1].width
    total = 2 * last * last
    for layer in layers:
        total += sum(
            OPERATIONS[op].flops(group, length) for op, group in _groups(layer, relative=relative)
        )
        widths = (layer.width, *layer.feedforward, layer.width)
        maps = layer.inner_width * layer.width
        maps += sum(a * b for a, b in zip(widths, widths[1:], strict=False))
        total += 2 * length * maps
    for before, after in zip(layers, layers[1:], strict=False):
        if before.width != after.width:
            total += 2 * length * before.width * after.width
    if masked_lm:
        total += 2 * length * first * (last + vocabulary_size)
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


def _relative(positions: str) -> bool:
    if positions not in POSITIONS:
        raise UnknownName("kind of positions", positions, POSITIONS)
    return positions == "relative"


def _groups(layer: Layer, *, relative: bool) -> Iterator[tuple[str, HeadGroup]]:
    for head, count in layer.groups:
        group = HeadGroup(layer.width, count, head.width, head.parameter, relative)
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
