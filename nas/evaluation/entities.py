"""Entities in a row of labels of words: where each begins and ends, and of what kind it is."""

from collections.abc import Iterable


def entities(labels: Iterable[str]) -> set[tuple[int, int, str]]:
    """Return first word, word after the last, and type of each entity of a row of labels."""
    found, start, kind = set(), 0, ""
    for place, label in enumerate([*labels, ""]):
        mark, name = split_mark(label)
        if mark:
            begins = mark == "B" or name != kind
        else:
            name = "" if label == "O" else label
            begins = name != kind
        if begins or not name:
            if kind:
                found.add((start, place, kind))
            start, kind = place, name
    return found


def split_mark(label: str) -> tuple[str, str]:
    """Return "B" or "I" and the kind of an entity of a label; "" and the label without a mark."""
    mark, sign, name = label.partition("-")
    return (mark, name) if sign and mark in ("B", "I") else ("", label)
