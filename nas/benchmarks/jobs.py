"""The pieces a benchmark of policies is made of, each computed on its own, in any process."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nas.benchmarks.calibration import predict_split
from nas.benchmarks.protocol import Protocol
from nas.benchmarks.replay import replay
from nas.benchmarks.simulation import simulate
from nas.benchmarks.tables import Table

FORMAT = 1  # of the results


@dataclass(frozen=True)
class Setting:
    """All that results depend on, besides the job itself.

    Attributes:
        table: Values of every architecture.
        protocol: Objectives, start and budget.
        durations: The column of training seconds, for simulations.
        latency: Seconds of a simulated proposal; None to measure.
    """

    table: Table
    protocol: Protocol
    durations: str | None = None
    latency: float | None = None

    def described(self) -> dict[str, Any]:
        """Return it as plain JSON types, equal if and only if results are comparable."""
        described = {"format": FORMAT, "table": self.table.digest, **asdict(self.protocol)}
        return {**described, "durations": self.durations, "latency": self.latency}


@dataclass(frozen=True)
class Job:
    """One computation.

    Attributes:
        kind: A key of `KINDS`.
        policy: A registered policy.
        seed: Of a search or simulation; the number of a split.
        size: What `KINDS` says: proposals at once, rows, or workers.
    """

    kind: str
    policy: str
    seed: int
    size: int


def _search(setting: Setting, job: Job) -> dict[str, Any]:
    return replay(setting.table, setting.protocol, job.policy, job.seed, job.size)


def _watched_search(setting: Setting, job: Job) -> dict[str, Any]:
    place = (setting.table, setting.protocol, job.policy, job.seed, job.size)
    return replay(*place, predicting=True)


def _split(setting: Setting, job: Job) -> dict[str, Any]:
    return predict_split(setting.table, setting.protocol, job.policy, job.seed, job.size)


def _simulation(setting: Setting, job: Job) -> dict[str, Any]:
    place = (setting.table, setting.protocol, job.policy, job.seed, job.size)
    seconds = setting.table.column(setting.durations)
    return simulate(*place, seconds, latency=setting.latency)


# kind -> how it is computed; the comment says what `size` counts
KINDS: Mapping[str, Callable[[Setting, Job], dict[str, Any]]] = {
    "search": _search,  # proposals asked for at once
    "watched-search": _watched_search,  # the same, with predictions of each proposal
    "split": _split,  # rows to learn from
    "simulation": _simulation,  # workers
}


def perform(setting: Setting, job: Job) -> dict[str, Any]:
    """Compute `job` with one thread, so that numbers do not depend on where it runs."""
    import torch
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            return KINDS[job.kind](setting, job)
    finally:
        torch.set_num_threads(threads)
