"""A front as text, for a terminal."""

from collections.abc import Sequence


def front_text(
    points: Sequence[tuple[float, float, bool]],
    *,
    across: str,
    up: str,
    width: int = 56,
    height: int = 12,
) -> list[str]:
    """Return a scatter plot as lines of text.

    Args:
        points: (across, up, whether it is on the front) of each trained encoder.
        across: Name of the horizontal axis.
        up: Name of the vertical axis.
        width: Columns of the plot, without its axis.
        height: Lines of the plot.
    """
    if not points:
        return ["no trained encoder yet"]
    left, right = _bounds([x for x, _, _ in points])
    low, high = _bounds([y for _, y, _ in points])
    cells = [[" "] * width for _ in range(height)]
    # The front last, so that it lies on top.
    for x, y, on_front in sorted(points, key=lambda point: point[2]):
        column = round((x - left) / (right - left) * (width - 1))
        line = round((high - y) / (high - low) * (height - 1))
        cells[line][column] = "●" if on_front else "·"
    labels = [_short(high), *[""] * (height - 2), _short(low)]
    margin = max(map(len, labels))
    lines = [f"{up}   ● on the front   · dominated"]
    lines += [
        f"{label:>{margin}} ┤{''.join(row).rstrip()}"
        for label, row in zip(labels, cells, strict=True)
    ]
    lines.append(f"{'':>{margin}} └{'─' * width}")
    ends = _short(left), _short(right)
    gap = max(1, width - len(ends[0]) - len(ends[1]) - len(across))
    lines.append(
        f"{'':>{margin}}  {ends[0]}{' ' * (gap // 2)}{across}{' ' * (gap - gap // 2)}{ends[1]}"
    )
    return lines


def _bounds(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
