"""Digests of graphs: the published fingerprint, for looking up published results.

The digest to use is `Architecture.hash`, which is exact. The published one compares neighbourhoods
up to five edges away, and labels without all widths.

Source: Ying et al., "NAS-Bench-101", ICML 2019 (the recipe); Tuli et al., "FlexiBERT", JAIR 2023,
and Tuli and Jha, "EdgeTran", 2023 (labels and variants).
"""

from collections.abc import Callable
from hashlib import md5, sha256
from typing import TYPE_CHECKING

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.graph import HEADS, architecture_graph
from search_spaces.architectures.layers import PER_LAYER

if TYPE_CHECKING:
    import networkx

ROUNDS = 5


def graph_fingerprint(
    graph: "networkx.DiGraph", label: str = "label", *, digest: str = "sha256"
) -> str:
    """Return a digest that does not depend on the numbering of the nodes.

    Args:
        graph: A directed graph.
        label: The node attribute to read.
        digest: "sha256" or "md5".
    """
    hashed = _DIGESTS[digest]
    codes = {
        node: hashed(str((graph.out_degree(node), graph.in_degree(node), graph.nodes[node][label])))
        for node in graph
    }
    for _ in range(ROUNDS):
        codes = {
            node: hashed(
                "".join(sorted(codes[before] for before in graph.predecessors(node)))
                + "|"
                + "".join(sorted(codes[after] for after in graph.successors(node)))
                + "|"
                + codes[node]
            )
            for node in graph
        }
    return hashed(str(sorted(codes.values())))


def published_fingerprint(architecture: Architecture, style: str = HEADS) -> str:
    """Return the digest under which published tables list an architecture.

    Args:
        architecture: Written per layer: the FlexiBERT digest (64 characters); per head: that of
            FlexiBERT 2.0 (32 characters).
        style: The graph: "norms-in-stack" for the library of the FlexiBERT paper.
    """
    graph = architecture_graph(architecture, style)
    if architecture.style == PER_LAYER:
        return graph_fingerprint(graph, "published")
    dictionary = architecture.to_dict()
    code = graph_fingerprint(graph, "published", digest="md5")
    return _md5(f"{code}{dictionary['h']}{dictionary['f']}")


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


_DIGESTS: dict[str, Callable[[str], str]] = {"sha256": _sha256, "md5": _md5}
