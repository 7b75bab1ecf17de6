"""STS-B: how much do two sentences share, from 0 (nothing) to 5 (the meaning)?"""

from dataclasses import replace

from nas.data.glue_mini import rewriting
from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.grammar import TIMES, Event, draw_event, say, sentence
from nas.data.glue_mini.tasks.words import Words

_DISAGREEMENT = 0.5


def stsb(draw: Draw, words: Words) -> tuple[tuple[str, ...], str]:
    """Return two sentences and a mean of imagined ratings, such as "3.400"."""
    event = draw_event(draw, words.lexicon, transitive=True)
    grade = draw.pick((0, 1, 2, 3, 4, 5))
    other = _GRADES[grade](event, draw, words)
    other = rewriting.reword(other, draw, words.lexicon, 0.35)
    rating = grade + draw.between(-_DISAGREEMENT, _DISAGREEMENT)
    rating = min(5.0, max(0.0, round(rating * 5) / 5))
    return (sentence(say(event, draw)), sentence(say(other, draw))), f"{rating:.3f}"


def _another_world(event: Event, draw: Draw, words: Words) -> Event:
    domain = rewriting.elsewhere(event.agent.noun.domain, draw)
    return draw_event(draw, words.lexicon, domain=domain, transitive=draw.chance(0.5))


def _same_world(event: Event, draw: Draw, words: Words) -> Event:
    return draw_event(draw, words.lexicon, domain=event.agent.noun.domain)


def _two_parts_differ(event: Event, draw: Draw, words: Words) -> Event:
    event = rewriting.change_verb(event, draw, words.lexicon)
    change = draw.pick((rewriting.change_agent, rewriting.change_target))
    return change(event, draw, words.lexicon)


def _one_part_differs(event: Event, draw: Draw, words: Words) -> Event:
    change = draw.pick((rewriting.change_agent, rewriting.change_target, rewriting.change_verb))
    return change(event, draw, words.lexicon)


def _a_detail_differs(event: Event, draw: Draw, words: Words) -> Event:
    if event.place or event.time or event.agent.adjective or event.target.adjective:
        return rewriting.without_modifiers(event)
    return replace(event, time=draw.pick(TIMES))


def _nothing_differs(event: Event, draw: Draw, words: Words) -> Event:
    return event


_GRADES = (
    _another_world,
    _same_world,
    _two_parts_differ,
    _one_part_differs,
    _a_detail_differs,
    _nothing_differs,
)
