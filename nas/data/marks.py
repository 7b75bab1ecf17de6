"""Marks on letters: which scripts lose words without them, and what a text is written in.

BERT's normaliser strips every mark that Unicode lets combine with a letter. In English nothing is
lost; in Devanagari and its relatives vowels are such marks, in Thai vowels and tones, in Japanese
what tells ga from ka, in Cyrillic what tells two letters apart.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from search_spaces.errors import InvalidData

AUTO, KEEP, STRIP = "auto", "keep", "strip"
# Marks are accents that the language mostly does without, or points that hardly anybody writes.
_MAY_BE_STRIPPED = frozenset(("LATIN", "GREEK", "HEBREW", "ARABIC", "COMBINING", "MODIFIER"))
# Above this share of letters, a script is one of the text's own, and no foreign name in it.
_SHARE = 0.003
_LOOKED_AT = 1_000_000  # characters
_NO_MARKS = "en"  # the language whose words stay apart without them


def keeps_marks(texts: Sequence[str], languages: Iterable[str], wanted: str = AUTO) -> bool:
    """Return whether a tokenizer of `texts` keeps the marks of letters.

    Args:
        texts: What it learns from.
        languages: Of the run, as codes of two letters; any but English keeps them.
        wanted: "keep", "strip", or "auto" where languages and scripts decide.

    Raises:
        InvalidData: They are to be stripped from a script that needs them.
    """
    if wanted == KEEP:
        return True
    script = marked_script(texts)
    if wanted == STRIP and script is not None:
        raise InvalidData(
            f"marks is 'strip', and the text is written in {script.title()}, whose words fall "
            f"together without their marks, such as {_example(texts, script)}. Write marks: keep, "
            "or leave it out."
        )
    if wanted == STRIP:
        return False
    return script is not None or any(language != _NO_MARKS for language in languages)


def marked_script(texts: Iterable[str]) -> str | None:
    """Return the script of which most marks would be lost, by its name in Unicode; None for none.

    Scripts that may lose them, such as Latin, do not count, and neither do a few foreign words.
    """
    counts = Counter(_some(texts))
    letters = sum(count for char, count in counts.items() if char.isalpha() or _is_mark(char))
    lost: Counter[str] = Counter()
    for char, count in counts.items():
        if any(map(_is_mark, unicodedata.normalize("NFD", char))):
            lost[_script(char)] += count
    lost = Counter({name: n for name, n in lost.items() if name not in _MAY_BE_STRIPPED})
    if not lost or sum(lost.values()) < _SHARE * letters:
        return None
    return min(lost, key=lambda name: (-lost[name], name))


def without_marks(text: str) -> str:
    """Return a text as BERT's normaliser leaves it."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not _is_mark(c))


def _some(texts: Iterable[str]) -> str:
    """Return texts from all over, up to a number of characters."""
    texts = list(texts)
    every = max(1, sum(map(len, texts)) // _LOOKED_AT)
    return "".join(texts[::every])[: 2 * _LOOKED_AT]


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) == "Mn"


def _script(char: str) -> str:
    """Return the first word of a character's name, which is its script's."""
    return unicodedata.name(char, "").partition(" ")[0]


def _example(texts: Iterable[str], script: str) -> str:
    """Return a word of the script, and what would be left of it."""
    for text in texts:
        for word in text.split():
            bare = word.strip(".,;:!?()।\"'")
            if without_marks(bare) != bare and _script(bare[0]) == script:
                return f"{bare} ({without_marks(bare)})"
    return "its own"
