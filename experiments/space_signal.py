"""What distances and embeddings of architectures know about their scores.

    python experiments/space_signal.py TABLE.jsonl --to experiments/space

For each way to compare architectures: Spearman's correlation of distance with the difference in
score, stress-1 of its 16-dimensional embedding, and Kendall's tau of a Gaussian process that has
seen 50, 100 or 200 rows, on the rows it has not seen, over random splits. Also which axis of our
embedding says what, and pictures of it coloured by score, depth and operation.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.spatial.distance import cdist
from scipy.stats import kendalltau, norm, rankdata, spearmanr

from nas.benchmarks.tables import read_table
from search_spaces import embed, pairwise_distances
from search_spaces.architectures.features import encode_naive, encode_one_hot
from search_spaces.architectures.size import count_parameters
from search_spaces.vectors.embedding import stress
from search_spaces.vectors.weisfeiler_lehman import weisfeiler_lehman_distances

SIZES = (50, 100, 200)
LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of the kernel, in medians of the distance
NOISES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
DIMENSIONS = 16
MEASURES = {
    "blocks": pairwise_distances,
    "published": lambda a: pairwise_distances(a, costs="published"),
    "weisfeiler-lehman": weisfeiler_lehman_distances,
}


def predict(distances: np.ndarray, train: np.ndarray, test: np.ndarray, scores: np.ndarray):
    """Predict the test rows by a GP with kernel exp(-distance / length) on ranks of the scores.

    Length and noise have the largest marginal likelihood. A distance that is no metric of negative
    type gives an indefinite kernel; its negative eigenvalues, over all rows, are cut off.
    """
    targets = norm.ppf((rankdata(scores[train]) - 0.5) / len(train))
    median = np.median(distances[distances > 0])
    best, chosen = -np.inf, None
    for length in LENGTHS:
        values, axes = np.linalg.eigh(np.exp(-distances / median / length))
        kernel = (axes * np.maximum(values, 0)) @ axes.T
        values, axes = np.linalg.eigh(kernel[np.ix_(train, train)])
        share = (axes.T @ targets) ** 2
        for noise in NOISES:
            spread = np.maximum(values, 0) + noise
            scale = (share / spread).mean()
            likelihood = -0.5 * (len(train) * np.log(scale) + np.log(spread).sum())
            if likelihood > best:
                best = likelihood
                weights = axes @ ((axes.T @ targets) / spread)
                chosen = kernel[np.ix_(test, train)] @ weights
    return chosen


def taus(distances: np.ndarray, scores: np.ndarray, splits: int) -> list[float]:
    found = []
    for size in SIZES:
        values = []
        for split in range(splits):
            order = np.random.default_rng([0, size, split]).permutation(len(scores))
            train, test = order[:size], order[size:]
            values.append(kendalltau(predict(distances, train, test, scores), scores[test])[0])
        found.append(float(np.mean(values)))
    return found


def named_parts(architectures) -> dict[str, np.ndarray]:
    """What a person would name: depth, width, feed-forward, and the share of each operation."""

    def mean(of_layer) -> np.ndarray:
        return np.array([np.mean([of_layer(x) for x in a.layers]) for a in architectures])

    parts = {
        "depth": np.array([len(a) for a in architectures], float),
        "log2 width": mean(lambda x: np.log2(x.width)),
        "feed-forward depth": mean(lambda x: len(x.feedforward)),
        "log2 feed-forward": mean(lambda x: np.log2(x.feedforward[0])),
        "log2 heads": mean(lambda x: np.log2(len(x.heads))),
    }
    for operation in ("sa", "l", "c"):
        share = f"share of {operation}"
        parts[share] = mean(lambda x, o=operation: np.mean([h.operation == o for h in x.heads]))
    return parts


def draw(points: np.ndarray, scores: np.ndarray, parts: dict[str, np.ndarray], path: Path) -> None:
    """Draw the first two axes by score and depth, and those that know operations by operation."""
    shares = np.stack([parts[f"share of {o}"] for o in ("sa", "l", "c")], axis=1)
    known = [_explained(axis, shares) for axis in points.T]
    figure = Figure(figsize=(14, 4.4), layout="constrained")
    panels = figure.subplots(1, 3)
    marks = panels[0].scatter(*points[:, :2].T, c=100 * scores, s=22, cmap="viridis")
    figure.colorbar(marks, ax=panels[0], label="GLUE (points)")
    groups = [(f"{depth:g} layers", parts["depth"] == depth) for depth in np.unique(parts["depth"])]
    _scatter(panels[1], points[:, :2], groups)
    first, second = np.argsort(known)[::-1][:2]
    names = ("self-attention", "linear transform", "convolution")
    most = shares.argmax(axis=1)
    groups = [(f"mostly {name}", most == k) for k, name in enumerate(names)]
    _scatter(panels[2], points[:, [first, second]], groups)
    for panel, title, axes in (
        (panels[0], "by score", (0, 1)),
        (panels[1], "by depth", (0, 1)),
        (panels[2], "by operation", (first, second)),
    ):
        x, y = (f"axis {k + 1}, mostly {_says(points[:, k], parts)}" for k in axes)
        panel.set(title=title, xlabel=x, ylabel=y)
        panel.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _scatter(panel, points: np.ndarray, groups) -> None:
    colours = ("#00798c", "#edae49", "#d1495b", "#30638e", "#8d6a9f", "#6b9080")
    for (name, rows), colour in zip(groups, colours, strict=False):
        panel.scatter(*points[rows].T, s=22, color=colour, label=name, alpha=0.8)
    panel.legend(frameon=False, loc="best")


def _says(axis: np.ndarray, parts: dict[str, np.ndarray]) -> str:
    said = {name: _explained(axis, values[:, None]) for name, values in parts.items()}
    name = max(said, key=said.get)
    return f"{name} ({said[name]:.2f})"


def _explained(axis: np.ndarray, columns: np.ndarray) -> float:
    design = np.column_stack([np.ones(len(axis)), columns])
    fitted = design @ np.linalg.lstsq(design, axis, rcond=None)[0]
    spread = axis.var()
    return float(1 - (axis - fitted).var() / spread) if spread > 1e-12 else 0.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("table", type=Path)
    options.add_argument("--metric", default="glue")
    options.add_argument("--splits", type=int, default=20)
    options.add_argument("--to", type=Path, default=Path("experiments/space"))
    chosen = options.parse_args()
    table = read_table(chosen.table)
    architectures, scores = list(table.architectures), table.column(chosen.metric)
    pairs = np.triu_indices(len(scores), 1)
    apart = np.abs(scores[:, None] - scores[None])[pairs]
    print(f"{len(scores)} architectures, {chosen.splits} splits; rows seen: {SIZES}")
    print(
        f"{'compared by':<36}{'Spearman':>9}{'stress':>8}"
        + "".join(f"{f'τ {n}':>8}" for n in SIZES)
    )

    def line(name: str, distances: np.ndarray, fit: float | None = None) -> None:
        rank = spearmanr(distances[pairs], apart)[0]
        shown = "".join(f"{value:8.3f}" for value in taus(distances, scores, chosen.splits))
        print(f"{name:<36}{rank:9.3f}{'' if fit is None else f'{fit:.3f}':>8}{shown}", flush=True)

    one_hot = encode_one_hot(architectures)
    naive = encode_naive(architectures)
    sizes = np.log([[count_parameters(a, vocabulary_size=1)] for a in architectures])
    line("parameter count", cdist(sizes, sizes))
    line("one-hot, Euclidean", cdist(one_hot, one_hot))
    line("one-hot, Hamming", cdist(one_hot, one_hot, "cityblock"))
    scaled = naive / np.maximum(naive.std(axis=0), 1e-9)
    line("naive encoding, scaled", cdist(scaled, scaled))
    for name, measure in MEASURES.items():
        distances = measure(architectures)
        points = embed(architectures, DIMENSIONS, distance=name)
        line(f"{name}: distance", distances)
        line(f"{name}: {DIMENSIONS}-d embedding", cdist(points, points), stress(points, distances))
    points = embed(architectures, DIMENSIONS)
    parts = named_parts(architectures)
    print("\nWhat the axes of our embedding say (squared correlation):")
    for k in np.flatnonzero(points.std(axis=0) > 0)[:8]:
        said = {name: _explained(points[:, k], values[:, None]) for name, values in parts.items()}
        top = sorted(said.items(), key=lambda item: -item[1])[:3]
        shares = ", ".join(f"{name} {value:.2f}" for name, value in top)
        print(f"axis {k + 1} (spread {points[:, k].std():.3f}): {shares}")
    draw(points, scores, parts, chosen.to / "embedding.png")
    print(f"\nPicture: {chosen.to / 'embedding.png'}")


if __name__ == "__main__":
    main()
