"""The benchmark of policies: which jobs a plan needs, and the tables that come of them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd

from nas.benchmarks.calibration import calibration_table, rounds_table
from nas.benchmarks.jobs import Job, Setting
from nas.benchmarks.noise_bound import DEFAULT_NOISE, NoiseBound, noise_bound
from nas.benchmarks.paired import paired
from nas.benchmarks.policy_scores import hypervolume_curve, regret_curve, run_scores
from nas.benchmarks.results import Results
from nas.benchmarks.simulation import simulation_scores
from nas.benchmarks.workers import run_jobs
from surrogates.objectives import EXACT

_QUARTILES = {"": 0.5, "_q1": 0.25, "_q3": 0.75}


@dataclass(frozen=True)
class Plan:
    """What to compare.

    Attributes:
        policies: Registered names; the others are compared with the first.
        seeds: Searches of each policy and batch size.
        batches: Proposals asked for at once.
        calibration: Whether to judge predictions.
        splits: Random splits to predict, for each of `rows`.
        rows: How many rows to learn from.
        workers: Simulated workers; none for no simulation.
        simulated_seeds: Simulations of each policy and number of workers.
    """

    policies: tuple[str, ...]
    seeds: int = 30
    batches: tuple[int, ...] = (1, 8)
    calibration: bool = False
    splits: int = 20
    rows: tuple[int, ...] = (50, 100, 200)
    workers: tuple[int, ...] = ()
    simulated_seeds: int = 5

    def searches(self) -> list[Job]:
        """Seed by seed, so that what an interrupted benchmark has is comparable."""
        kind = "watched-search" if self.calibration else "search"
        return [
            Job(kind, policy, seed, batch)
            for seed in range(self.seeds)
            for batch in self.batches
            for policy in self.policies
        ]

    def splits_to_predict(self, rows_in_table: int) -> list[Job]:
        """Splits that leave something to predict."""
        sizes = [n for n in self.rows if n < rows_in_table - 1] if self.calibration else []
        return [
            Job("split", policy, split, size)
            for split in range(self.splits)
            for size in sizes
            for policy in self.policies
        ]

    def simulations(self) -> list[Job]:
        """Seed by seed, few workers first."""
        return [
            Job("simulation", policy, seed, workers)
            for seed in range(self.simulated_seeds if self.workers else 0)
            for workers in self.workers
            for policy in self.policies
        ]


@dataclass
class Findings:
    """The tables of a benchmark; those that were not asked for are empty.

    Attributes:
        runs: One row a search: "policy", "batch", "seed", the figures of `run_scores`, and
            "cpu_seconds" per proposal.
        summary: One row a policy and batch: medians and quartiles, mean regret and its error.
        pairs: Differences of each policy from the first, by batch and figure.
        curves: Regret, or relative hypervolume, after each evaluation: quartiles over seeds.
        calibration: See `calibration_table`.
        rounds: See `rounds_table`.
        simulations: One row a policy and number of workers: medians over seeds.
        bound: What noise lets anybody reach, or None where the metric is no score.
        silent: Policies that cannot predict these objectives.
    """

    runs: pd.DataFrame
    summary: pd.DataFrame
    pairs: pd.DataFrame
    curves: pd.DataFrame
    calibration: pd.DataFrame = field(default_factory=pd.DataFrame)
    rounds: pd.DataFrame = field(default_factory=pd.DataFrame)
    simulations: pd.DataFrame = field(default_factory=pd.DataFrame)
    bound: NoiseBound | None = None
    silent: tuple[str, ...] = ()


def run_benchmark(
    setting: Setting,
    plan: Plan,
    results: Results,
    *,
    processes: int = 1,
    noise: float | None = None,
    watch: Callable[[int, int, Job | None], None] = lambda done, total, job: None,
) -> Findings:
    """Compute what `results` lacks, and sum up.

    Args:
        setting: Table, protocol, and how trials are simulated.
        plan: What to compare.
        results: Where results are kept.
        processes: Jobs computed at once; results do not depend on it, but for seconds.
        noise: For the bound, in the unit of the first objective; by default that of GLUE.
        watch: Called with jobs done, jobs in all, and the job just done.

    Raises:
        NasError: See `run_jobs`.
    """
    jobs = plan.searches() + plan.splits_to_predict(len(setting.table)) + plan.simulations()
    missing = [job for job in jobs if job not in results]
    done = len(jobs) - len(missing)
    watch(done, len(jobs), None)
    for job, result in run_jobs(setting, missing, processes):
        results.add(job, result)
        done += 1
        watch(done, len(jobs), job)
    return _findings(setting, plan, results, noise)


def _findings(setting: Setting, plan: Plan, results: Results, noise: float | None) -> Findings:
    values = setting.protocol.oriented(setting.table)
    searches = [(job, results[job]) for job in plan.searches()]
    runs = _runs(setting, values, searches)
    found = Findings(
        runs, _summary(setting, runs), _pairs(plan, runs), _curves(setting, values, searches)
    )
    splits = [(j, results[j]) for j in plan.splits_to_predict(len(setting.table))]
    if plan.calibration:
        found.calibration = calibration_table([(j.policy, j.size, r) for j, r in splits])
        found.rounds = rounds_table(
            setting.table,
            [(j.policy, j.size, r) for j, r in searches],
            len(setting.protocol.given(setting.table, 0)),
        )
        speaking = {j.policy for j, r in splits if r["figures"]}
        found.silent = tuple(p for p in plan.policies if p not in speaking and splits)
    if plan.workers:
        found.simulations = _simulations(
            values, [(job, results[job]) for job in plan.simulations()]
        )
    found.bound = _bound(setting, values, noise)
    return found


def _runs(setting: Setting, values: np.ndarray, searches: list[tuple[Job, dict]]) -> pd.DataFrame:
    limit = setting.protocol.limit(setting.table)
    rows = []
    for job, result in searches:
        given = len(setting.protocol.given(setting.table, job.seed))
        scores = run_scores(values, np.array(result["rows"]), given, limit)
        seconds = result["cpu_seconds"] / max(1, result["proposals"])
        key = {"policy": job.policy, "batch": job.size, "seed": job.seed}
        rows.append({**key, **scores, "cpu_seconds": seconds})
    return pd.DataFrame(rows)


def _summary(setting: Setting, runs: pd.DataFrame) -> pd.DataFrame:
    """Quartiles of every figure; a goal never reached counts as the budget and one more."""
    beyond = setting.protocol.limit(setting.table) + 1
    figures = [c for c in runs.columns if c not in ("policy", "batch", "seed")]
    rows = []
    for (policy, batch), group in runs.groupby(["policy", "batch"], sort=False):
        row = {"policy": policy, "batch": batch, "seeds": len(group)}
        for name in figures:
            column = group[name].replace(np.inf, beyond)
            row |= {name + tail: column.quantile(q) for tail, q in _QUARTILES.items()}
        if "regret" in group:
            row["regret_mean"], row["regret_error"] = group["regret"].mean(), group["regret"].sem()
        rows.append(row)
    return pd.DataFrame(rows)


def _pairs(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame:
    first, *others = plan.policies
    names = [c for c in runs.columns if c == "regret" or c.startswith("hypervolume")]
    rows = []
    for batch in plan.batches:
        by_policy = dict(list(runs[runs["batch"] == batch].groupby("policy")))
        for name in names:
            for other in others:
                # Both are in the order of seeds.
                pair = paired(*(by_policy[p][name].to_numpy() for p in (first, other)))
                key = {"policy": other, "minus": first, "batch": batch, "figure": name}
                rows.append({**key, **asdict(pair)})
    return pd.DataFrame(rows)


def _curves(setting: Setting, values: np.ndarray, searches: list[tuple[Job, dict]]) -> pd.DataFrame:
    limit = setting.protocol.limit(setting.table)
    curve = hypervolume_curve if values.shape[1] > 1 else regret_curve
    values = values if values.shape[1] > 1 else values[:, 0]
    groups: dict[tuple[str, int], list[np.ndarray]] = {}
    for job, result in searches:
        drawn = curve(values, np.array(result["rows"]), limit)
        groups.setdefault((job.policy, job.size), []).append(drawn)
    frames = []
    for (policy, batch), drawn in groups.items():
        low, middle, high = np.quantile(drawn, [0.25, 0.5, 0.75], axis=0)
        frame = pd.DataFrame({"evaluation": np.arange(1, limit + 1), "median": middle})
        frame = frame.assign(q1=low, q3=high, mean=np.mean(drawn, axis=0))
        frames.append(frame.assign(policy=policy, batch=batch))
    return pd.concat(frames, ignore_index=True)


def _simulations(values: np.ndarray, done: list[tuple[Job, dict]]) -> pd.DataFrame:
    rows = [
        {
            "policy": job.policy,
            "workers": job.size,
            "evaluations": len(result["rows"]),
            **simulation_scores(values[:, 0], result, job.size),
        }
        for job, result in done
    ]
    groups = pd.DataFrame(rows).groupby(["policy", "workers"], sort=False)
    table = groups.median()
    table.insert(0, "seeds", groups.size())
    return table.reset_index()


def _bound(setting: Setting, values: np.ndarray, noise: float | None) -> NoiseBound | None:
    metric = next(iter(setting.protocol.objectives))
    if noise is None and not metric_is_score(setting, metric):
        return None
    protocol = setting.protocol
    return noise_bound(
        values[:, 0],
        setting.table.cells(),
        DEFAULT_NOISE if noise is None else noise,
        given=len(protocol.given(setting.table, 0)),
        budget=protocol.limit(setting.table),
    )


def metric_is_score(setting: Setting, metric: str) -> bool:
    """Whether `metric` is measured and a share of 1, so that the noise of GLUE may be assumed."""
    return metric not in EXACT and setting.table.points(metric) == 100.0
