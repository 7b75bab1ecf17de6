"""How much two architectures have in common, and which trained one a new one should inherit from.

Everything here is arithmetic on architectures: no model is built, and no torch is imported.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Layer
from search_spaces.architectures.size import (
    attends,
    count_parameters,
    embedded_width,
    table_width,
)
from search_spaces.errors import UnknownName
from search_spaces.kinds import LAYER_SLOTS, SLOTS, Kind, LayerShape, ModelShape, layer_widths
from search_spaces.operations import OPERATIONS, HeadGroup, group_parameters, operation_of
from search_spaces.parts import Part, read_kind

VOCABULARY, LENGTH = 1_024, 48  # of the built-in recipe; larger ones weigh the embeddings more
TOKEN_TYPES = 2


def overlap(
    child: Architecture,
    parent: Architecture,
    *,
    vocabulary_size: int = VOCABULARY,
    max_length: int = LENGTH,
    positions: str = "relative",
) -> float:
    """Return the share of parameters that `child` and `parent` have in common, in [0, 1].

    With s the parameters of their common blocks and c and p those of the two models, it is
    2 s / (c + p). Identical architectures have 1.0, and no others have; the measure is symmetric.
    Layers are matched in order so that s is largest. In a pair of layers, heads of one kind are
    shared, and of every tensor the block that fits into both. The masked-language head counts;
    projections between layers, which follow from the widths, do not.

    Args:
        child: One architecture.
        parent: The other.
        vocabulary_size: Number of token ids.
        max_length: Longest sequence, in tokens.
        positions: "absolute" or "relative".

    Raises:
        UnknownName: If `positions` is neither.

    Source: the overlap by which Tuli et al., "FlexiBERT", JAIR 2023, choose whom to inherit from.
    Differs on purpose: parameters are counted, not tensors; partly equal tensors count in part; no
    model has to be built; identical architectures reach 1.
    """
    sizes = [
        count_parameters(
            architecture,
            vocabulary_size=vocabulary_size,
            max_length=max_length,
            positions=positions,
            masked_lm=True,
        )
        - _projections(architecture)
        for architecture in (child, parent)
    ]
    distances = _distances((child, parent), positions, max_length)
    first = min(child.layers[0].width, parent.layers[0].width)
    last = min(child.layers[-1].width, parent.layers[-1].width)
    norm = _shared_norm(child, parent)
    both = attends(child) and attends(parent)
    table = min(table_width(child), table_width(parent))
    # of sums of vectors, where both are as wide as the layers or both narrower
    embedded = min(map(embedded_width, (child, parent))) if same_sums(child, parent) else 0
    shape = ModelShape(
        (first,), (), vocabulary_size, max_length, TOKEN_TYPES, norm, both, table, embedded
    )
    # of the embeddings and of the head
    common = TOKEN_TYPES * embedded + norm(embedded) + norm(table)
    common += (last + 1) * last + (last + 1) * table
    for slot in ("embedding", "positions", "output"):
        ours, theirs = (a.part(slot) or Part(positions) for a in (child, parent))
        shared = shared_part(slot, ours, theirs)
        if shared is not None:
            common += SLOTS[slot].kinds[shared.kind].parameters(shape, shared)
    common += _shared_end(child.layers[-1], parent.layers[-1], norm(last))
    matched = match_layers(child, parent, distances=distances)
    for i, j in enumerate(matched):
        if j is not None:
            pair, states = (child.layers[i], parent.layers[j]), min(i, j) + 1
            common += shared_parameters(*pair, distances, norm, states)
    return 2 * common / sum(sizes)


def same_sums(child: Architecture, parent: Architecture) -> bool:
    """Whether both sum tokens, types and positions at the width of layers, or both below it."""
    ours, theirs = (SLOTS["embedding"].kinds[a.part("embedding").kind] for a in (child, parent))
    return ours.embedded is theirs.embedded


def sums_below_width(architecture: Architecture) -> bool:
    """Whether tokens, types and positions are summed narrower than the first layer is."""
    return (
        SLOTS["embedding"].kinds[architecture.part("embedding").kind].embedded is not Kind.embedded
    )


def layer_overlap(
    child: Architecture,
    parent: Architecture,
    *,
    max_length: int = LENGTH,
    positions: str = "relative",
) -> float:
    """Return `overlap` of the layers alone, without embeddings and what stands on top.

    Every parent has embeddings; with a large vocabulary their width would decide alone which of
    two is nearer, and the layers hardly.

    Args:
        child: One architecture.
        parent: The other.
        max_length: Longest sequence, in tokens.
        positions: "absolute" or "relative".
    """
    distances = _distances((child, parent), positions, max_length)
    norm = _shared_norm(child, parent)
    common = sum(
        shared_parameters(child.layers[i], parent.layers[j], distances, norm)
        for i, j in enumerate(match_layers(child, parent, distances=distances))
        if j is not None
    )
    whole = sum(
        shared_parameters(layer, layer, _distances((a,), positions, max_length), _shared_norm(a, a))
        for a in (child, parent)
        for layer in a.layers
    )
    return 2 * common / whole


def nearest_parent(
    child: Architecture, candidates: Sequence[Architecture], **options: int | str
) -> tuple[Architecture, float] | None:
    """Return the candidate with the largest `layer_overlap` and its `overlap`; the first of equals.

    Args:
        child: The architecture that is to inherit.
        candidates: Architectures with trained weights; None is returned where there are none.
        options: As in `overlap`.

    Differs on purpose: the published choice counts the embeddings, too. After a little training
    children of parents chosen so lose twice as much to the best parent (experiments/README.md).
    """
    if not candidates:
        return None
    of_layers = {name: value for name, value in options.items() if name != "vocabulary_size"}
    chosen = max(candidates, key=lambda parent: layer_overlap(child, parent, **of_layers))
    return chosen, overlap(child, chosen, **options)


def match_layers(
    child: Architecture, parent: Architecture, *, distances: int = LENGTH
) -> tuple[int | None, ...]:
    """Return, for each layer of `child`, the layer of `parent` it corresponds to, or None.

    The matches keep the order of the layers and share the most parameters. Of equally good ones,
    the earliest layers of both are matched, so that additional layers come last.

    Args:
        child: The architecture whose layers are asked for.
        parent: The architecture they are matched with.
        distances: Longest sequence of relative positions; 0 for none.

    Source: Needleman and Wunsch, "A general method applicable to the search for similarities",
    Journal of Molecular Biology 1970.
    """
    ours, theirs = child.layers, parent.layers
    shared = [[shared_parameters(a, b, distances) for b in theirs] for a in ours]
    best = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    # from the ends backwards: walking forward afterwards takes the earliest of equal matches
    for i in reversed(range(len(ours))):
        for j in reversed(range(len(theirs))):
            here = shared[i][j] + best[i + 1][j + 1]
            best[i][j] = max(here, best[i + 1][j], best[i][j + 1])
    matched: list[int | None] = [None] * len(ours)
    i = j = 0
    while i < len(ours) and j < len(theirs):
        here = shared[i][j] + best[i + 1][j + 1]
        if best[i][j] == here:
            matched[i] = j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return tuple(matched)


def match_heads(child: Layer, parent: Layer) -> dict[str, list[tuple[str, int] | None]]:
    """Return, by kind and for each head of that kind, the kind and number of its parent's head.

    Heads of one kind are matched in order, one to one. What is left is matched by operation: a
    convolution with one of another kernel, attention with weighted attention. None: a new head.
    """
    free = {kind: list(range(n)) for kind, n in parent.kinds.items()}
    found: dict[str, list[tuple[str, int] | None]] = {}
    for kind, n in child.kinds.items():
        same = free.get(kind, [])
        taken, free[kind] = same[:n], same[n:]
        found[kind] = [(kind, head) for head in taken]
    for kind, n in child.kinds.items():
        operation = operation_of(kind)
        rest = [(k, h) for k in free if operation_of(k) == operation for h in free[k]]
        for other, head in rest[: n - len(found[kind])]:
            free[other].remove(head)
            found[kind].append((other, head))
        found[kind] += [None] * (n - len(found[kind]))
    return found


def shared_part(slot: str, a: Part, b: Part) -> Part | None:
    """Return the largest part that two parts have in common; None for none."""
    kinds = SLOTS[slot].kinds
    return kinds[a.kind].shared(a, b) or kinds[b.kind].shared(b, a)


def shared_feedforward(child: Layer, parent: Layer) -> Part | None:
    """Return what the feed-forward blocks of two layers have in common; None for nothing."""
    return shared_part("feedforward", child.part("feedforward"), parent.part("feedforward"))


def same_inside(child: Layer, parent: Layer) -> bool:
    """Whether what stands in two layers works on the same features, so that one lends to another.

    A block with a width of its own has features of its own, that no other kind of block has.
    """
    blocks = child.part("block"), parent.part("block")
    if all(SLOTS["block"].kinds[block.kind].widths is None for block in blocks):
        return True
    return shared_part("block", *blocks) is not None


def two_each(width: int) -> int:
    """Return the parameters of a norm with gain and bias."""
    return 2 * width


def shared_parameters(
    child: Layer,
    parent: Layer,
    distances: int,
    norm: Callable[[int], int] = two_each,
    states: int = 1,
) -> int:
    """Return the parameters of the largest block that two layers have in common.

    Args:
        child: One layer.
        parent: The other.
        distances: Longest sequence of relative positions; 0 for none.
        norm: Parameters that two norms of so many features have in common.
        states: Hidden states there are when the earlier of the two begins.
    """
    if not same_inside(child, parent):
        return 0
    width = min(child.width, parent.width)
    shared = (
        (slot, shared_part(slot, child.part(slot), parent.part(slot))) for slot in LAYER_SLOTS
    )
    parts = {slot: part for slot, part in shared if part is not None}
    widths = layer_widths(width, parts.get("block", child.part("block")))
    head_width = min(child.head_width, parent.head_width)
    total = head_width * (2 * distances - 1) if distances else 0
    heads, theirs = 0, parent.kinds
    for kind, n in child.kinds.items():
        if kind in theirs:
            both = min(n, theirs[kind])
            heads += both
            group = (widths.read, widths.values), both, head_width
            total += _group_parameters(kind, *group, relative=bool(distances))
    total += (heads * head_width + 1) * widths.inner
    inner = tuple(map(min, child.feedforward, parent.feedforward))
    norms = norm(width), norm(widths.inner)
    shape = LayerShape(width, heads * head_width, head_width, inner, norms[0], last=False)
    shape = shape._replace(inner_norm=norms[1], sums=widths.sums, states=states)
    narrow = shape._replace(width=widths.inner, norm=norms[1])
    for slot, part in parts.items():
        kind = SLOTS[slot].kinds[part.kind]
        if slot == "feedforward":  # what the output reads is as wide as the last of either
            last = min(child.feedforward[-1], parent.feedforward[-1])
            unread = max(inner[-1] - last, 0) * widths.inner
            total += widths.feedforwards * (kind.parameters(narrow, part) - unread)
        else:
            total += kind.parameters(shape, part)
    return total


def parent_streams(matched: Sequence[int | None]) -> list[int]:
    """Return, for each layer of the child, the parent's layer whose input width it continues.

    A matched layer continues its own parent's; an additional one that of the matched layer before.
    """
    streams, last = [], 0
    for j in matched:
        last = last if j is None else j
        streams.append(last)
    return streams


@lru_cache(maxsize=1 << 16)
def _group_parameters(
    kind: str, widths: tuple[int, int], heads: int, head_width: int, *, relative: bool
) -> int:
    operation, parameter = read_kind(kind)
    read, values = widths
    own = values if values != read and OPERATIONS[operation].splits else 0
    group = HeadGroup(read, heads, head_width, parameter, relative, values=own)
    return group_parameters(operation, group)


def _distances(architectures: Sequence[Architecture], positions: str, max_length: int) -> int:
    """Longest sequence of relative positions, 0 where one of the architectures has none."""
    kinds = {(a.part("positions") or Part(positions)).kind for a in architectures}
    unknown = [kind for kind in kinds if kind not in SLOTS["positions"].kinds]
    if unknown:
        raise UnknownName("kind of positions", min(unknown), SLOTS["positions"].kinds)
    return max_length if kinds == {"relative"} else 0


def _shared_norm(a: Architecture, b: Architecture) -> Callable[[int], int]:
    """Parameters that the norms of two architectures have in common, by their width."""
    shared = shared_part("norm", a.part("norm"), b.part("norm"))
    if shared is None:
        return lambda width: 0
    return partial(SLOTS["norm"].kinds[shared.kind].parameters, part=shared)


def _shared_end(a: Layer, b: Layer, norm: int) -> int:
    """Parameters of the norm after two last layers, where both have one."""
    if a.part("residual") != b.part("residual"):
        return 0
    part = a.part("residual")
    count = SLOTS["residual"].kinds[part.kind].parameters
    shapes = (LayerShape(1, 1, 1, (1,), norm, last=last) for last in (True, False))
    ending, inside = (count(shape, part) for shape in shapes)
    return ending - inside


def _projections(architecture: Architecture) -> int:
    part = architecture.part("projection")
    widths = tuple(layer.width for layer in architecture.layers)
    shape = ModelShape(widths, (), 0, 0, 0, two_each)
    return SLOTS["projection"].kinds[part.kind].parameters(shape, part)
