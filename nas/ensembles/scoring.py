"""What an ensemble of a run's models is worth: scores, kappa, an interval of the gain, its cost.

What decides members' weights is never scored on the examples it was decided on: every example is
answered by an ensemble fitted on other folds. The gain is over the one member with the best mean
score, chosen with hindsight, which favours that member.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nas.ensembles.base import ENSEMBLES, Answers, Ensemble
from nas.ensembles.folds import out_of_fold
from nas.ensembles.judging import Judged, Words
from nas.ensembles.members import KINDS, Member, hear
from nas.evaluation.bootstrap import ends, resampled
from nas.evaluation.cost import measure_latency
from nas.evaluation.mean_score import mean_score
from nas.evaluation.suites.task import Task
from nas.runs.directory import Run
from nas.single.trials import training_of
from nas.training.watch import StageCallback
from search_spaces.errors import InvalidExperiment, RunError

RESAMPLES = 1000
_TIMED = 50  # combinations of one example


@dataclass(frozen=True)
class Line:
    """One member, or one ensemble of all of them.

    Attributes:
        name: For people.
        scores: Task -> score.
        kappa: Task -> agreement with the labels.
        mean: The mean score.
        latency_ms: Of one example on this machine; of an ensemble, of one member after the other
            and of combining them.
        parameters: Of the encoders.
        gain: Mean score above that of the best member; None for a member.
        interval: Ends of the gain's 95 % interval over examples; None for a member.
        task_gains: Task -> gain and the ends of its interval.
        shares: Task -> each member's mean share in the answers, where the ensemble has any.
    """

    name: str
    scores: dict[str, float]
    kappa: dict[str, float]
    mean: float
    latency_ms: float
    parameters: int
    gain: float | None = None
    interval: tuple[float, float] | None = None
    task_gains: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    shares: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ensembled:
    """Members and ensembles beside each other.

    Attributes:
        metric: What the mean score is called.
        members: A line each.
        ensembles: A line for each kind.
        best: The name of the best member.
        agreement: Task -> mean kappa between members.
        examples: Task -> how many examples there are.
        known: Entities that the texts and the file of vectors have in common; None without one.
    """

    metric: str
    members: list[Line]
    ensembles: list[Line]
    best: str
    agreement: dict[str, float]
    examples: dict[str, int]
    known: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return asdict(self)


def score_ensembles(
    run: Run,
    members: Sequence[Member],
    kinds: Sequence[str],
    *,
    tasks: Sequence[str] = (),
    vectors: Path | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda line: None,
    progress: StageCallback | None = None,
) -> Ensembled:
    """Return what ensembles of a run's models reach on its development examples.

    Args:
        run: The run.
        members: Two at least.
        kinds: Names in `ENSEMBLES`.
        tasks: Of the run; none takes all.
        vectors: What is known of words; None leaves it out.
        seed: Decides folds and fits.
        say: Called with a line for each member.
        progress: Called with each task and the share of it done.

    Raises:
        NasError: A kind, task or file that there is not, or a task of another kind.
    """
    makers = {kind: ENSEMBLES[kind] for kind in kinds}
    if run.experiment.execution.trial_function is not None:
        raise RunError(
            f"The trials of {str(run.directory)!r} are a function of its own, which leaves no "
            "models. Give a run whose trials train encoders."
        )
    recipe, data = training_of(run)
    rows = data.rows(tasks or None)
    _require_kinds(rows)
    known = None if vectors is None else Words.read(vectors, data, rows, seed)
    heard, encoders = [], []
    for member in members:
        say(f"{member.name}: {'read' if member.folder else 'fine-tuned again'}")
        found, encoder = hear(member, run, data, rows, progress)
        heard.append(found)
        encoders.append(encoder)
    judged = {task.name: Judged.of(task, data, heard, known) for task in rows}
    latencies = [
        measure_latency(one, length=recipe.max_length, threads=recipe.threads).p50_ms
        for one in encoders
    ]
    sizes = [sum(p.numel() for p in one.parameters()) for one in encoders]
    lines = [
        _line(member.name, judged, lambda one, n=number: one.answers.probabilities[n],
              latencies[number], sizes[number])
        for number, member in enumerate(members)
    ]  # fmt: skip
    best = max(range(len(lines)), key=lambda n: lines[n].mean)
    ensembles = [
        _ensemble(kind, make, judged, best, lines[best], sum(latencies), sum(sizes), known, seed)
        for kind, make in makers.items()
    ]
    return Ensembled(
        next(iter(mean_score(lines[0].scores, include_wnli=set(judged) == {"wnli"}))),
        lines,
        ensembles,
        lines[best].name,
        {name: one.agreement() for name, one in judged.items()},
        {name: len(one.labels) for name, one in judged.items()},
        None if known is None else len(known.knowledge),
    )


def _require_kinds(tasks: Sequence[Task]) -> None:
    for task in tasks:
        if task.kind not in KINDS:
            fit = ",".join(one.name for one in tasks if one.kind in KINDS)
            raise InvalidExperiment(
                f"{task.name} is of the kind {task.kind}, and ensembles answer those of "
                f"{' and '.join(KINDS)}. "
                + (f"Leave it out: --tasks {fit}" if fit else "This run has none of them.")
            )


def _line(
    name: str,
    judged: Mapping[str, Judged],
    said: Callable[[Judged], np.ndarray],
    latency: float,
    parameters: int,
) -> Line:
    scores = {task: one.score(said(one)) for task, one in judged.items()}
    kappas = {task: one.kappa(said(one)) for task, one in judged.items()}
    return Line(name, scores, kappas, _mean(scores), latency, parameters)


def _mean(scores: Mapping[str, Any]) -> Any:
    """Return the mean over tasks, of arrays too; WNLI counts only where it is alone."""
    names = [name for name in scores if name != "wnli"] or list(scores)
    return sum(scores[name] for name in names) / len(names)


def _ensemble(
    kind: str,
    make: Callable[[], Ensemble],
    judged: Mapping[str, Judged],
    best: int,
    member: Line,
    latency: float,
    parameters: int,
    known: Words | None,
    seed: int,
) -> Line:
    combined, shares, combining, gains = {}, {}, [], {}
    for name, one in judged.items():
        combined[name] = out_of_fold(make, one.answers, one.labels, seed=seed)
        whole = make()
        whole.fit(one.answers, one.labels, seed=seed)
        found = whole.shares(one.answers)
        if found is not None:
            shares[name] = [round(float(share), 4) for share in found]
        texts = known.texts[name] if known is not None and one.answers.knowledge.size else ()
        combining.append(_milliseconds(whole, one.answers, known, texts))
        gains[name] = resampled(
            lambda rows, one=one, said=combined[name]: (
                one.score(said, rows) - one.score(one.answers.probabilities[best], rows)
            ),
            one.sizes,
            resamples=RESAMPLES,
            seed=seed,
        )
    line = _line(
        kind,
        judged,
        lambda one: combined[one.task.name],
        latency + statistics.fmean(combining),
        parameters,
    )
    own = {name: line.scores[name] - member.scores[name] for name in judged}
    return Line(
        **{
            **vars(line),
            "gain": line.mean - member.mean,
            "interval": ends(_mean(gains)),
            "task_gains": {name: (own[name], *ends(gains[name])) for name in judged},
            "shares": shares,
        }
    )


def _milliseconds(
    ensemble: Ensemble, answers: Answers, known: Words | None, texts: Sequence[str]
) -> float:
    """Return the median time of combining what is said of one example, words looked up."""
    times = []
    for number in range(_TIMED):
        row = number % len(answers)
        one = answers.at(np.array([row]))
        start = time.perf_counter()
        if texts:
            known.knowledge.of_texts([texts[row]])
        ensemble.combine(one)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)
