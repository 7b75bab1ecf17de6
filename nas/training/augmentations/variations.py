"""One sentence said again with a small change, by rules; and where a text does so by itself.

Source: Haga et al., "BabyLM Challenge: Exploring the Effect of Variation Sets on Language Model
Training Efficiency", 2024; the term is Küntay and Slobin's. There a language model wrote the
variations. Our definition: four operations of rules for English (another word, another order, a
small word more or less, a pronoun for a noun or the other way), and a detector that compares words
without lemmas.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

_PRONOUNS = ("he", "she", "it", "they", "we", "you", "this", "that")
_SMALL = ("now", "then", "just", "so", "please", "well", "really", "here", "again", "there")
_DETERMINERS = ("the", "a", "my", "your", "this", "that", "his", "her", "our", "some")
# Words that others stand in for, group by group.
_GROUPS = (
    ("good", "fine", "nice", "great"), ("bad", "poor", "awful"), ("big", "large", "great"),
    ("small", "little", "tiny"), ("see", "look", "watch"), ("say", "tell", "speak"),
    ("said", "told", "spoke"), ("go", "walk", "run"), ("went", "walked", "ran"),
    ("put", "place", "set"), ("get", "take", "fetch"), ("make", "build", "do"),
    ("think", "believe", "guess"), ("man", "boy", "person"), ("woman", "girl", "person"),
    ("house", "home", "place"), ("happy", "glad", "merry"), ("sad", "sorry", "unhappy"),
    ("quick", "fast", "swift"), ("old", "aged", "ancient"), ("very", "quite", "rather"),
    ("in", "into", "inside"), ("on", "upon", "over"), ("and", "then", "also"),
)  # fmt: skip
_OTHERS = {word: [w for w in group if w != word] for group in _GROUPS for word in group}
_MOST_WORDS = 60  # of two lines that are compared: beyond, it is no utterance

ALIKE, MOST_EDITED = 0.5, 0.6


def vary(words: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Return words with one small change; as drawn, of the four that this sentence allows."""
    changes = [_substitute, _move, _add_or_drop, _swap_pronoun]
    for number in rng.permutation(len(changes)):
        found = changes[number](list(words), rng)
        if found != list(words):
            return found
    return [*words, str(rng.choice(_SMALL))]


def _substitute(words: list[str], rng: np.random.Generator) -> list[str]:
    places = [i for i, word in enumerate(words) if word in _OTHERS]
    if places:
        place = int(rng.choice(places))
        words[place] = str(rng.choice(_OTHERS[words[place]]))
    return words


def _move(words: list[str], rng: np.random.Generator) -> list[str]:
    """Bring the last words to the front, as a question or a stress does."""
    if len(words) < 4:
        return words
    end = len(words) - (not words[-1][-1].isalnum())
    count = int(rng.integers(1, min(3, end - 1)))
    return [*words[end - count : end], *words[: end - count], *words[end:]]


def _add_or_drop(words: list[str], rng: np.random.Generator) -> list[str]:
    places = [i for i, word in enumerate(words) if word in _SMALL]
    if places and len(words) > 2 and rng.random() < 0.5:
        del words[int(rng.choice(places))]
        return words
    at_front = rng.random() < 0.5
    end = len(words) - (not words[-1][-1].isalnum())
    words.insert(0 if at_front else end, str(rng.choice(_SMALL)))
    return words


def _swap_pronoun(words: list[str], rng: np.random.Generator) -> list[str]:
    nouns = [i for i in range(len(words) - 1) if words[i] in _DETERMINERS]
    if nouns:
        place = int(rng.choice(nouns))
        return [*words[:place], str(rng.choice(_PRONOUNS[:4])), *words[place + 2 :]]
    return words


def is_variation(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two sentences say the same with a small change: most words, and not all as they are.

    The words of both have a Jaccard similarity of at least 0.5, and the edits are above 0 and below
    0.6 of the whole.
    """
    first, second = set(one), set(other)
    if not first or len(first & second) < ALIKE * len(first | second):
        return False
    if max(len(one), len(other)) > _MOST_WORDS:
        return False
    ratio = 1 - SequenceMatcher(None, one, other, autojunk=False).ratio()
    return 0 < ratio < MOST_EDITED


def variation_sets(lines: Sequence[str]) -> list[range]:
    """Return where consecutive lines vary one sentence: a range of line numbers for each set."""
    words = [line.lower().split() for line in lines]
    found, first = [], 0
    for number in range(1, len(words) + 1):
        if number < len(words) and is_variation(words[number - 1], words[number]):
            continue
        if number - first > 1:
            found.append(range(first, number))
        first = number
    return found
