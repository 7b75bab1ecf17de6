"""WNLI: whom does the pronoun mean? Few examples, and only sense tells."""

from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.grammar import sentence
from nas.data.glue_mini.tasks.words import Words

_BECAUSE = {  # verb -> what is true of who does it, and of whom it is done to
    "helped": (("kind", "strong"), ("needy", "lost")),
    "chased": (("angry", "hungry"), ("afraid", "small")),
    "praised": (("grateful", "polite"), ("brave", "clever")),
    "blamed": (("angry", "unfair"), ("careless", "guilty")),
    "avoided": (("timid", "afraid"), ("nasty", "angry")),
    "watched": (("curious", "bored"), ("strange", "famous")),
    "visited": (("kind", "polite"), ("ill", "famous")),
    "calmed": (("kind", "wise"), ("sad", "afraid")),
}


def wnli(draw: Draw, words: Words) -> tuple[tuple[str, ...], str]:
    """Return a sentence with a pronoun, the same with a name in its place, and whether it fits."""
    people = words.lexicon.nouns_of({"person"})
    first = draw.pick(people)
    second = draw.pick([n for n in people if n.gender == first.gender and n != first])
    verb = draw.pick(list(_BECAUSE))
    whose = int(draw.chance(0.5))
    quality = draw.pick(_BECAUSE[verb][whose])
    pronoun = "he" if first.gender == "m" else "she"
    told = ["the", first.word, verb, "the", second.word, "because", pronoun, "was", quality]
    claimed = draw.pick((0, 1))
    claim = ["the", (first, second)[claimed].word, "was", quality]
    return (sentence(told), sentence(claim)), str(int(claimed == whose))
