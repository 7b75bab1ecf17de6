"""Changes to an event: those that keep what it means, and those that do not."""

from dataclasses import replace

from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.grammar import TIMES, Event, Phrase
from nas.data.glue_mini.lexicon import DOMAINS, Lexicon, Noun


def reword(event: Event, draw: Draw, lexicon: Lexicon, rate: float = 0.6) -> Event:
    """Replace words by synonyms, each with probability `rate`; the meaning stays."""

    def other(entry):  # noqa: ANN001, ANN202  Noun, Verb, Adjective or None, and the same back
        words = lexicon.synonyms(entry) if entry else []
        return draw.pick(words) if words and draw.chance(rate) else entry

    def phrase(old: Phrase | None) -> Phrase | None:
        return old and Phrase(other(old.noun), old.determiner, other(old.adjective), old.plural)

    # every field by hand, which takes a fifth of `replace`: most of the corpus passes here
    return Event(
        phrase(event.agent),
        other(event.verb),
        phrase(event.target),
        other(event.place),
        event.time,
        event.negated,
    )


def reverse(event: Event) -> Event:
    """Let agent and target change places; only for events that are `reversible`."""
    return replace(event, agent=event.target, target=event.agent)


def oppose(event: Event, draw: Draw, lexicon: Lexicon) -> Event | None:
    """Replace the verb by one that means the opposite; None where there is none."""
    fitting = [v for v in lexicon.opposites(event.verb) if event.agent.noun.kind in v.subjects]
    if event.target:
        fitting = [v for v in fitting if event.target.noun.kind in v.objects]
    return replace(event, verb=draw.pick(fitting)) if fitting else None


def another_noun(noun: Noun, draw: Draw, lexicon: Lexicon, domain: str | None = None) -> Noun:
    """Return a noun of the same kind and another meaning, of its own domain unless told."""
    nouns = [
        n for n in lexicon.nouns_of({noun.kind}, domain or noun.domain) if n.meaning != noun.meaning
    ]
    return draw.pick(nouns or [n for n in lexicon.nouns if n.meaning != noun.meaning])


def change_agent(event: Event, draw: Draw, lexicon: Lexicon) -> Event:
    """Let somebody else do it."""
    noun = another_noun(event.agent.noun, draw, lexicon)
    return replace(event, agent=replace(event.agent, noun=noun))


def change_target(event: Event, draw: Draw, lexicon: Lexicon) -> Event:
    """Let it be done to something else; only for events with a target."""
    noun = another_noun(event.target.noun, draw, lexicon)
    return replace(event, target=replace(event.target, noun=noun))


def change_verb(event: Event, draw: Draw, lexicon: Lexicon) -> Event:
    """Replace the verb by one of another meaning that takes the same nouns."""
    verbs = [
        v
        for v in lexicon.verbs
        if v.meaning != event.verb.meaning
        and event.agent.noun.kind in v.subjects
        and (event.target.noun.kind in v.objects if event.target else not v.objects)
    ]
    return replace(event, verb=draw.pick(verbs))


def change_place(event: Event, draw: Draw, lexicon: Lexicon) -> Event:
    """Move it elsewhere; only for events with a place."""
    return replace(event, place=another_noun(event.place, draw, lexicon))


def change_time(event: Event, draw: Draw) -> Event:
    """Give it another time."""
    return replace(event, time=draw.pick([t for t in TIMES if t != event.time]))


def without_modifiers(event: Event) -> Event:
    """Leave out adjectives, place and time."""
    bare = event.target and replace(event.target, adjective=None)
    return replace(
        event, agent=replace(event.agent, adjective=None), target=bare, place=None, time=""
    )


def elsewhere(domain: str, draw: Draw) -> str:
    """Return another domain."""
    return draw.pick([d for d in DOMAINS if d != domain])
