"""Where the blocks of an architecture's graph go in a picture: rows, groups, and columns."""

from collections import defaultdict

import networkx

Places = dict[int, tuple[float, float]]


def group_heads(graph: networkx.DiGraph) -> networkx.DiGraph:
    """Return the graph with equal heads of a layer as one node, whose `count` says how many."""
    first: dict[tuple[int, str], int] = {}
    same = {}
    for node, data in graph.nodes(data=True):
        key = (data["layer"], data["label"] if data["block"] == "head" else f"#{node}")
        same[node] = first.setdefault(key, node)
    grouped = networkx.DiGraph()
    for node, data in graph.nodes(data=True):
        if same[node] == node:
            count = sum(kept == node for kept in same.values())
            grouped.add_node(node, **data, count=count)
    grouped.add_edges_from((same[a], same[b]) for a, b in graph.edges)
    return grouped


def fold(graph: networkx.DiGraph, rows: int) -> networkx.DiGraph:
    """Return the graph cut between layers into parts of at most about `rows` rows.

    The block at which it is cut stands at the end of one part and again, with the attribute
    `again`, at the start of the next. Where one layer has more rows than that, it is a part.
    """
    folded = networkx.DiGraph(graph)
    depth = {}
    for row, nodes in enumerate(networkx.topological_generations(graph)):
        depth.update(dict.fromkeys(nodes, row))
    last_row: dict[int, int] = {}
    for node, layer in graph.nodes(data="layer"):
        if layer is not None:
            last_row[layer] = max(last_row.get(layer, 0), depth[node])
    start, free = 0, max(graph) + 1
    for layer in sorted(last_row)[1:]:
        if last_row[layer] - start <= rows:
            continue
        (cut,) = (n for n, d in graph.nodes(data=True) if depth[n] == last_row[layer - 1])
        folded.add_node(free, **{**graph.nodes[cut], "layer": None, "again": True})
        for target in list(graph.successors(cut)):
            folded.remove_edge(cut, target)
            folded.add_edge(free, target)
        start, free = last_row[layer - 1], free + 1
    return folded


def layered_layout(graph: networkx.DiGraph, beside: float, below: float, apart: float) -> Places:
    """Return the place of every node: across, and along the flow of data.

    The row of a node is the longest way to it from the start of its part; the nodes of a row are
    centred, and the parts stand side by side.

    Args:
        graph: Its parts are those that no edge connects.
        beside: From the middle of a node to that of the next in its row.
        below: From one row to the next.
        apart: Between the outermost nodes of neighbouring parts.
    """
    places: Places = {}
    left = 0.0
    for part in sorted(networkx.weakly_connected_components(graph), key=lambda p: _start(graph, p)):
        rows = [sorted(r) for r in networkx.topological_generations(graph.subgraph(part))]
        widest = max(len(row) for row in rows)
        middle = left + (widest - 1) / 2 * beside
        for i, row in enumerate(rows):
            for j, node in enumerate(row):
                places[node] = (middle + (j - (len(row) - 1) / 2) * beside, i * below)
        left += (widest - 1) * beside + apart
    return places


def layer_rows(graph: networkx.DiGraph, places: Places) -> dict[int, list[tuple[float, float]]]:
    """Return the places of the nodes of each layer."""
    rows: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for node, layer in graph.nodes(data="layer"):
        if layer is not None:
            rows[layer].append(places[node])
    return dict(rows)


def _start(graph: networkx.DiGraph, part: set[int]) -> int:
    layers = [graph.nodes[node]["layer"] for node in part if graph.nodes[node]["layer"] is not None]
    return min(layers)
