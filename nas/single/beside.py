"""What stands beside the cuts of a checkpoint: the teacher, and what one would cut by hand."""

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nas.evaluation.mean_score import MEANS
from nas.evaluation.measured import values_of
from nas.runs.confirmations import Confirmations
from nas.single.baselines import LAYERS, UNIFORM
from nas.teachers.cuttable import floor_of
from search_spaces import Architecture
from search_spaces.errors import InvalidData

if TYPE_CHECKING:
    from nas.runs.directory import Run

WHOLE = "teacher"
WORDS = {WHOLE: "the teacher, whole", UNIFORM: "uniform cuts", LAYERS: "whole layers"}


@dataclass(frozen=True)
class Beside:
    """An encoder that takes no search to find.

    Attributes:
        role: "teacher", "uniform" (layers cut alike) or "layers" (whole ones).
        words: What it is, for people.
        values: Its scores and costs, by the names that trials have for them.
    """

    role: str
    words: str
    values: dict[str, float]


def teacher_figures(run: "Run") -> dict[str, float]:
    """Return scores and costs of the encoder that a run's are cut out of; none where it has none.

    A teacher of an unfinished run, or of an older version, may lack them.
    """
    if run.experiment.checkpoint is None:
        return {}
    from nas.data.prepared import TEACHER
    from nas.teachers.lessons import Lessons

    try:
        found = Lessons(run.directory / TEACHER).figures()
    except InvalidData:
        return {}
    there = any(mean in found for mean in MEANS)
    return found if there and {"parameters", "latency_ms"} <= found.keys() else {}


def beside(run: "Run") -> list[Beside]:
    """Return the teacher, and which cuts one would have made by hand, as far as they are trained.

    Cuts of a run's own trials count by their score there, what `nas confirm --baselines` trained by
    the mean of its fresh seeds. Nothing of a search from nothing.
    """
    whole = teacher_figures(run)
    if not whole:
        return []
    from nas.data.prepared import TEACHER
    from nas.teachers.lessons import Lessons

    found = [Beside(WHOLE, WORDS[WHOLE], whole)]
    teacher = Lessons(run.directory / TEACHER).architecture
    most, known = floor_of(teacher), {head.kind for of in teacher.layers for head in of.heads}
    done = set(run.finished()["trial"])
    for record in run.journal.each_trial():
        if record["trial"] not in done:
            continue
        layers = Architecture.from_dict(record["architecture"]).layers
        shapes = {(len(layer.heads), layer.feedforward) for layer in layers}
        if len(shapes) == 1 and all(layer.heads[0].kind in known for layer in layers):
            (shape,) = shapes
            role = LAYERS if shape == (len(most.heads), most.feedforward) else UNIFORM
            found.append(Beside(role, f"{_words(role, layers)}, a trial", values_of(record)))
    store = Confirmations(run.directory, run.experiment.finalist_longer)
    for line in store.baselines():
        rows = [r for r in store.trainings() if r["hash"] == line["hash"]]
        rows = [values_of(row) for row in rows if row["status"] == "done"]
        if rows and line["role"] in WORDS:
            names = set.intersection(*(set(row) for row in rows))
            means = {n: statistics.fmean(row[n] for row in rows) for n in names}
            layers = Architecture.from_dict(line["architecture"]).layers
            words = f"{_words(line['role'], layers)}, mean of {len(rows)} fresh seeds"
            found.append(Beside(line["role"], words, means))
    return found


def _words(role: str, layers: Any) -> str:
    count = "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
    if role == LAYERS:
        return f"{count}, whole"
    return f"{count} of {len(layers[0].heads)} heads and {layers[0].feedforward[0]} neurons"
