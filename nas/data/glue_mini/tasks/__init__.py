"""The tasks of glue-mini: each module makes labelled examples of one phenomenon.

A task is a function of a stream of choices and a `Words` view that returns sentences and a label
as the official files write it; `TASKS` names them and says how many of each are written.
"""

from collections.abc import Callable
from dataclasses import dataclass

from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.tasks.acceptability import cola
from nas.data.glue_mini.tasks.answers import qnli
from nas.data.glue_mini.tasks.inference import mnli, rte
from nas.data.glue_mini.tasks.opinions import sst2
from nas.data.glue_mini.tasks.paraphrase import mrpc, qqp
from nas.data.glue_mini.tasks.pronouns import wnli
from nas.data.glue_mini.tasks.similarity import stsb
from nas.data.glue_mini.tasks.words import Words

__all__ = ["TASKS", "Generated", "Words"]


@dataclass(frozen=True)
class Generated:
    """How one task is generated.

    Attributes:
        make: Draws one example: its sentences and its label.
        train: Training examples at size 1.
        dev: Examples of each development split at size 1.
        noise: Share of examples whose label is replaced by another, as annotators disagree.
    """

    make: Callable[[Draw, Words], tuple[tuple[str, ...], str]]
    train: int
    dev: int
    noise: float = 0.04


TASKS: dict[str, Generated] = {
    "cola": Generated(cola, 1200, 500),
    "sst2": Generated(sst2, 1000, 500),
    "mrpc": Generated(mrpc, 1000, 500),
    "stsb": Generated(stsb, 1000, 500),
    "qqp": Generated(qqp, 1200, 500),
    "mnli": Generated(mnli, 1500, 500),
    "qnli": Generated(qnli, 1200, 500),
    "rte": Generated(rte, 500, 300),
    "wnli": Generated(wnli, 200, 100),
}
