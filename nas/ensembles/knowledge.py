"""What is known of the words of a text: vectors of the entities in it, their mean.

An entity is one to four words in a row, lower-cased, such as "ice cream"; of several that overlap
the longest counts, then the first. A text with none of them has zeros.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LONGEST = 4  # words of an entity
_WORD = re.compile(r"\w+(?:['’]\w+)*")


@dataclass(frozen=True)
class Knowledge:
    """Vectors of entities.

    Attributes:
        places: Entity -> its row.
        vectors: `(entities, features)` float64.
    """

    places: Mapping[str, int]
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def of_entity(self, entity: str) -> np.ndarray:
        """Return the vector of an entity, `(features,)`; zeros of an unknown one."""
        place = self.places.get(entity)
        return np.zeros(self.vectors.shape[1]) if place is None else self.vectors[place]

    def of_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return the mean vector of the entities of each text, `(n, features)`."""
        found = np.zeros((len(texts), self.vectors.shape[1]))
        for row, text in enumerate(texts):
            places = [self.places[entity] for entity in linked(text, self.places)]
            if places:
                found[row] = self.vectors[places].mean(0)
        return found


def linked(text: str, entities: Iterable[str]) -> Iterator[str]:
    """Yield the entities in a text from left to right, each as long as can be.

    Args:
        text: Any text.
        entities: Names with one space between words; anything that answers `in`.
    """
    words, at = words_of(text), 0
    while at < len(words):
        for length in range(min(LONGEST, len(words) - at), 0, -1):
            name = " ".join(words[at : at + length])
            if name in entities:
                yield name
                break
        else:
            length = 1
        at += length


def candidates(texts: Iterable[str]) -> set[str]:
    """Return every entity that could be in some texts."""
    found = set()
    for text in texts:
        words = words_of(text)
        for length in range(1, LONGEST + 1):
            found.update(" ".join(words[i : i + length]) for i in range(len(words) - length + 1))
    return found


def words_of(text: str) -> list[str]:
    """Return the words of a text, lower-cased."""
    return _WORD.findall(text.lower())
