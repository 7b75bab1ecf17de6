"""From an event (who did what to whom, where, when) to a sentence, in several ways.

Events are what sentences mean, so two sentences of one event are paraphrases, and every task of
glue-mini that compares sentences knows its answer from how their events differ.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.lexicon import DOMAINS, Adjective, Lexicon, Noun, Verb

TIMES = ("yesterday", "today", "at noon", "at night", "on monday", "on friday", "in spring")
_PREPOSITIONS = {"beach": "on", "shore": "on", "market": "at", "bazaar": "at"}
FAVOURITE = 0.5


@dataclass(frozen=True)
class Phrase:
    """A noun with its determiner and adjective."""

    noun: Noun
    determiner: str = "the"
    adjective: Adjective | None = None
    plural: bool = False

    def words(self) -> list[str]:
        """Return its words."""
        head = self.noun.plural if self.plural else self.noun.word
        adjective = [self.adjective.word] if self.adjective else []
        determiner = self.determiner
        if determiner == "a" and (adjective or [head])[0][0] in "aeiou":
            determiner = "an"
        return [determiner, *adjective, head]


@dataclass(frozen=True)
class Event:
    """Who did what; `target` is whom or what it was done to, None for verbs without one."""

    agent: Phrase
    verb: Verb
    target: Phrase | None = None
    place: Noun | None = None
    time: str = ""
    negated: bool = False

    @property
    def reversible(self) -> bool:
        """Whether agent and target may change places and still make sense."""
        return (
            self.target is not None
            and self.target.noun.kind in self.verb.subjects
            and self.agent.noun.kind in self.verb.objects
            and self.target.noun.meaning != self.agent.noun.meaning
        )


def sentence(words: Sequence[str], end: str = ".") -> str:
    """Return words as text: a capital first, a full stop last."""
    text = " ".join(words)
    return text[0].upper() + text[1:] + end


def active(event: Event) -> list[str]:
    """Return the words of "the farmer chased the dog in the barn yesterday"."""
    if event.negated:
        verb = ["did", "not", event.verb.word]
    else:
        verb = [event.verb.past]
    target = event.target.words() if event.target else []
    return [*event.agent.words(), *verb, *target, *circumstances(event)]


def passive(event: Event) -> list[str]:
    """Return the words of "the dog was chased by the farmer in the barn yesterday"."""
    be = "were" if event.target.plural else "was"
    verb = [be, *(["not"] if event.negated else []), event.verb.past]
    return [*event.target.words(), *verb, "by", *event.agent.words(), *circumstances(event)]


def fronted(event: Event) -> list[str]:
    """Return the words of "yesterday the farmer chased the dog in the barn"."""
    return [*event.time.split(), *active(_without_time(event))]


def say(event: Event, draw: Draw, passive_share: float = 0.25) -> list[str]:
    """Return the words of an event in one of its ways."""
    if event.target is not None and draw.chance(passive_share):
        return passive(event)
    if event.time and draw.chance(0.4):
        return fronted(event)
    return active(event)


def present(event: Event, distractor: Phrase | None = None) -> list[str]:
    """Return the words of "the farmers near the dog chase the cat", verb agreeing with subject."""
    between = ["near", *distractor.words()] if distractor else []
    plural = event.agent.plural
    if event.negated:
        verb = ["do" if plural else "does", "not", event.verb.word]
    else:
        verb = [event.verb.word if plural else event.verb.third]
    target = event.target.words() if event.target else []
    return [*event.agent.words(), *between, *verb, *target, *at_place(event.place)]


def circumstances(event: Event) -> list[str]:
    """Return the words that say where and when."""
    return [*at_place(event.place), *event.time.split()]


def at_place(place: Noun | None) -> list[str]:
    """Return "in the barn", or nothing."""
    return [_PREPOSITIONS.get(place.word, "in"), "the", place.word] if place else []


def _without_time(event: Event) -> Event:
    return Event(event.agent, event.verb, event.target, event.place, "", event.negated)


def favourites(noun: Noun, items: Sequence, count: int) -> list:
    """Return the few of `items` that go with a noun's meaning more often than others do.

    They give every meaning company of its own, which is what a corpus can teach about it.
    """
    return sorted(items, key=lambda item: _affinity(noun.meaning, item.meaning))[:count]


@cache
def _affinity(meaning: str, other: str) -> int:
    return zlib.crc32(f"{meaning}+{other}".encode())


def draw_phrase(
    draw: Draw, lexicon: Lexicon, noun: Noun, *, adjective: float = 0.3, plural: float = 0.15
) -> Phrase:
    """Draw a phrase around a noun, with an adjective or a plural of given probabilities."""
    chosen = None
    if draw.chance(adjective):
        key = ("adjectives", noun.kind)
        fitting = lexicon.recall(
            key, lambda: [a for a in lexicon.adjectives if noun.kind in a.kinds]
        )
        if draw.chance(FAVOURITE):
            fitting = lexicon.recall((*key, noun.meaning), lambda: favourites(noun, fitting, 3))
        chosen = draw.pick(fitting)
    if draw.chance(plural):
        return Phrase(noun, draw.pick(("the", "two", "many")), chosen, plural=True)
    return Phrase(noun, draw.weighted({"the": 0.7, "a": 0.3}), chosen)


def draw_event(
    draw: Draw,
    lexicon: Lexicon,
    *,
    domain: str | None = None,
    transitive: bool | None = None,
    adjective: float = 0.3,
    place: float = 0.45,
    time: float = 0.25,
    plural: float = 0.15,
    negated: float = 0.0,
) -> Event:
    """Draw an event whose parts mostly belong to one domain.

    Args:
        draw: The stream of choices.
        lexicon: The words that may be used.
        domain: The domain, or None to draw it.
        transitive: Whether it has a target; None leaves that open.
        adjective: Probability of an adjective, at agent and at target each.
        place: Probability of a place.
        time: Probability of a time.
        plural: Probability of a plural, at agent and at target each.
        negated: Probability of a negation.
    """
    domain = domain or draw.pick(
        lexicon.recall(
            ("domains",), lambda: [d for d in DOMAINS if lexicon.nouns_of({"person"}, d)]
        )
    )
    transitive = draw.chance(0.75) if transitive is None else transitive
    kinds = {"person"} if draw.chance(0.65) else {"animal"}
    agent = draw.pick(lexicon.nouns_of(kinds, domain) or lexicon.nouns_of({"person"}, domain))
    key = ("verbs", agent.kind, transitive)
    verbs = lexicon.recall(
        key,
        lambda: [
            v for v in lexicon.verbs if agent.kind in v.subjects and bool(v.objects) == transitive
        ],
    )
    if draw.chance(FAVOURITE):
        verbs = lexicon.recall((*key, agent.meaning), lambda: favourites(agent, verbs, 6))
    verb = draw.pick(verbs)
    target = None
    if transitive:
        nouns = [n for n in lexicon.nouns_of(verb.objects, domain) if n.meaning != agent.meaning]
        nouns = nouns or [n for n in lexicon.nouns_of(verb.objects) if n.meaning != agent.meaning]
        target = draw_phrase(draw, lexicon, draw.pick(nouns), adjective=adjective, plural=plural)
    places = lexicon.nouns_of({"place"}, domain) or lexicon.nouns_of({"place"})
    if draw.chance(FAVOURITE):
        key = ("places", domain, agent.meaning)
        places = lexicon.recall(key, lambda: favourites(agent, places, 2))
    return Event(
        draw_phrase(draw, lexicon, agent, adjective=adjective, plural=plural),
        verb,
        target,
        draw.pick(places) if draw.chance(place) else None,
        draw.pick(TIMES) if draw.chance(time) else "",
        draw.chance(negated),
    )
