"""A picture of an architecture: its graph of blocks, the heads of a layer side by side."""

import re
from collections.abc import Iterable
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

import networkx
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch, PathPatch
from matplotlib.path import Path

from nas.report.graph_layout import fold, group_heads, layer_rows, layered_layout
from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment
from search_spaces.operations import OPERATIONS, kind_title, operation_of, read_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENDINGS = (".png", ".svg", ".pdf")
MANY_HEADS = 8  # with more in some layer, equal heads become one block

# light enough for black text, told apart by people who see red and green alike
COLOURS = {
    "input": "#e6e8eb",
    "output": "#e6e8eb",
    "norm": "#fbf3d0",
    "feedforward": "#c9e4ca",
    "sa_sdp": "#9cc4e8",
    "sa_wma": "#6f9fd0",
    "l_dft": "#f6c7a3",
    "l_dct": "#eb9f6c",
    "c": "#d7bde8",
    "longconv": "#f2a9bf",
    "attention": "#93cfcc",
    "hedgehog": "#d9c97e",
    "mixed-attention": "#aebbe9",
    "monarch": "#e58fa6",
    "moe-attention": "#6fb5b1",
    "bottleneck": "#dde3c3",
    "inverted-bottleneck": "#c3cd9b",
}
OTHERS = ("#f5c4d1", "#b5dfdd", "#e6d9a8", "#cbd3f2")  # of kinds that have no colour of their own
LINE, PALE = "#5b6672", "#a7b0ba"
TITLES = {"norm": "add and norm", "feedforward": "feed-forward", "input": "input and output"}
MOST_BLOCKS = 2_000  # drawn in seconds
WIDTH, HEIGHT = 0.98, 0.34  # of a block, in inches
FITTING = 15  # letters that fit into a block at full size
LETTERS, SMALLER = 7.5, 6.2  # in points: in one line, and in two
ASIDE = 0.2  # from a row of blocks to the residual edge around it
PORT = 0.08  # residual edges arrive this much above the middle of a block, and leave below
# direction -> distance beside and below, and rows before the picture is folded
SPACING = {"down": (1.1, 0.62, 26), "right": (0.52, 1.32, 13)}


def draw_architecture(
    architecture: Architecture,
    path: FilePath,
    *,
    title: str = "",
    direction: str = "down",
    every_head: bool = False,
) -> FilePath:
    """Draw an architecture and write the picture.

    Args:
        architecture: What to draw.
        path: Where to write; the ending decides the format.
        title: Printed above the picture, before the hash.
        direction: Where data flow: "down" or "right". Deep architectures are folded into columns.
        every_head: Draw each head, also in layers of more than 8, where otherwise equal heads are
            one block with their number.

    Raises:
        InvalidExperiment: The ending is none of png, svg and pdf, the folder does not exist, or
            there are too many blocks.
    """
    if path.suffix.lower() not in ENDINGS:
        raise InvalidExperiment(
            f"{str(path)!r} has the ending {path.suffix!r}. Use {', '.join(ENDINGS)}."
        )
    if not path.parent.is_dir():
        raise InvalidExperiment(f"There is no folder {str(path.parent)!r}. Make it first.")
    _refuse_too_many(architecture, every_head=every_head)
    graph = architecture.graph()
    if not every_head and max(len(layer.heads) for layer in architecture.layers) > MANY_HEADS:
        graph = group_heads(graph)
    figure = _Picture(graph, direction).figure(f"{title}  ·  {architecture.short}".lstrip(" ·"))
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    return path


def colour_key(node: dict) -> str:
    """Return what the colour of a node tells: its block, or the kind or mixer of its head."""
    if node["block"] != "head":
        return node["block"]
    kind = node["label"].rpartition("_")[0] or node["label"]
    return kind if kind in COLOURS else operation_of(kind)


def _refuse_too_many(architecture: Architecture, *, every_head: bool) -> None:
    layers = architecture.layers
    grouped = not every_head and max(len(layer.heads) for layer in layers) > MANY_HEADS
    heads = sum(len(layer.groups if grouped else layer.heads) for layer in layers)
    blocks = heads + sum(len(layer.feedforward) + 2 for layer in layers)
    if blocks > MOST_BLOCKS:
        raise InvalidExperiment(
            f"{architecture.short} has about {blocks:,} blocks, too many for a picture. Draw one "
            f"of at most {MOST_BLOCKS:,} blocks, or leave out --every-head."
        )


class _Picture:
    """One drawing; places are across and along the flow, turned into x and y at the very end."""

    def __init__(self, graph: networkx.DiGraph, direction: str):
        beside, self.below, rows = SPACING[direction]
        self.down = direction == "down"
        self.half = (WIDTH / 2, HEIGHT / 2) if self.down else (HEIGHT / 2, WIDTH / 2)
        self.graph = fold(graph, rows)
        self.colours = colours(colour_key(data) for _, data in graph.nodes(data=True))
        apart = 2 * self.half[0] + 4 * ASIDE + 0.45
        self.places = layered_layout(self.graph, beside, self.below, apart)

    def figure(self, title: str) -> Figure:
        across, along = zip(*self.places.values(), strict=True)
        edge = self.half[0] + 2 * ASIDE + 0.35
        horizontal = (min(across) - edge, max(across) + edge)
        vertical = (-self.half[1] - 0.15, max(along) + self.half[1] + 0.15)
        if not self.down:
            horizontal, vertical = vertical, horizontal
        legend = self._legend()
        width = max(horizontal[1] - horizontal[0], 4.4)
        columns = min(len(legend), int(width // 1.85))
        top, bottom = 0.45, 0.25 + 0.2 * -(-len(legend) // columns)
        height = vertical[1] - vertical[0] + top + bottom
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0, bottom / height, 1, 1 - (top + bottom) / height))
        middle = (horizontal[0] + horizontal[1]) / 2
        axes.set(xlim=(middle - width / 2, middle + width / 2), ylim=vertical[::-1])
        axes.axis("off")
        self._draw(axes)
        figure.text(0.5, 1 - 0.26 / height, title, ha="center", va="center", fontsize=11)
        style = {"loc": "lower center", "frameon": False, "fontsize": 8, "handlelength": 1.2}
        figure.legend(handles=legend, ncols=columns, columnspacing=1.2, **style)
        return figure

    def _draw(self, axes: "Axes") -> None:
        for source, target in self.graph.edges:
            rows = self.places[target][1] - self.places[source][1]
            draw = self._around if rows > 1.5 * self.below else self._straight
            draw(axes, source, target)
        for node in self.graph:
            self._block(axes, node)
        for layer, row in layer_rows(self.graph, self.places).items():
            self._name(axes, layer, row)

    def _straight(self, axes: "Axes", source: int, target: int) -> None:
        (a, start), (b, end) = self.places[source], self.places[target]
        self._arrow(axes, (a, start + self.half[1]), (b, end - self.half[1]), LINE)

    def _around(self, axes: "Axes", source: int, target: int) -> None:
        """Draw a residual edge beside everything it passes, with rounded corners."""
        (a, start), (b, end) = self.places[source], self.places[target]
        part = networkx.node_connected_component(self.graph.to_undirected(as_view=True), source)
        passed = [self.places[n][0] for n in part if start <= self.places[n][1] <= end]
        side, bend = min(passed) - self.half[0] - ASIDE, 0.1
        start, end = start + PORT, end - PORT
        points = [(a - self.half[0], start), (side + bend, start), (side, start)]
        points += [(side, start + bend), (side, end - bend), (side, end), (side + bend, end)]
        codes = [Path.MOVETO, Path.LINETO, *[Path.CURVE3] * 2, Path.LINETO, *[Path.CURVE3] * 2]
        path = Path([self._xy(*point) for point in points], codes)
        axes.add_patch(PathPatch(path, fill=False, edgecolor=PALE, linewidth=0.9))
        self._arrow(axes, points[-1], (b - self.half[0], end), PALE)

    def _arrow(self, axes: "Axes", start: tuple, end: tuple, colour: str) -> None:
        style = {"arrowstyle": "-|>", "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0}
        ends = self._xy(*start), self._xy(*end)
        axes.add_patch(FancyArrowPatch(*ends, linewidth=0.8, color=colour, **style))

    def _block(self, axes: "Axes", node: int) -> None:
        data = self.graph.nodes[node]
        x, y = self._xy(*self.places[node])
        box = FancyBboxPatch(
            (x - WIDTH / 2, y - HEIGHT / 2),
            WIDTH,
            HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.07",
            facecolor=self.colours[colour_key(data)],
            edgecolor=LINE,
            linewidth=0.7,
            linestyle=(0, (3, 2)) if data.get("again") else "solid",
        )
        axes.add_patch(box)
        lines = block_lines(block_text(data))
        most = LETTERS if len(lines) == 1 else SMALLER
        size = min(most, LETTERS * FITTING / max(map(len, lines)))  # a kind may have many settings
        style = {"ha": "center", "va": "center", "linespacing": 1.05}
        axes.text(x, y, "\n".join(lines), fontsize=size, **style)

    def _name(self, axes: "Axes", layer: int, row: list[tuple[float, float]]) -> None:
        across, along = zip(*row, strict=True)
        x, y = self._xy(max(across) + self.half[0] + 0.18, (min(along) + max(along)) / 2)
        turn = 90 if self.down else 0
        axes.text(
            x, y, f"layer {layer + 1}", ha="center", va="center", size=8, color=LINE, rotation=turn
        )

    def _legend(self) -> list[Patch]:
        return [
            Patch(facecolor=colour, edgecolor=LINE, label=legend_text(key))
            for key, colour in self.colours.items()
            if key != "output"
        ]

    def _xy(self, across: float, along: float) -> tuple[float, float]:
        return (across, along) if self.down else (along, across)


def block_text(node: dict) -> str:
    """Return the words in a block, from a node's attributes."""
    block, label = node["block"], node["label"]
    if block == "norm":
        return f"add+norm {label.removeprefix('add_norm_')}"
    if block == "feedforward":
        return f"ff {label[1:]}"
    if block == "head":
        kind, _, width = label.rpartition("_")
        label = f"{kind if '(' in kind else kind.replace('_', ' ')} {width}".strip()
    count = node.get("count", 1)
    return f"{count} × {label}" if count > 1 else label


def block_lines(words: str) -> list[str]:
    """Return the words of a block in one line, or in two where they are long.

    They are broken where the longer line is shortest: at a space, before "(" or after ",".
    """
    places = [found.end() for found in re.finditer(r" |,|(?=\()", words)]
    places = [place for place in places if 0 < place < len(words)]
    if len(words) <= FITTING or not places:
        return [words]
    cut = min(places, key=lambda place: max(place, len(words) - place))
    return [words[:cut].strip(), words[cut:].strip()]


def colours(keys: Iterable[str]) -> dict[str, str]:
    """Return the colour of each key, in the order of `COLOURS` and then of the alphabet."""
    present = set(keys)
    known = {key: colour for key, colour in COLOURS.items() if key in present}
    others = sorted(present - COLOURS.keys())
    return known | {key: OTHERS[i % len(OTHERS)] for i, key in enumerate(others)}


def legend_text(key: str) -> str:
    """Return the words of the legend for a key of `COLOURS`."""
    if key in TITLES:
        return TITLES[key]
    return kind_title(*read_kind(key)) if operation_of(key) in OPERATIONS else key
