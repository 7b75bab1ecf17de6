"""How near an answer in words is to the right ones: equal, or with words in common.

Source: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP 2016
(what is left out before two answers are compared); Rajpurkar et al., "Know What You Don't Know:
Unanswerable Questions for SQuAD", ACL 2018 (the answer that there is none).
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

# ASCII alone, as the official script has it
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


@cache
def normalised(answer: str) -> str:
    """Return an answer in lower case, without punctuation, articles and doubled spaces."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def is_same(said: str, right: str) -> float:
    """Return 1 where two answers are the same once normalised, else 0."""
    return float(normalised(said) == normalised(right))


def word_overlap(said: str, right: str) -> float:
    """Return the harmonic mean of precision and recall of an answer's words, in [0, 1].

    An answer without words is right where the other has none, either.
    """
    mine, wanted = normalised(said).split(), normalised(right).split()
    if not mine or not wanted:
        return float(mine == wanted)
    common = sum((Counter(mine) & Counter(wanted)).values())
    return 2 * common / (len(mine) + len(wanted))


def best_of(measure: Callable[[str, str], float], said: str, rights: Sequence[str]) -> float:
    """Return how near an answer is to the nearest of the right ones.

    Args:
        measure: Of an answer and a right one.
        said: The answer; "" says that there is none.
        rights: Those that count as right; none where the question has no answer.
    """
    return max(measure(said, right) for right in [r for r in rights if normalised(r)] or [""])
