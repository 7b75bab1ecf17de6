"""QNLI: does the sentence answer the question?"""

from dataclasses import replace

from nas.data.glue_mini import rewriting
from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.grammar import Event, draw_event, say, sentence
from nas.data.glue_mini.questions import ask
from nas.data.glue_mini.tasks.words import Words


def qnli(draw: Draw, words: Words) -> tuple[tuple[str, ...], str]:
    """Return question, sentence and "entailment" if it holds the answer."""
    event = draw_event(draw, words.lexicon, place=0.6, time=0.5, adjective=0.2)
    kind, question = ask(event, draw)
    answered = draw.chance(0.5)
    said = rewriting.reword(event, draw, words.lexicon, 0.4)
    if not answered:
        said = _evade(said, kind, draw, words)
    label = "entailment" if answered else "not_entailment"
    return (sentence(question, "?"), sentence(say(said, draw, 0.2))), label


def _evade(event: Event, kind: str, draw: Draw, words: Words) -> Event:
    """Leave out what was asked for, or tell of somebody or something else."""
    if kind == "where" and draw.chance(0.6):
        return replace(event, place=None)
    if kind == "when" and draw.chance(0.6):
        return replace(event, time="")
    change = draw.weighted({"agent": 0.25, "verb": 0.4, "target": 0.35})
    if change == "agent" and kind != "who":
        return rewriting.change_agent(event, draw, words.lexicon)
    if change == "target" and event.target and kind != "whom":
        return rewriting.change_target(event, draw, words.lexicon)
    return rewriting.change_verb(event, draw, words.lexicon)
