"""Where the best answer of each question starts and ends, over all windows of its text.

Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", NAACL 2019, sections 4.2 and 4.3 (the sum of both logits, the first token of a
window for no answer), and the released code (30 tokens at most, the least sure window for no
answer).
Differs on purpose: the probability is over every span that is allowed in any window, not over the
20 best; a span that stands in two windows counts in both.
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
    allowed: np.ndarray,
    offsets: np.ndarray,
    questions: np.ndarray,
    *,
    may_be_none: bool,
) -> Spans:
    """Return the best spans.

    Args:
        logits: Of the first and of the last token, `(tokens, 2)`, window after window.
        allowed: Which tokens belong to a text that is asked about, `(tokens,)` bool.
        offsets: Where each window begins, and the end of the last, `(windows + 1,)`.
        questions: Number of each window's question, ascending, `(windows,)`.
        may_be_none: Whether a question may have no answer.
    """
    window = np.repeat(np.arange(len(questions)), np.diff(offsets))
    first_windows = np.flatnonzero(np.diff(questions, prepend=-1))
    begins = offsets[:-1][first_windows]
    start = np.where(allowed, logits[:, 0], -np.inf)
    end = np.where(allowed, logits[:, 1], -np.inf)
    best, width = start + end, np.zeros(len(start), np.int64)
    total = best.copy()
    with np.errstate(invalid="ignore"):  # logits that are none are told below
        for more in range(1, min(LONGEST, int(np.diff(offsets).max(initial=1)))):
            inside = window[more:] == window[:-more]
            found = np.where(inside, start[:-more] + end[more:], -np.inf)
            total[:-more] = np.logaddexp(total[:-more], found)
            better = found > best[:-more]
            best[:-more] = np.where(better, found, best[:-more])
            width[:-more][better] = more
        top, whole = np.maximum.reduceat(best, begins), np.logaddexp.reduceat(total, begins)
    counts = np.diff(begins, append=len(best))
    places = np.where(best == np.repeat(top, counts), np.arange(len(best)), len(best))
    first = np.minimum.reduceat(places, begins)
    broken = np.logical_or.reduceat(~np.isfinite(logits).all(1), begins)
    first = np.where(broken | ~np.isfinite(top), 0, first)
    last, chosen, none = first + width[first], top, ~np.isfinite(top)
    if may_be_none:
        nulls = np.minimum.reduceat(logits[offsets[:-1]].sum(1), first_windows)
        whole = np.logaddexp(whole, nulls)
        none |= nulls >= top
        chosen = np.where(none, nulls, top)
    sure = np.where(
        np.isfinite(chosen), np.exp(np.where(none & ~np.isfinite(whole), 0, chosen - whole)), 0
    )
    mark = np.where(broken, -2, -1)
    gone = none | broken
    return Spans(np.where(gone, mark, first), np.where(gone, mark, last), sure)
