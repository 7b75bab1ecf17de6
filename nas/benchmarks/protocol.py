"""The rules of a replay, the same for every policy: what it starts with, and how far it may go."""

from dataclasses import dataclass

import numpy as np

from nas.benchmarks.tables import Table
from search_spaces.errors import InvalidExperiment
from surrogates import make_policy
from surrogates.objectives import signs_of
from surrogates.policy import Policy

STARTS = ("given", "own")
_START_SEEDS = 1000  # the seed of a replay is offset by this for its given rows


@dataclass(frozen=True)
class Protocol:
    """How a policy is replayed on a table.

    Attributes:
        objectives: Column to "max" or "min"; the first one is the metric of regret.
        start: "given": the same rows, drawn by the seed, are told to every policy before it is
            asked; "own": a cold start with the policy's own initial design.
        initial: How many rows are given.
        budget: Evaluations in all, given rows included.
    """

    objectives: dict[str, str]
    start: str = "given"
    initial: int = 5
    budget: int = 105

    def limit(self, table: Table) -> int:
        """Return the evaluations that are possible on `table`."""
        return min(self.budget, len(table))

    def check(self, table: Table) -> None:
        """Refuse what leaves a policy nothing to do.

        Raises:
            InvalidExperiment: The given rows use up the budget or the table.
        """
        given = len(self.given(table, 0))
        if given >= self.limit(table):
            raise InvalidExperiment(
                f"{given} given rows leave nothing to propose: {table.name} has {len(table)} "
                f"architectures and the budget is {self.budget}. Give fewer with --initial, none "
                "with --start own, or allow a larger --budget."
            )

    def given(self, table: Table, seed: int) -> list[int]:
        """Return the rows told before the first ask; none for a start of its own."""
        if self.start == "own":
            return []
        rng = np.random.default_rng(_START_SEEDS + seed)
        return rng.choice(len(table), min(self.initial, len(table)), replace=False).tolist()

    def policy(self, name: str, table: Table, seed: int) -> Policy:
        """Build the policy called `name`, with the table as its space."""
        objectives = {table.told_as(m): d for m, d in self.objectives.items()}
        return make_policy(name, table.space(), objectives, seed=seed)

    def told(self, table: Table) -> list[dict[str, float]]:
        """Return what a policy is told of each row."""
        columns = {table.told_as(m): table.column(m) for m in self.objectives}
        return [
            {name: float(values[row]) for name, values in columns.items()}
            for row in range(len(table))
        ]

    def oriented(self, table: Table) -> np.ndarray:
        """Return the objectives of every row, larger is better, `(n, objectives)`."""
        columns = [table.column(metric) for metric in self.objectives]
        return np.column_stack(columns) * signs_of(self.objectives)
