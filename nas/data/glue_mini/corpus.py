"""The text to pre-train on: short paragraphs in which one sentence helps to predict the next.

Synonyms, opposites, hypernyms, word order, agreement and opinions can all be learned from what
stands beside what; no paragraph says what a task's label is.
"""

from collections.abc import Iterator
from dataclasses import replace

from nas.data.glue_mini import rewriting
from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.grammar import (
    Event,
    Phrase,
    active,
    draw_event,
    draw_phrase,
    present,
    say,
    sentence,
)
from nas.data.glue_mini.lexicon import Lexicon
from nas.data.glue_mini.questions import ask
from nas.data.glue_mini.tasks.words import Words


def corpus(draw: Draw, words: Words, lines: int) -> Iterator[str]:
    """Yield sentences, one a line; a paragraph is the lines between two blank ones."""
    count = 0
    while count < lines:
        paragraph = draw.weighted(_PARAGRAPHS)(draw, words)
        yield from paragraph
        yield ""
        count += len(paragraph)


def _told_twice(draw: Draw, words: Words) -> list[str]:
    event = draw_event(draw, words.lexicon)
    again = rewriting.reword(event, draw, words.lexicon, 0.6)
    lines = [sentence(say(event, draw)), sentence(say(again, draw, 0.4))]
    if draw.chance(0.3):
        short = rewriting.without_modifiers(rewriting.reword(event, draw, words.lexicon, 0.6))
        lines.append(sentence(say(short, draw, 0.4)))
    return lines


def _told_on(draw: Draw, words: Words) -> list[str]:
    event = draw_event(draw, words.lexicon)
    noun = draw.pick(words.lexicon.synonyms(event.agent.noun) or [event.agent.noun])
    after = draw_event(draw, words.lexicon, domain=noun.domain)
    after = replace(after, agent=replace(event.agent, noun=noun))
    if noun.kind not in after.verb.subjects or (
        after.target and after.target.noun.meaning == noun.meaning
    ):
        return [sentence(say(event, draw))]
    return [sentence(say(event, draw)), sentence(active(after))]


def _contrast(draw: Draw, words: Words) -> list[str]:
    event = draw_event(draw, words.lexicon, place=0.2, time=0.1)
    opposed = rewriting.oppose(event, draw, words.lexicon)
    if opposed is None:
        return [sentence(active(event))]
    denied = rewriting.reword(replace(event, negated=True), draw, words.lexicon, 0.5)
    bare = rewriting.without_modifiers(opposed)
    return [sentence(active(bare)), sentence(active(rewriting.without_modifiers(denied)))]


def _asked(draw: Draw, words: Words) -> list[str]:
    event = draw_event(draw, words.lexicon, place=0.6, time=0.5)
    _, question = ask(event, draw)
    answer = rewriting.reword(event, draw, words.lexicon, 0.5)
    return [sentence(question, "?"), sentence(say(answer, draw))]


def _kinds(draw: Draw, words: Words) -> list[str]:
    noun = draw.pick([n for n in words.lexicon.nouns if n.kind != "place"])
    event = draw_event(draw, words.lexicon, domain=noun.domain, adjective=0.1)
    named = _as_kind(event)
    names = words.lexicon.synonyms(noun)
    defined = Phrase(noun, "a").words() + ["is", "a", "kind", "of", noun.hypernym]
    lines = [sentence(defined), sentence(active(event)), sentence(active(named))]
    if names:
        lines.insert(1, sentence(Phrase(draw.pick(names), "a").words() + ["is", "one", "too"]))
    return lines


def _as_kind(event: Event) -> Event:
    noun = replace(event.agent.noun, word=event.agent.noun.hypernym)
    return replace(event, agent=Phrase(noun, "a"))


def _quantified(draw: Draw, words: Words) -> list[str]:
    event = draw_event(draw, words.lexicon, adjective=0.0, place=0.3, time=0.1, plural=0.0)
    given, then = draw.pick((("every", "some"), ("every", "a"), ("some", "a"), ("no", "no")))
    again = rewriting.reword(event, draw, words.lexicon, 0.5)
    return [
        sentence(active(replace(event, agent=Phrase(event.agent.noun, given)))),
        sentence(active(replace(again, agent=Phrase(again.agent.noun, then)))),
    ]


def _habits(draw: Draw, words: Words) -> list[str]:
    lexicon: Lexicon = words.lexicon
    event = draw_event(draw, lexicon, plural=0.5, time=0.0, place=0.2, negated=0.2)
    distractor = None
    if draw.chance(0.5):
        noun = draw.pick(lexicon.nouns_of({event.agent.noun.kind}, event.agent.noun.domain))
        distractor = draw_phrase(draw, lexicon, noun, adjective=0.1, plural=0.5)
    again = rewriting.reword(event, draw, lexicon, 0.5)
    return [sentence(present(event, distractor)), sentence(present(again))]


def _review(draw: Draw, words: Words) -> list[str]:
    return [sentence(line) for line in words.opinions.review(draw)]


_PARAGRAPHS = {
    _told_twice: 0.34,
    _told_on: 0.08,
    _contrast: 0.08,
    _asked: 0.14,
    _kinds: 0.08,
    _quantified: 0.06,
    _habits: 0.10,
    _review: 0.12,
}
