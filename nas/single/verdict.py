"""What a search found, against what a person would have picked: means, intervals, plain words."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nas.evaluation.mean_score import MEANS
from nas.printable import counted
from nas.runs.confirmations import Confirmations
from nas.runs.directory import Run
from nas.single.counting import counting
from nas.single.random_search import Estimate, expected_of_random
from search_spaces import Architecture
from surrogates.objectives import sign_of

_CONFIDENCE = 0.95
_SAMPLED = 512
RANDOM = "random"


@dataclass(frozen=True)
class Comparison:
    """The best one found beside another encoder; a larger score need not be a better one.

    Attributes:
        role: "plain", "largest", "uniform", "layers" or "random".
        words: What it is, for people.
        mean: Its score.
        seeds: Over so many seeds; 0 for an estimate.
        difference: The found one's mean less this one's.
        half: Half of the 95 % interval of the difference; None where nothing tells the noise.
        same: The found one is this very encoder.
    """

    role: str
    words: str
    mean: float
    seeds: int
    difference: float
    half: float | None
    same: bool = False

    @property
    def beyond_noise(self) -> bool | None:
        """Whether the interval leaves out zero; None where there is none."""
        return None if self.half is None else abs(self.difference) > self.half


@dataclass(frozen=True)
class Verdict:
    """What the end of a search says.

    Attributes:
        metric: The score that is compared.
        sign: 1 where more of it is better, -1 where less is.
        trial: Of the best one.
        hash: Its architecture's.
        mean: Over its fresh seeds.
        half: Half of the 95 % interval of that mean; None for a single seed of everything.
        seeds: How many.
        selected: The score that the search selected it by.
        trials: Of so many.
        noise: Standard deviation over seeds, of all encoders together; None where none had two.
        comparisons: With plain encoders, the largest, random search.
        finalists: Mean of fresh seeds by hash, of the other finalists.
        shares: Task to the share of its variance that lies between architectures.
    """

    metric: str
    sign: int
    trial: int
    hash: str
    mean: float
    half: float | None
    seeds: int
    selected: float
    trials: int
    noise: float | None
    comparisons: tuple[Comparison, ...]
    finalists: Mapping[str, float]
    shares: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return asdict(self)


def pooled_deviation(groups: Sequence[Sequence[float]]) -> tuple[float | None, int]:
    """Return the standard deviation within groups, and its degrees of freedom.

    Seeds are taken to scatter alike whatever the architecture; a few seeds of each say little
    alone.
    """
    freedom = sum(len(group) - 1 for group in groups if group)
    if not freedom:
        return None, 0
    squares = sum((v - statistics.fmean(g)) ** 2 for g in groups if g for v in g)
    return math.sqrt(squares / freedom), freedom


def half_interval(noise: float | None, freedom: int, *counts: int, error: float = 0.0) -> Any:
    """Return half of the 95 % interval of a mean, or of a difference of means.

    Args:
        noise: Standard deviation over seeds; None gives None.
        freedom: Its degrees of freedom.
        *counts: Seeds of each mean.
        error: Standard error of what else is subtracted.
    """
    if noise is None:
        return None
    from scipy.stats import t

    quantile = float(t.ppf((1 + _CONFIDENCE) / 2, freedom))
    return quantile * math.sqrt(noise**2 * sum(1 / n for n in counts) + error**2)


def shares_between(
    trials: Mapping[str, Sequence[float]], repeats: Mapping[str, Sequence[Sequence[float]]]
) -> dict[str, float]:
    """Return for each task the share of the variance of trials that is not seed noise, 0 to 1.

    Args:
        trials: Task to the scores of different architectures, one seed each.
        repeats: Task to the scores of an architecture over seeds, for each of several.
    """
    found = {}
    for task, scores in trials.items():
        noise, _ = pooled_deviation(repeats.get(task, ()))
        if noise is None or len(scores) < 3:
            continue
        whole = statistics.variance(scores)
        found[task] = max(0.0, 1 - noise**2 / whole) if whole else 0.0
    return found


def verdict_of(run: Run, longer: int | None = None) -> Verdict | None:
    """Return what a run found, from its trials and its trainings with fresh seeds.

    The best one is the one that the search selected, whatever the fresh seeds say: so their mean
    is free of the selection. Fresh seeds differ from one architecture to another, so that means are
    compared unpaired.

    Args:
        run: The run.
        longer: So many times the passes of a trial; None takes what its finalists had.

    Returns:
        The verdict; None where the best one has no training with a fresh seed.
    """
    finished = run.finished()
    if finished.empty or run.pareto().empty:
        return None
    best = run.pick("best")
    store = Confirmations(run.directory, longer or run.experiment.finalist_longer)
    done = [row for row in store.trainings() if row["status"] == "done"]
    own = [row for row in done if row["hash"] == best["hash"]]
    names = [n for n in (next(iter(run.objectives)), *MEANS) if own and n in own[0]["scores"]]
    if not names:
        return None
    metric = names[0]
    groups: dict[str, list[float]] = {}
    repeats: dict[str, dict[str, list[float]]] = {}
    for row in done:
        if metric in row["scores"]:
            groups.setdefault(row["hash"], []).append(row["scores"][metric])
        for name, value in row["scores"].items():
            repeats.setdefault(name, {}).setdefault(row["hash"], []).append(value)
    noise, freedom = pooled_deviation(list(groups.values()))
    found = groups[best["hash"]]
    mean = statistics.fmean(found)
    beside = []
    baselines = store.baselines()
    for line in baselines:
        values = groups.get(line["hash"])
        if values:
            level = statistics.fmean(values)
            half = half_interval(noise, freedom, len(found), len(values))
            same = line["hash"] == best["hash"]
            beside.append(
                Comparison(
                    line["role"], line["words"], level, len(values), mean - level, half, same
                )
            )
    sign = sign_of(run.objectives.get(metric, "max"))
    random = _random(run, finished, metric, sign, noise or 0.0)
    if random is not None:
        half = half_interval(noise, freedom, len(found), error=random.error)
        words = f"random search of {counted(len(finished), 'trial')} (estimated)"
        beside.append(Comparison(RANDOM, words, random.mean, 0, mean - random.mean, half))
    plain = {line["hash"] for line in baselines}
    others = {
        digest: statistics.fmean(values)
        for digest, values in groups.items()
        if digest in set(finished["hash"]) - plain - {best["hash"]}
    }
    tasks = [name for name in own[0]["scores"] if name in finished and name not in MEANS]
    return Verdict(
        metric=metric,
        sign=sign,
        trial=int(best["trial"]),
        hash=best["hash"],
        mean=mean,
        half=half_interval(noise, freedom, len(found)),
        seeds=len(found),
        selected=float(best[metric]),
        trials=len(finished),
        noise=noise,
        comparisons=tuple(beside),
        finalists=others,
        shares=shares_between(
            {name: finished[name].dropna().tolist() for name in tasks},
            {name: list(repeats.get(name, {}).values()) for name in tasks},
        ),
    )


def _random(run: Run, finished: Any, metric: str, sign: int, noise: float) -> Estimate | None:
    """Return what random search would have found; None where trials or sizes do not say."""
    space, parameters, allowed = counting(run)
    scores = dict(zip(finished["hash"], finished[metric], strict=True))
    built = {r["hash"]: r["architecture"] for r in run.journal.each_trial() if r["hash"] in scores}
    number = _SAMPLED if space.size is None else min(_SAMPLED, space.size)
    sample = [one for one in space.sample(number, seed=run.experiment.seed) if allowed(one)]
    return expected_of_random(
        [parameters(Architecture.from_dict(built[digest])) for digest in scores],
        list(scores.values()),
        [parameters(one) for one in sample],
        budget=len(finished),
        noise=noise,
        sign=sign,
        seed=run.experiment.seed,
    )
