"""Architectures as directed graphs of labelled blocks.

Source: Tuli et al., "FlexiBERT", JAIR 2023 (graphs of computational blocks), and its code.
Differs on purpose: our labels carry every width, so that graphs are isomorphic with labels exactly
when the architectures are equal; the published labels, which leave some out, are an attribute too.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from search_spaces.architectures.layers import PER_LAYER, Head, Layer
from search_spaces.errors import UnknownName
from search_spaces.kinds import SLOTS, Block
from search_spaces.operations import mixer_part
from search_spaces.parts import Part, write_value

if TYPE_CHECKING:
    import networkx

    from search_spaces.architectures.architecture import Architecture

HEADS, NORMS_IN_STACK = "heads", "norms-in-stack"
STYLES = (HEADS, NORMS_IN_STACK)
Attributes = dict[str, str]  # of a node: label, published, block


def architecture_graph(architecture: "Architecture", style: str = HEADS) -> "networkx.DiGraph":
    """Return the graph of an architecture's blocks.

    Nodes are numbered in the order data flows: input; for each layer its heads, a norm, its
    feed-forward maps, a norm; output. A layer with a width of its own inside has a map before and
    one after these, with a norm. Each has the attributes `label` (with all widths), `block`
    ("input", "head", "norm", "feedforward", "output", or a word of a kind's own), `layer` (None at
    the two ends) and `published` (the label of the published code). A kind with `Kind.blocks` is
    drawn by it; any other is named in the label of the node where it stands: parts of the model
    and the recipe at the input, feed-forwards at their maps, other parts of a layer at its norms.

    Args:
        architecture: What to draw.
        style: "heads", or "norms-in-stack" for the older published graph, in which every
            feed-forward map is followed by its own norm and residual edge.

    Raises:
        UnknownName: If the style is neither.
    """
    import networkx

    if style not in STYLES:
        raise UnknownName("graph style", style, STYLES)
    nodes: list[tuple[int, Attributes]] = []
    edges: list[tuple[int, int]] = []

    def add(blocks: Iterable[Attributes], layer: int | None, *sources: int) -> int:
        for block in blocks:
            node = len(nodes)
            nodes.append((node, {**block, "layer": layer}))
            edges.extend([(source, node) for source in sources])
            sources = (node,)
        return sources[0]

    shared = "".join(f" {slot}={part}" for slot, part in architecture.parts)
    shared += "".join(f" {name}={write_value(value)}" for name, value in architecture.recipe)
    end = add(_attributes([Block(f"input{shared}", "input", "input")]), None)
    for i, layer in enumerate(architecture.layers):
        drawn, given = _draw(layer, architecture.style), end
        end = add(drawn.before, i, end)
        heads = [add(drawn.heads[head], i, end) for head in layer.heads]
        residual = end = add(drawn.summed, i, end, *heads)
        for _ in range(layer.widths.feedforwards):
            for j, block in enumerate(drawn.maps, 1):
                end = add((block,), i, end)
                if style == NORMS_IN_STACK or j == len(drawn.maps):
                    residual = end = add(drawn.summed, i, residual, end)
        if drawn.back:
            end = add(drawn.outer, i, given, add(drawn.back, i, end))
    add(_attributes([Block("output", "output")]), None, end)
    graph = networkx.DiGraph(style=style)
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    return graph


class _Drawing(NamedTuple):
    """The nodes of one layer, as attributes."""

    before: list[Attributes]
    heads: dict[Head, list[Attributes]]
    summed: list[Attributes]
    maps: list[Attributes]
    back: list[Attributes]  # from the width inside to the layer's, where they differ
    outer: list[Attributes]  # the residual sum of the whole layer then


def _draw(layer: Layer, style: str) -> _Drawing:
    # spaces share layers, and a distance asks for thousands of graphs: each layer remembers
    known = layer.__dict__.setdefault("_drawn", {})
    if style not in known:
        own = layer.widths.sums == 1
        known[style] = _Drawing(
            _attributes(_own_blocks("block", layer.part("block"), layer)),
            {head: _attributes(_head(head, layer, style)) for head, _ in layer.groups},
            _attributes(_inner_sum(layer) if own else _sum(layer)),
            _attributes(_maps(layer)),
            _attributes([Block(f"f{layer.width}", "feedforward")] if own else []),
            _attributes(_sum(layer) if own else []),
        )
    return known[style]


def _attributes(blocks: Iterable[Block]) -> list[Attributes]:
    return [
        {
            "label": block.label,
            "published": block.label if block.published is None else block.published,
            "block": block.block,
        }
        for block in blocks
    ]


def _own_blocks(slot: str, part: Part, layer: Layer) -> list[Block]:
    """Return the nodes that a kind draws itself, none where the graph has what is usual."""
    blocks = SLOTS[slot].kinds[part.kind].blocks
    return [] if blocks is None else blocks(layer, part)


def _head(head: Head, layer: Layer, style: str) -> list[Block]:
    published = str(head)
    if style == PER_LAYER:
        published = f"{head.operation}_h{layer.width}_p-{head.parameter}"
    part = mixer_part(head.operation, head.parameter)
    return _own_blocks("mixer", part, layer) or [Block(str(head), "head", published)]


def _inner_sum(layer: Layer) -> list[Block]:
    return [Block(f"add_norm_{layer.widths.inner}", "norm", "add_norm")]


def _sum(layer: Layer) -> list[Block]:
    """Return the nodes of a residual sum, which say what else stands in the layer's slots."""
    own = _own_blocks("residual", layer.part("residual"), layer)
    first, *others = own or [Block(f"add_norm_{layer.width}", "norm", "add_norm")]
    if not layer.parts:
        return [first, *others]
    unseen = "".join(
        f" {slot}={part}"
        for slot, part in layer.parts
        if slot != "feedforward" and not _own_blocks(slot, part, layer)
    )
    return [replace(first, label=f"{first.label}{unseen}"), *others]


def _maps(layer: Layer) -> list[Block]:
    part = layer.part("feedforward")
    kind = "" if SLOTS["feedforward"].is_default(part) else f" {part}"
    usual = [Block(f"f{width}{kind}", "feedforward", f"f{width}") for width in layer.feedforward]
    return _own_blocks("feedforward", part, layer) or usual
