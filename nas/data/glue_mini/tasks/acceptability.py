"""CoLA: is the sentence grammatical? Agreement, word order, missing words, wrong forms."""

from dataclasses import replace

from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.grammar import (
    Event,
    Phrase,
    active,
    draw_event,
    draw_phrase,
    passive,
    present,
    sentence,
)
from nas.data.glue_mini.tasks.words import Words

_UNACCEPTABLE = 0.45


def cola(draw: Draw, words: Words) -> tuple[tuple[str, ...], str]:
    """Return a sentence and "1" if it is grammatical, else "0"."""
    bad = draw.chance(_UNACCEPTABLE)
    frame = draw.weighted({_agreement: 0.4, _form: 0.2, _order: 0.2, _number: 0.1, _valency: 0.1})
    return (sentence(frame(draw, words, bad)),), "0" if bad else "1"


def _agreement(draw: Draw, words: Words, bad: bool) -> list[str]:  # noqa: FBT001
    """The verb agrees with its subject, not with the noun nearer to it."""
    event = draw_event(draw, words.lexicon, plural=0.5, place=0.2, time=0.0)
    distractor = None
    if draw.chance(0.6):
        noun = draw.pick(words.lexicon.nouns_of({event.agent.noun.kind}, event.agent.noun.domain))
        distractor = draw_phrase(draw, words.lexicon, noun, adjective=0.1, plural=0.5)
    said = present(event, distractor)
    if bad:
        right, wrong = event.verb.third, event.verb.word
        if event.agent.plural:
            right, wrong = wrong, right
        at = len(event.agent.words()) + (1 + len(distractor.words()) if distractor else 0)
        said[at] = wrong
    return said


def _form(draw: Draw, words: Words, bad: bool) -> list[str]:  # noqa: FBT001
    """After "did not" comes the bare verb, after "was" the participle."""
    turned = draw.chance(0.5)
    event = draw_event(draw, words.lexicon, transitive=True if turned else None, negated=0.5)
    if not turned:
        event = replace(event, negated=True)
    said = passive(event) if turned else active(event)
    if bad:
        form, other = event.verb.past, event.verb.word
        if not turned:
            form, other = other, draw.pick((event.verb.past, event.verb.third))
        said[said.index(form)] = other
    return said


def _order(draw: Draw, words: Words, bad: bool) -> list[str]:  # noqa: FBT001
    """No word is missing, doubled or out of place."""
    event = draw_event(draw, words.lexicon, place=0.6)
    said = passive(event) if event.target and draw.chance(0.3) else active(event)
    if not bad:
        return said
    the = [i for i, word in enumerate(said) if word in {"the", "a", "an", "two"}]
    verb = said.index(event.verb.past)
    change = draw.weighted({"swap": 0.4, "drop": 0.4, "double": 0.2})
    if change == "swap":
        # a sentence of names alone has no determiner to swap: its last two words change places
        at = draw.pick([i for i in the if i < len(said) - 1] or [len(said) - 2])
        said[at], said[at + 1] = said[at + 1], said[at]
    elif change == "drop":
        del said[draw.pick([verb, *[i for i in the if i > 0]])]
    else:
        at = draw.pick([verb, *the])
        said.insert(at, said[at])
    return said


def _number(draw: Draw, words: Words, bad: bool) -> list[str]:  # noqa: FBT001
    """A determiner and its noun are both singular or both plural."""
    event = draw_event(draw, words.lexicon, plural=0.0, transitive=True)
    plural = draw.chance(0.5)
    determiner = draw.pick(("these", "many", "two") if plural else ("a", "this", "every"))
    phrase = Phrase(event.target.noun, determiner, event.target.adjective, plural != bad)
    return active(replace(event, target=phrase))


def _valency(draw: Draw, words: Words, bad: bool) -> list[str]:  # noqa: FBT001
    """Verbs that need a target have one, others have none."""
    event: Event = draw_event(draw, words.lexicon, plural=0.1, place=0.7)
    if not bad:
        return active(event)
    if event.target:
        return active(replace(event, target=None))
    noun = draw.pick(words.lexicon.nouns_of({"animal", "thing"}, event.agent.noun.domain))
    return active(replace(event, target=draw_phrase(draw, words.lexicon, noun)))
