"""Reading what is known of words, whatever kind of file it is in."""

from collections.abc import Sequence
from pathlib import Path

from nas.ensembles.knowledge import Knowledge, candidates
from nas.ensembles.triples import read_triples, translations
from nas.ensembles.word_vectors import first_line, read_word_vectors
from search_spaces.errors import InvalidData

_TRIPLE = 3


def read_knowledge(path: Path, texts: Sequence[str], *, seed: int) -> Knowledge:
    """Return vectors of the entities in `texts`.

    Args:
        path: Vectors of words or entities (see `nas.ensembles.word_vectors`), or lines of
            "relation<TAB>head<TAB>tail", which vectors are trained from.
        texts: Where they are looked for.
        seed: Decides the training.

    Raises:
        InvalidData: The file cannot be read, or holds neither.
    """
    wanted = candidates(texts)
    if first_line(path).count("\t") == _TRIPLE - 1:
        found = translations(read_triples(path), seed=seed)
        kept = [name for name in found.places if name in wanted]
        rows = found.vectors[[found.places[name] for name in kept]]
        return Knowledge({name: row for row, name in enumerate(kept)}, rows)
    found = read_word_vectors(path, wanted)
    if not len(found):
        raise InvalidData(
            f"None of the entities in {path} is a word of the texts. Is it of their language? Give "
            "another file with --vectors, or leave it out."
        )
    return found
