"""Suites of minimal pairs: of two sentences that differ little, a model is to prefer one.

A masked-language model prefers the one of the higher pseudo-log-likelihood; equal ones are half
right, so that a model that prefers nothing scores 0.5.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PairSuite:
    """Which files a suite has, and what they call their sentences.

    Attributes:
        name: As `--suite` takes it, and of the objective.
        title: For people.
        files: The official files without their ending, .jsonl.
        good: Column of the sentence to prefer, or columns that make it up, a space between.
        bad: The same of the other one.
        source: Authors, title and venue.
    """

    name: str
    title: str
    files: tuple[str, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]
    source: str
