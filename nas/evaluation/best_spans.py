"""Where the best answer of each question starts and ends, over all windows of its text.

Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", NAACL 2019, sections 4.2 and 4.3 (the sum of both logits, the first token of a
window for no answer), and the released code (30 tokens at most, the least sure window for no
answer).
Differs on purpose: the probability is over every span that is allowed in any window, not over the
20 best, and what the same span has in several windows is added up.
"""

from dataclasses import dataclass

import numpy as np

LONGEST = 30  # tokens of an answer


@dataclass(frozen=True)
class Spans:
    """The best span of each question.

    Attributes:
        first: Place of its first token among all tokens, `(questions,)` int64; -1 for no answer,
            -2 where a logit is none.
        last: The same of its last token.
        probability: How sure it is, `(questions,)`.
    """

    first: np.ndarray
    last: np.ndarray
    probability: np.ndarray


def best_spans(
    logits: np.ndarray,
    places: np.ndarray,
    allowed: np.ndarray,
    offsets: np.ndarray,
    questions: np.ndarray,
    *,
    may_be_none: bool,
) -> Spans:
    """Return the best spans.

    Args:
        logits: Of the first and of the last token, `(tokens, 2)`, window after window.
        places: Where each token stands in its text, `(tokens, 2)`: the same in every window.
        allowed: Which tokens belong to a text that is asked about, `(tokens,)` bool.
        offsets: Where each window begins, and the end of the last, `(windows + 1,)`.
        questions: Number of each window's question, ascending, `(windows,)`.
        may_be_none: Whether a question may have no answer.
    """
    first_windows = np.flatnonzero(np.diff(questions, prepend=-1))
    begins = offsets[:-1][first_windows]
    counts = np.diff(begins, append=len(logits))
    broken = np.logical_or.reduceat(~np.isfinite(logits).all(1), begins)
    given = np.where(np.repeat(broken, counts)[:, None], 0.0, logits)
    start, end = np.where(allowed[:, None], given, -np.inf).T
    best, width, total = _widest(start, end, np.diff(offsets))
    top, whole = np.maximum.reduceat(best, begins), np.logaddexp.reduceat(total, begins)
    there = np.where(best == np.repeat(top, counts), np.arange(len(best)), len(best) - 1)
    first = np.minimum.reduceat(there, begins)
    last = first + width[first]
    same = [
        np.logaddexp.reduceat(
            np.where((places == np.repeat(places[token], counts, 0)).all(1), side, -np.inf),
            offsets[:-1],
        )
        for token, side in ((first, start), (last, end))
    ]
    chosen = np.logaddexp.reduceat(same[0] + same[1], first_windows)
    none = np.isneginf(top)
    if may_be_none:
        nulls = np.minimum.reduceat(given[offsets[:-1]].sum(1), first_windows)
        whole = np.logaddexp(whole, nulls)
        none |= nulls >= top
        chosen = np.where(none, nulls, chosen)
    sure = np.exp(chosen - np.where(np.isneginf(whole), 0.0, whole))
    gone, mark = none | broken, np.where(broken, -2, -1)
    return Spans(np.where(gone, mark, first), np.where(gone, mark, last), np.minimum(sure, 1.0))


def _widest(
    start: np.ndarray, end: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of the spans that begin at each token the best, its width, and what all are worth.

    Args:
        start: Logits, `(tokens,)`; minus infinity where no answer may begin.
        end: The same of where one may end.
        lengths: Tokens of each window.

    Returns:
        The sum of the best one's logits, its tokens but one, and the logarithm of the sum of all
        exponentials, `(tokens,)` each.
    """
    window = np.repeat(np.arange(len(lengths)), lengths)
    best, width = start + end, np.zeros(len(start), np.int64)
    total = best.copy()
    for more in range(1, min(LONGEST, int(lengths.max(initial=1)))):
        inside = window[more:] == window[:-more]
        found = np.where(inside, start[:-more] + end[more:], -np.inf)
        total[:-more] = np.logaddexp(total[:-more], found)
        better = found > best[:-more]
        best[:-more] = np.where(better, found, best[:-more])
        width[:-more][better] = more
    return best, width, total
