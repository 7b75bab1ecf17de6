"""Where answers are wrong, as little of it as a page shows: classes, confusions, the worst ones.

It is made where answers are scored, kept as JSON, and read back from wherever a run comes from, so
that every text in it is short and printable, and every list of a length that is known.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from nas.evaluation.class_figures import (
    LARGEST_TABLE,
    LONGEST_NAME,
    MOST_CONFUSED,
    MOST_NAMES,
    ClassFigures,
)
from nas.printable import one_line

WORST = 10  # answers
LONGEST = 240  # characters of a text
_MOST_COUNT = 2**53


@dataclass(frozen=True)
class Mistake:
    """One wrong answer.

    Attributes:
        text: What was read, shortened; "" where it was not kept.
        right: What is right.
        answer: What was answered.
        value: How sure the answer was, in [0, 1]; of a number, by how much it is off.
        example: Its place among the development examples, from 1.
    """

    text: str
    right: str
    answer: str
    value: float
    example: int


@dataclass(frozen=True)
class Mistakes:
    """Where the answers to one development split are wrong.

    Attributes:
        examples: How many there are.
        wrong: How many were answered wrongly; None of a number.
        mean_error: Of a number, the mean of how much answers are off.
        what: What `names` are, in one word: "class", "label" or "kind".
        names: Classes; at most `MOST_NAMES`.
        figures: Of each of them.
        names_in_all: How many classes there are.
        table: For each of `names` that is right, how often each was answered; empty where there
            are more than `LARGEST_TABLE`, or where several are right at once.
        confused: What was right, what was answered instead, and how often; the most frequent
            first, at most `MOST_CONFUSED`.
        confused_in_all: How many such pairs there are.
        worst: The surest of the wrong answers; of numbers, those that are off most.
    """

    examples: int
    wrong: int | None = None
    mean_error: float | None = None
    what: str = "class"
    names: list[str] = field(default_factory=list)
    figures: list[ClassFigures] = field(default_factory=list)
    names_in_all: int = 0
    table: list[list[int]] = field(default_factory=list)
    confused: list[tuple[str, str, int]] = field(default_factory=list)
    confused_in_all: int = 0
    worst: list[Mistake] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads, as JSON types."""
        found = asdict(self)
        return {**found, "confused": [list(pair) for pair in self.confused]}

    @classmethod
    def from_dict(cls, values: Any) -> "Mistakes":
        """Return what JSON says, its texts shortened and printable once more.

        Raises:
            ValueError: It is not what `to_dict` gave.
        """
        known = cls.__dataclass_fields__
        given = _mapping(values, known, "mistakes")
        names = [one_line(name, LONGEST_NAME) for name in _list(given["names"], str, MOST_NAMES)]
        figures = [_figures(one) for one in _list(given["figures"], dict, MOST_NAMES)]
        table = [_list(row, int, LARGEST_TABLE) for row in _list(given["table"], list, MOST_NAMES)]
        if len(figures) != len(names) or (
            table and (len(table) != len(names) or any(len(row) != len(names) for row in table))
        ):
            raise ValueError("names, figures and table do not fit together")
        counts = [given[name] for name in ("examples", "names_in_all", "confused_in_all")]
        counts += [count for row in table for count in row]
        if not all(map(_is_count, counts)) or not (
            given["wrong"] is None or _is_count(given["wrong"])
        ):
            raise ValueError("a count is none")
        if not (given["mean_error"] is None or _is_number(given["mean_error"])):
            raise ValueError("mean_error is no number")
        if given["what"] not in _WHAT:
            raise ValueError(f"what is none of {', '.join(_WHAT)}")
        return cls(
            **{
                **given,
                "names": names,
                "figures": figures,
                "table": table,
                "confused": [_pair(one) for one in _list(given["confused"], list, MOST_CONFUSED)],
                "worst": [_mistake(one) for one in _list(given["worst"], dict, WORST)],
            }
        )


_WHAT = ("class", "label", "kind")


def read_mistakes(values: Any) -> dict[str, dict[str, Mistakes]]:
    """Return the mistakes of each task, by name, and of each of its development splits.

    Raises:
        ValueError: It is not what was kept of a trial.
    """
    if not isinstance(values, dict) or not all(isinstance(of, dict) for of in values.values()):
        raise ValueError("mistakes are no mapping of tasks to splits")
    return {
        one_line(task, LONGEST_NAME): {
            one_line(split, LONGEST_NAME): Mistakes.from_dict(one) for split, one in of.items()
        }
        for task, of in values.items()
    }


def plain_mistakes(values: Any) -> dict[str, dict[str, Any]]:
    """Return what a worker sent of a trial's mistakes as JSON types; nothing if it is none."""
    try:
        found = read_mistakes(values)
    except ValueError:
        return {}
    return {task: {split: one.to_dict() for split, one in of.items()} for task, of in found.items()}


def worst_of(
    wrong: np.ndarray, values: np.ndarray, words: Callable[[int], tuple[str, str, str]]
) -> list[Mistake]:
    """Return the wrong answers of the largest values, the largest first.

    Args:
        wrong: Whether each answer is, `(n,)`.
        values: How sure each is, or by how much it is off, `(n,)`.
        words: Text, right answer and answer of an example.
    """
    places = np.flatnonzero(wrong)
    places = places[np.argsort(-values[places], kind="stable")][:WORST]
    return [mistake(words(int(i)), values[i], int(i)) for i in places]


def mistake(words: tuple[str, str, str], value: float, place: int) -> Mistake:
    """Return a wrong answer with its text, what is right and what was answered shortened."""
    text, right, answer = words
    return Mistake(
        one_line(text, LONGEST),
        one_line(right, LONGEST_NAME),
        one_line(answer, LONGEST_NAME),
        float(value),
        place + 1,
    )


def _mapping(values: Any, names: Mapping[str, Any], what: str) -> dict[str, Any]:
    if not isinstance(values, dict) or set(values) != set(names):
        raise ValueError(f"{what} have the facts {', '.join(names)}")
    return values


def _list(values: Any, kind: type, most: int) -> list[Any]:
    if not isinstance(values, list) or len(values) > most:
        raise ValueError(f"a list of at most {most} is none")
    if not all(type(value) is kind for value in values):
        raise ValueError(f"a list holds what is no {kind.__name__}")
    return values


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST_COUNT


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _figures(values: Any) -> ClassFigures:
    given = _mapping(values, ClassFigures.__dataclass_fields__, "figures of a class")
    shares = [given[name] for name in ("precision", "recall", "f1")]
    if not all(_is_number(share) and 0 <= share <= 1 for share in shares):
        raise ValueError("a share is none")
    if not _is_count(given["support"]):
        raise ValueError("a count is none")
    return ClassFigures(**given)


def _pair(values: Any) -> tuple[str, str, int]:
    fits = len(values) == 3 and isinstance(values[0], str) and isinstance(values[1], str)
    if not fits or not _is_count(values[2]):
        raise ValueError("a confusion is none")
    return one_line(values[0], LONGEST_NAME), one_line(values[1], LONGEST_NAME), values[2]


def _mistake(values: Any) -> Mistake:
    given = _mapping(values, Mistake.__dataclass_fields__, "wrong answers")
    words = tuple(given[name] for name in ("text", "right", "answer"))
    if not all(isinstance(word, str) for word in words):
        raise ValueError("a wrong answer has no text")
    if not _is_number(given["value"]) or not _is_count(given["example"]) or not given["example"]:
        raise ValueError("a wrong answer has no number")
    return mistake(words, given["value"], given["example"] - 1)
