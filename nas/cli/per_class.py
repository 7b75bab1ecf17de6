"""Printing where a model is wrong: classes, confusions, the worst rows."""

import json
from typing import TYPE_CHECKING

from nas.cli.printing import echo

if TYPE_CHECKING:
    from nas.single.per_class import PerClass
    from nas.single.scoring import Scored

_MOST_CONFUSED, _WIDE = 10, 90


def print_per_class(found: "PerClass") -> None:
    """Print the figures of each class, what is taken for what, and the rows of highest loss."""
    if found.classes:
        width = max(8, *(len(name) + 2 for name in found.classes))
        echo(f"\n{found.task:<{width}}{'precision':>10}{'recall':>8}{'f1':>8}{'support':>9}")
        for name, of in found.classes.items():
            echo(
                f"{name:<{width}}{of.precision:>10.3f}{of.recall:>8.3f}{of.f1:>8.3f}"
                f"{of.support:>9,}"
            )
    names = list(found.classes)
    pairs = [
        (count, names[right], names[said])
        for right, row in enumerate(found.confusion)
        for said, count in enumerate(row)
        if right != said and count
    ]
    if pairs:
        echo("\nTaken for another (right -> answered):")
        for count, right, said in sorted(pairs, key=lambda p: -p[0])[:_MOST_CONFUSED]:
            echo(f"  {count:>5,}  {right} -> {said}")
    if found.worst:
        echo("\nHighest loss:")
        for row in found.worst:
            text = row.text if len(row.text) <= _WIDE else f"{row.text[: _WIDE - 1]}…"
            text = text.replace("\n", " ")
            echo(f"  row {row.row:,} ({row.loss:.2f}): {row.label} -> {row.predicted}: {text}")


def scores_json(found: "Scored") -> str:
    """Return scores, floors and classes as JSON text."""
    return json.dumps(
        {
            "scores": found.scores,
            "majority": found.floors,
            "tasks": {one.task: one.to_dict() for one in found.by_class},
        },
        indent=1,
        ensure_ascii=False,
    )
