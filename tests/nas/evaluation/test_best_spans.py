"""The best span of each question beside one that looks at every pair of tokens."""

import numpy as np
import pytest

from nas.evaluation.best_spans import LONGEST, best_spans


def twin(logits, places, allowed, offsets, windows, *, may_be_none):
    """Return first, last and probability of a question's best span, pair by pair."""
    scores, nulls = {}, []
    for window in windows:
        begin, end = offsets[window], offsets[window + 1]
        nulls.append(logits[begin].sum())
        for i in range(begin, end):
            for j in range(i, min(end, i + LONGEST)):
                if allowed[i] and allowed[j]:
                    scores[i, j] = logits[i, 0] + logits[j, 1]
    if may_be_none:
        scores[-1, -1] = min(nulls)
    best = max(scores, key=scores.get)
    sure = [
        value
        for (i, j), value in scores.items()
        if i >= 0 and (*places[i], *places[j]) == (*places[best[0]], *places[best[1]])
    ]
    if may_be_none and scores[-1, -1] >= scores[best]:
        best, sure = (-1, -1), [scores[-1, -1]]
    return *best, sum(np.exp(sure)) / sum(np.exp(list(scores.values())))


@pytest.mark.parametrize("seed", range(12))
def test_spans_are_those_of_every_pair(seed):
    rng = np.random.default_rng(seed)
    questions = np.sort(np.concatenate([np.arange(4), rng.integers(4, size=4)]))
    lengths = rng.integers(3, 45, size=len(questions))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    allowed = rng.random(offsets[-1]) < 0.8
    allowed[offsets[:-1]] = False  # the first tokens
    allowed[offsets[:-1] + 1] = True
    # windows of a question begin anywhere in its text
    places = np.concatenate([rng.integers(30) + np.arange(n) for n in lengths])
    places = np.stack([places * 3, places * 3 + 2], 1)
    logits = rng.normal(size=(offsets[-1], 2)) * 2
    for may_be_none in (False, True):
        found = best_spans(logits, places, allowed, offsets, questions, may_be_none=may_be_none)
        for number in range(4):
            windows = np.flatnonzero(questions == number)
            wanted = twin(logits, places, allowed, offsets, windows, may_be_none=may_be_none)
            assert (found.first[number], found.last[number]) == wanted[:2]
            assert found.probability[number] == pytest.approx(wanted[2])


def test_no_text_gives_no_answer_and_broken_logits_are_told():
    offsets, questions = np.array([0, 2, 5, 8]), np.array([0, 1, 2])
    allowed = np.array([0, 0, 0, 1, 1, 0, 1, 1], bool)
    logits, places = np.ones((8, 2)), np.arange(16).reshape(8, 2)
    logits[6, 0] = np.nan
    found = best_spans(logits, places, allowed, offsets, questions, may_be_none=False)
    assert found.first.tolist() == [-1, 3, -2]
    assert found.probability[0] == 0
    assert found.probability[1] == pytest.approx(1 / 3)
