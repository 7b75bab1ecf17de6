"""SST-2: is the opinion good or bad? Negation and contrast turn words around."""

from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.grammar import sentence
from nas.data.glue_mini.tasks.words import Words


def sst2(draw: Draw, words: Words) -> tuple[tuple[str, ...], str]:
    """Return an opinion and "1" if it is good, else "0"."""
    polarity = int(draw.chance(0.5))
    return (sentence(words.opinions.opinion(draw, polarity)),), str(polarity)
