"""The beginnings of texts, kept with the encoded examples so that a report can show some of them.

Ids do not give a text back: most tokenizers here forget case and marks.
"""

from nas.data.tables import Split
from nas.evaluation.mistakes import LONGEST
from nas.printable import one_line

MOST = 20_000  # examples: of more, none are kept
_BETWEEN = " | "


def text_of(split: Split, place: int) -> str:
    """Return everything that is read of an example; "|" stands between texts and answers."""
    return _BETWEEN.join(_parts(split, place))


def excerpts(split: Split) -> tuple[str, ...]:
    """Return the beginning of each example's text in one line; nothing of a split of too many.

    Of several texts and answers each has its share of the room. Of a question about a text it is
    the question, since the text is kept with it anyway.
    """
    if len(split) > MOST:
        return ()
    return tuple(_excerpt(split, place) for place in range(len(split)))


def _excerpt(split: Split, place: int) -> str:
    if split.words:  # a word has no space, so that the n-th one is found again
        return one_line(" ".join("_".join(w.split()) or "_" for w in split.first[place]), LONGEST)
    parts = _parts(split, place) if split.answers is None else [split.first[place]]
    share = (LONGEST - len(_BETWEEN) * (len(parts) - 1)) // len(parts)
    return _BETWEEN.join(one_line(part, max(1, share)) for part in parts)[:LONGEST]


def _parts(split: Split, place: int) -> list[str]:
    if split.words:
        return [" ".join(split.first[place])]
    more = [] if split.second is None else [split.second[place]]
    more += [] if split.choices is None else list(split.choices[place])
    return [split.first[place], *more]
