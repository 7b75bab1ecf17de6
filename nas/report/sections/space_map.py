"""A map of what was tried: encoders that are alike lie close together."""

import numpy as np

from nas.report import blocks
from nas.report.columns import column_title
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot
from search_spaces import Architecture
from search_spaces.operations import OPERATIONS
from search_spaces.vectors.embedding import Embedding

LANDMARKS = 250  # of how many encoders all distances are computed
FEWEST = 3


@SECTIONS.register("map")
def space_map(snapshot: Snapshot) -> Section | None:
    """Return the map, coloured by score, operation, depth or status; None with too few encoders."""
    first: dict[str, int] = {}
    for i, record in enumerate(snapshot.records):
        first.setdefault(record["hash"], i)
    # of several trials of one encoder, the one that counts
    first.update((snapshot.records[i]["hash"], i) for i in snapshot.done)
    chosen = list(first.values())
    if len(chosen) < FEWEST:
        return None
    architectures = [snapshot.architectures[i] for i in chosen]
    landmarks = min(len(chosen), LANDMARKS)
    points = Embedding(architectures, 2, landmarks=landmarks).vectors
    kept = _kept(architectures, points)
    words = [main_operation(a) for a in architectures]
    return Section(
        "Map of the space",
        f"{len(chosen)} encoders, placed so that the distance between two of them follows how "
        f"many edits turn one into the other. The page keeps {kept:.0%} of the order of those "
        "distances (rank correlation), so read neighbourhoods, not millimetres.",
        [
            blocks.space_map(
                {
                    "x": [round(float(x), 4) for x in points[:, 0]],
                    "y": [round(float(y), 4) for y in points[:, 1]],
                    "trial": [snapshot.records[i]["trial"] for i in chosen],
                },
                colours=[
                    {
                        "key": "score",
                        "label": column_title(snapshot.score),
                        "kind": "number",
                        "column": snapshot.score,
                    },
                    {"key": "operation", "label": "operation", "kind": "word", "words": words},
                    {
                        "key": "depth",
                        "label": "layers",
                        "kind": "word",
                        "words": [f"{len(a):>2} layers".strip() for a in architectures],
                    },
                ],
            )
        ],
    )


def main_operation(architecture: Architecture) -> str:
    """Return the title of the operation that most heads have, or "mixed" where none has half."""
    heads = [head.operation for layer in architecture.layers for head in layer.heads]
    most = max(dict.fromkeys(heads), key=heads.count)
    return OPERATIONS[most].title if 2 * heads.count(most) > len(heads) else "mixed"


def _kept(architectures: list[Architecture], points: np.ndarray) -> float:
    """Return the rank correlation of distances on the page and asked for, of a few encoders."""
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    from search_spaces.distances.distance import EditDistances

    some = np.random.default_rng(0).permutation(len(points))[:150]
    references = [architectures[i] for i in some]
    asked = EditDistances(references, "blocks").to(references)
    return float(spearmanr(pdist(points[some]), asked[np.triu_indices(len(some), 1)]).statistic)
