"""MNLI and RTE: does the second sentence follow from the first, contradict it, or neither?"""

from dataclasses import replace

from nas.data.glue_mini import rewriting
from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.grammar import (
    TIMES,
    Event,
    Phrase,
    active,
    draw_event,
    draw_phrase,
    say,
    sentence,
)
from nas.data.glue_mini.tasks.words import Words

_QUANTIFIERS = {  # premise -> hypothesis: what follows
    ("every", "some"): "entailment",
    ("every", "a"): "entailment",
    ("no", "a"): "contradiction",
    ("no", "some"): "contradiction",
    ("every", "no"): "contradiction",
    ("some", "every"): "neutral",
    ("some", "no"): "contradiction",
    ("some", "a"): "entailment",
    ("a", "every"): "neutral",
}


def mnli(draw: Draw, words: Words) -> tuple[tuple[str, ...], str]:
    """Return premise, hypothesis and "entailment", "neutral" or "contradiction"."""
    label = draw.pick(("entailment", "neutral", "contradiction"))
    premise, hypothesis = _pair(draw, words, label)
    return (sentence(premise), sentence(hypothesis)), label


def rte(draw: Draw, words: Words) -> tuple[tuple[str, ...], str]:
    """Return text, hypothesis and "entailment" or "not_entailment"; the text has two clauses."""
    follows = draw.chance(0.5)
    label = "entailment" if follows else draw.pick(("neutral", "contradiction"))
    premise, hypothesis = _pair(draw, words, label)
    if len(premise) <= 9:
        more = draw_event(draw, words.lexicon, transitive=False, adjective=0, place=0, time=0)
        clauses = [premise, active(more)]
        if draw.chance(0.5):
            clauses.reverse()
        premise = [*clauses[0], "and", *clauses[1]]
    return (sentence(premise), sentence(hypothesis)), label if follows else "not_entailment"


def _pair(draw: Draw, words: Words, label: str) -> tuple[list[str], list[str]]:
    if draw.chance(0.25):
        return _quantified(draw, words, label)
    event = draw_event(draw, words.lexicon, place=0.55, time=0.4, adjective=0.35)
    while not (event.place or event.time or event.agent.adjective):
        event = draw_event(draw, words.lexicon, place=0.55, time=0.4, adjective=0.35)
    event = replace(event, negated=draw.chance(0.12))
    hypothesis = _HYPOTHESES[label](event, draw, words)
    return say(event, draw, 0.15), say(hypothesis, draw, 0.15)


def _quantified(draw: Draw, words: Words, label: str) -> tuple[list[str], list[str]]:
    event = draw_event(draw, words.lexicon, adjective=0.0, place=0.3, time=0.1, plural=0.0)
    given, asked = draw.pick([pair for pair, follows in _QUANTIFIERS.items() if follows == label])
    premise = replace(event, agent=Phrase(event.agent.noun, given))
    hypothesis = replace(event, agent=Phrase(event.agent.noun, asked))
    return active(premise), active(rewriting.reword(hypothesis, draw, words.lexicon, 0.4))


def _entailed(event: Event, draw: Draw, words: Words) -> Event:
    """Say less, or the same in other words; under a negation only the same."""
    if event.negated:
        return rewriting.reword(event, draw, words.lexicon, 0.7)
    less = rewriting.without_modifiers(event) if draw.chance(0.8) else event
    less = rewriting.reword(less, draw, words.lexicon, 0.4)
    if draw.chance(0.3) and not less.agent.plural:
        noun = replace(less.agent.noun, word=less.agent.noun.hypernym)
        less = replace(less, agent=Phrase(noun, "a"))
    return less


def _open(event: Event, draw: Draw, words: Words) -> Event:
    """Say more than was said, or something else that may be true as well."""
    bare = replace(rewriting.without_modifiers(event), negated=False)
    if event.negated or draw.chance(0.3):
        return rewriting.change_verb(bare, draw, words.lexicon)
    if draw.chance(0.3) and event.target:
        return rewriting.change_target(bare, draw, words.lexicon)
    more = rewriting.reword(event, draw, words.lexicon, 0.3)
    if not event.time and draw.chance(0.5):
        return replace(more, time=draw.pick(TIMES))
    if not event.place and draw.chance(0.6):
        places = words.lexicon.nouns_of({"place"}, event.agent.noun.domain)
        return replace(more, place=draw.pick(places or words.lexicon.nouns_of({"place"})))
    if event.agent.adjective is None:
        return replace(more, agent=draw_phrase(draw, words.lexicon, more.agent.noun, adjective=1.0))
    return rewriting.change_verb(bare, draw, words.lexicon)


def _contradicted(event: Event, draw: Draw, words: Words) -> Event:
    """Deny it, say the opposite, or move it to another place or time."""
    said = rewriting.reword(event, draw, words.lexicon, 0.4)
    said = rewriting.without_modifiers(said) if draw.chance(0.4) and not event.negated else said
    if event.negated or draw.chance(0.45):
        return replace(said, negated=not event.negated)
    opposed = rewriting.oppose(said, draw, words.lexicon)
    if opposed and draw.chance(0.6):
        return opposed
    if said.place:
        return rewriting.change_place(said, draw, words.lexicon)
    if said.time:
        return rewriting.change_time(said, draw)
    return opposed or replace(said, negated=True)


_HYPOTHESES = {"entailment": _entailed, "neutral": _open, "contradiction": _contradicted}
