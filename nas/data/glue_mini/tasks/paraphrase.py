"""MRPC and QQP: do two sentences, or two questions, mean the same? Near misses are the rule."""

from dataclasses import replace

from nas.data.glue_mini import rewriting
from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.grammar import Event, draw_event, say, sentence
from nas.data.glue_mini.questions import QUESTIONS, ask, askable
from nas.data.glue_mini.tasks.words import Words


def mrpc(draw: Draw, words: Words) -> tuple[tuple[str, ...], str]:
    """Return two sentences and "1" if one is a paraphrase of the other, else "0"."""
    event = draw_event(draw, words.lexicon, transitive=True)
    same = draw.chance(0.55)
    other = event if same else _near_miss(event, draw, words)
    other = rewriting.reword(other, draw, words.lexicon, 0.5)
    first, second = say(event, draw), say(other, draw, passive_share=0.4)
    return (sentence(first), sentence(second)), str(int(same))


def qqp(draw: Draw, words: Words) -> tuple[tuple[str, ...], str]:
    """Return two questions and "1" if they ask the same, else "0"."""
    event = draw_event(draw, words.lexicon, place=0.6, time=0.5)
    kind, first = ask(event, draw)
    same = draw.chance(0.42)
    other = rewriting.reword(event, draw, words.lexicon, 0.5)
    if not same:
        kinds = [k for k in askable(event) if k != kind]
        if kinds and draw.chance(0.35):
            kind = draw.pick(kinds)
        else:
            other = _near_miss(other, draw, words)
            if other.target is None and kind == "whom":
                kind = "who"
    second = QUESTIONS[kind](other)
    if draw.chance(0.5):
        first, second = second, first
    return (sentence(first, "?"), sentence(second, "?")), str(int(same))


def _near_miss(event: Event, draw: Draw, words: Words) -> Event:
    """Return an event of mostly the same words and another meaning."""
    change = draw.weighted({"reverse": 0.2, "noun": 0.35, "opposite": 0.2, "verb": 0.25})
    if change == "reverse" and event.reversible:
        return rewriting.reverse(event)
    if change == "opposite":
        opposed = rewriting.oppose(event, draw, words.lexicon)
        if opposed:
            return opposed
    if change == "verb":
        return rewriting.change_verb(event, draw, words.lexicon)
    if event.target and draw.chance(0.5):
        return rewriting.change_target(event, draw, words.lexicon)
    return replace(rewriting.change_agent(event, draw, words.lexicon))
