"""Architectures as directed graphs of labelled blocks.

Source: Tuli et al., "FlexiBERT", JAIR 2023 (graphs of computational blocks), and its code.
Differs on purpose: our labels carry every width, so that graphs are isomorphic with labels exactly
when the architectures are equal; the published labels, which leave some out, are an attribute too.
"""

from typing import TYPE_CHECKING

from search_spaces.architectures.layers import PER_LAYER, Head, Layer
from search_spaces.errors import UnknownName
from search_spaces.parts import write_value

if TYPE_CHECKING:
    import networkx

    from search_spaces.architectures.architecture import Architecture

HEADS, NORMS_IN_STACK = "heads", "norms-in-stack"
STYLES = (HEADS, NORMS_IN_STACK)


def architecture_graph(architecture: "Architecture", style: str = HEADS) -> "networkx.DiGraph":
    """Return the graph of an architecture's blocks.

    Nodes are numbered in the order data flows: input; for each layer its heads, a norm, its
    feed-forward maps, a norm; output. Each has the attributes `label` (with all widths), `block`
    ("input", "head", "norm", "feedforward" or "output"), `layer` (None at the two ends) and
    `published` (the label of the published code).

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
    graph = networkx.DiGraph(style=style)

    def add(label: str, published: str, block: str, layer: int | None, *sources: int) -> int:
        node = len(graph)
        graph.add_node(node, label=label, published=published, block=block, layer=layer)
        graph.add_edges_from((source, node) for source in sources)
        return node

    shared = "".join(f" {slot}={part}" for slot, part in architecture.parts)
    shared += "".join(f" {name}={write_value(value)}" for name, value in architecture.recipe)
    end = add(f"input{shared}", "input", "input", None)
    for i, layer in enumerate(architecture.layers):
        norm = f"add_norm_{layer.width}" + "".join(
            f" {slot}={part}" for slot, part in layer.parts if slot != "feedforward"
        )
        heads = [
            add(str(head), _published(head, layer, architecture.style), "head", i, end)
            for head in layer.heads
        ]
        residual = end = add(norm, "add_norm", "norm", i, end, *heads)
        of_slots = {slot: str(part) for slot, part in layer.parts}
        kind = f" {of_slots['feedforward']}" if "feedforward" in of_slots else ""
        for j, width in enumerate(layer.feedforward):
            end = add(f"f{width}{kind}", f"f{width}", "feedforward", i, end)
            if style == NORMS_IN_STACK or j + 1 == len(layer.feedforward):
                residual = end = add(norm, "add_norm", "norm", i, residual, end)
    add("output", "output", "output", None, end)
    return graph


def _published(head: Head, layer: Layer, style: str) -> str:
    if style == PER_LAYER:
        return f"{head.operation}_h{layer.width}_p-{head.parameter}"
    return str(head)
