"""Exact match and F1 of answers in words, beside a slow twin of the published rules."""

import re
import string

import numpy as np
import pytest

from nas.evaluation.answer_texts import best_of, is_same, normalised, word_overlap

WORDS = (
    "the",
    "a",
    "An",
    "cat",
    "Cat,",
    "cat's",
    "1,000",
    "—",
    "thé",
    "theatre",
    "in",
    "U.S.",
    "...",
)


def plain(text):
    """Normalise letter by letter, as the four rules say."""
    kept = "".join(c for c in text.lower() if c not in string.punctuation)
    words = re.sub(r"(?<!\w)(?:a|an|the)(?!\w)", " ", kept)
    return [word for word in words.split(" ") if word.strip()]


def twin(said, rights):
    """Exact match and F1 of an answer, by counting words one by one."""
    rights = [right for right in rights if plain(right)] or [""]
    exact, best = 0.0, 0.0
    for right in rights:
        mine, left = plain(said), plain(right)
        exact = max(exact, float(mine == left))
        if not mine or not left:
            best = max(best, float(mine == left))
            continue
        hits, wanted = 0, list(left)
        for word in mine:
            if word in wanted:
                wanted.remove(word)
                hits += 1
        if hits:
            precision, recall = hits / len(mine), hits / len(left)
            best = max(best, 2 * precision * recall / (precision + recall))
    return exact, best


@pytest.mark.parametrize("seed", range(20))
def test_answers_score_as_the_rules_say(seed):
    rng = np.random.default_rng(seed)

    def text():
        return " ".join(rng.choice(WORDS, rng.integers(6)))

    for _ in range(20):
        said, rights = text(), [text() for _ in range(rng.integers(4))]
        found = best_of(is_same, said, rights), best_of(word_overlap, said, rights)
        assert found == pytest.approx(twin(said, rights)), (said, rights)


def test_answers_that_are_told_by_hand():
    assert normalised(" The  cat's, a—theatre ") == "cats —theatre"
    assert is_same("the U.S.", "US") == 1
    assert word_overlap("in the big house", "big house") == pytest.approx(4 / 5)
    assert word_overlap("cat cat", "cat") == pytest.approx(2 / 3)
    # no answer is right where there is none, and nowhere else
    assert best_of(word_overlap, "", []) == best_of(is_same, "", []) == 1
    assert best_of(word_overlap, "cat", []) == best_of(word_overlap, "", ["cat"]) == 0
    assert best_of(is_same, "cat", ["dog", "a cat"]) == 1
