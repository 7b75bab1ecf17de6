"""Questions about an event: who, whom, where, when, and whether."""

from collections.abc import Callable

from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.grammar import Event, at_place, circumstances


def _who(event: Event) -> list[str]:
    target = event.target.words() if event.target else []
    return ["who", event.verb.past, *target, *circumstances(event)]


def _whom(event: Event) -> list[str]:
    asked = "what" if event.target.noun.kind == "thing" else "whom"
    return [asked, "did", *event.agent.words(), event.verb.word, *circumstances(event)]


def _where(event: Event) -> list[str]:
    target = event.target.words() if event.target else []
    return ["where", "did", *event.agent.words(), event.verb.word, *target, *event.time.split()]


def _when(event: Event) -> list[str]:
    target = event.target.words() if event.target else []
    place = at_place(event.place)
    return ["when", "did", *event.agent.words(), event.verb.word, *target, *place]


def _whether(event: Event) -> list[str]:
    target = event.target.words() if event.target else []
    return ["did", *event.agent.words(), event.verb.word, *target, *circumstances(event)]


QUESTIONS: dict[str, Callable[[Event], list[str]]] = {
    "who": _who,
    "whom": _whom,
    "where": _where,
    "when": _when,
    "whether": _whether,
}


def askable(event: Event) -> list[str]:
    """Return the kinds of question that `event` answers."""
    kinds = ["who"]
    if event.target:
        kinds.append("whom")
    if event.place:
        kinds.append("where")
    if event.time:
        kinds.append("when")
    return kinds


def ask(event: Event, draw: Draw) -> tuple[str, list[str]]:
    """Return the kind and the words of a question that `event` answers."""
    kind = draw.pick(askable(event))
    return kind, QUESTIONS[kind](event)
