"""What a section of the report is made of: blocks of plain data that the page knows how to draw.

Each function returns one block. The page's scripts have one drawing function for each type.
"""

from collections.abc import Sequence
from typing import Any

Block = dict[str, Any]


def digits(value: float) -> str:
    """Return a measured number as text of four digits, so that those of a column line up."""
    return f"{value:#.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def times(count: int) -> str:
    """Return "once", "twice" or "n times"."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def note(text: str, *, tone: str = "plain") -> Block:
    """Return a paragraph; `tone` is "plain", "warning" or "estimate"."""
    return {"type": "note", "text": text, "tone": tone}


def facts(pairs: Sequence[tuple[str, Any]], *, title: str = "") -> Block:
    """Return names with their values, one a line."""
    return {"type": "facts", "title": title, "pairs": [[k, str(v)] for k, v in pairs]}


def code(text: str, *, title: str = "") -> Block:
    """Return text in a fixed-width font, as it is."""
    return {"type": "code", "title": title, "text": text}


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    title: str = "",
    text_columns: Sequence[str] = (),
    trial_column: str | None = None,
    more: Sequence[str] | None = None,
    read_column: str | None = None,
) -> Block:
    """Return a table.

    Args:
        columns: Headings, with units.
        rows: Cells, numbers or text.
        title: Above it.
        text_columns: Headings whose cells stand to the left; numbers stand to the right.
        trial_column: Heading of a column of trial numbers, which a click opens.
        more: For each row a longer text that opens on demand.
        read_column: Heading of a column of sentences, which have a line of their own on a phone.
    """
    left = [name in text_columns for name in columns]
    return {
        "type": "table", "title": title, "columns": list(columns), "left": left,
        "rows": [list(row) for row in rows], "trial": trial_column,
        "more": None if more is None else list(more), "read": read_column,
    }  # fmt: skip


def bars(items: Sequence[dict[str, Any]], *, unit: str, title: str = "") -> Block:
    """Return horizontal bars.

    Args:
        items: Each with "name", "value", and perhaps "low" and "high" of an interval and a "note".
        unit: What the numbers are.
        title: Above them.
    """
    return {"type": "bars", "title": title, "unit": unit, "items": list(items)}


def lines(
    series: Sequence[dict[str, Any]],
    *,
    x: Sequence[dict[str, str]],
    y: str,
    title: str = "",
) -> Block:
    """Return curves over one of several x axes.

    Args:
        series: Each with "name", "kind" ("step", "line" or "points"), "x" (axis key to numbers),
            "y", perhaps "low" and "high" of a band, "trials" (for points), and "tone": "strong",
            "plain", "faint", or the number of a colour.
        x: Axes to choose from: "key" and "label".
        y: Label of the y axis.
        title: Above it.
    """
    return {"type": "lines", "title": title, "x": list(x), "y": y, "series": list(series)}


def parallel(axes: Sequence[dict[str, str]], rows: Sequence[dict[str, Any]]) -> Block:
    """Return parallel coordinates: one axis for each objective, one line for each trial.

    Args:
        axes: Each with "name" and "direction", "max" or "min": what is better stands above.
        rows: Each with "trial", "values" (one an axis) and "front".
    """
    return {"type": "parallel", "title": "", "axes": list(axes), "rows": list(rows)}


def scatter(
    points: dict[str, Sequence[Any]],
    *,
    x: str,
    y: str,
    title: str = "",
    diagonal: bool = False,
) -> Block:
    """Return points: "x", "y", "trial", and perhaps "low" and "high" of an interval along x.

    Args:
        points: Columns of numbers.
        x: Label of the x axis.
        y: Label of the y axis.
        title: Above it.
        diagonal: Draw where both are equal, and give both axes one scale.
    """
    return {
        "type": "scatter", "title": title, "points": {k: list(v) for k, v in points.items()},
        "x": x, "y": y, "diagonal": diagonal,
    }  # fmt: skip


def gantt(
    lanes: Sequence[str], bars_of: dict[str, Sequence[Any]], marks: Sequence[float] = ()
) -> Block:
    """Return bars over time.

    Args:
        lanes: Name of each lane.
        bars_of: Columns "lane", "start", "end" (seconds), "trial" and "status".
        marks: Moments to mark, in seconds: where the run was continued.
    """
    columns = {k: list(v) for k, v in bars_of.items()}
    return {"type": "gantt", "lanes": list(lanes), "bars": columns, "marks": list(marks)}


def space_map(points: dict[str, Sequence[Any]], *, colours: Sequence[dict[str, Any]]) -> Block:
    """Return a map of architectures.

    Args:
        points: Columns "x", "y" and "trial".
        colours: What points can be coloured by: "key", "label", and for "kind" "number" the
            column, for "kind" "word" the word of each point.
    """
    columns = {k: list(v) for k, v in points.items()}
    return {"type": "map", "points": columns, "colours": list(colours)}
