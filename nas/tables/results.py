"""What one run and several runs have in common: results as DataFrames, and what is best of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from search_spaces.errors import RunError, UnknownName

if TYPE_CHECKING:
    import pandas as pd


class ResultTables(ABC):
    """Tables of results.

    Attributes:
        where: Text that names the run, for messages.
        objectives: What the search was after: column to direction, "max" or "min".
    """

    where: str

    @property
    @abstractmethod
    def objectives(self) -> dict[str, str]:
        """What the search was after: column to direction; the first one is "the best"."""

    @abstractmethod
    def trials(self) -> "pd.DataFrame":
        """Return one row a trial, in the order they were asked.

        Columns: trial, hash, status (queued, running, done, failed), fidelity (share of
        the training budget), every score (glue, cola, …; in [0, 1], CoLA in [-1, 1]), every cost
        (parameters, flops, latency_ms, peak_memory_mb), seconds, the recipe's preset, cause and
        error of a failure, attempts, node, device, worker, continues (the trial of the fidelity
        below), spent_seconds and gpu_seconds of all attempts, the times asked_at, started_at and
        finished_at, and the architecture as a dictionary. Absent values are missing. The types,
        whatever is in the table: Int64 for whole numbers, string, float64, datetime64[us, UTC].
        """

    @abstractmethod
    def proposals(self) -> "pd.DataFrame":
        """Return one row a proposal: what was believed when it was made, and what came out.

        Columns: trial, hash, asked_at, status, fidelity, reason (initial, optimise, uncertainty,
        diversity, promotion, …), acquisition; for each objective its predicted mean, epistemic_sd
        (more results would reduce it) and aleatoric_sd (between repeated trainings), the outcome,
        by how much the outcome is off the mean, and off_sd, the same in standard deviations of
        both uncertainties together; pending (the trials in flight that the proposal took into
        account) and their count; parent and overlap of inherited weights; proposal_seconds;
        continues. Initial proposals and policies without a model predict nothing: missing.
        """

    @abstractmethod
    def history(self) -> "pd.DataFrame":
        """Return one row a trial that is done or failed, in the order they ended.

        Columns: order, trial, hash, status, fidelity, finished_at, elapsed_seconds (of searching,
        pauses left out), the objectives, the best of the first objective so far, front_size and
        hypervolume so far (in [0, 1]: the share of the box between the worst and the best values
        of the whole run), and what was spent so far: spent_seconds of training, spent_gpu_hours,
        spent_cost (missing without a price).
        """

    def way_on(self) -> str:
        """Return what to do about results that lack a finished trial, for messages."""
        return "See how far it is with: nas status; continue an interrupted one with: nas resume"

    def finished(self) -> "pd.DataFrame":
        """Return the finished trials of the highest fidelity, which alone can be compared."""
        from nas.tables.trials import at_highest_fidelity

        return at_highest_fidelity(self.trials())

    def pareto(
        self,
        *,
        constraints: str | Iterable[str] = (),
        by: str | Sequence[str] | None = None,
        **objectives: str,
    ) -> "pd.DataFrame":
        """Return the finished trials that no other beats, best in the first objective first.

        Of the highest fidelity that any trial finished at.

        Args:
            constraints: Conditions on columns, such as "parameters < 2e5".
            by: A column, or several: a front of each group of trials that are equal there.
            objectives: Column to direction, `glue="max", latency_ms="min"`; none takes the run's.

        Raises:
            RunError: No trial finished, or none has a value of an objective.
            UnknownName: An objective, constraint or group that is no column.
        """
        from nas.pareto.fronts import pareto_front

        objectives = objectives or self.objectives
        return pareto_front(self._usable(objectives), constraints=constraints, by=by, **objectives)

    def hypervolume(
        self,
        *,
        reference: Mapping[str, float] | None = None,
        ideal: Mapping[str, float] | None = None,
        normalised: bool = False,
        constraints: str | Iterable[str] = (),
        **objectives: str,
    ) -> float:
        """Return the volume that the front dominates; see `nas.pareto.fronts.hypervolume`.

        Raises:
            RunError: As `pareto`.
        """
        from nas.pareto.fronts import hypervolume

        objectives = objectives or self.objectives
        return hypervolume(
            self._usable(objectives),
            reference=reference,
            ideal=ideal,
            normalised=normalised,
            constraints=constraints,
            **objectives,
        )

    def knee(
        self,
        *,
        constraints: str | Iterable[str] = (),
        by: str | Sequence[str] | None = None,
        **objectives: str,
    ) -> "pd.DataFrame":
        """Return the one trial of the front that is nearest to the ideal point, as one row.

        Raises:
            RunError: As `pareto`.
        """
        from nas.pareto.fronts import knee

        objectives = objectives or self.objectives
        return knee(self._usable(objectives), constraints=constraints, by=by, **objectives)

    def best(
        self,
        *,
        constraints: str | Iterable[str] = (),
        by: str | Sequence[str] | None = None,
        **objectives: str,
    ) -> "pd.DataFrame":
        """Return the one trial that is best in the first objective, as one row.

        Of equally good ones the best in the other objectives is taken.

        Raises:
            RunError: As `pareto`.
        """
        from nas.pareto.fronts import best

        objectives = objectives or self.objectives
        return best(self._usable(objectives), constraints=constraints, by=by, **objectives)

    def _usable(self, objectives: Mapping[str, str]) -> "pd.DataFrame":
        """Return the finished trials, of which at least one has all `objectives`."""
        done = self.finished()
        if done.empty:
            raise RunError(
                f"{self.where[0].upper()}{self.where[1:]} has no finished trial yet. "
                f"{self.way_on()}"
            )
        numeric = done.select_dtypes("number").columns
        measured = [name for name in numeric if done[name].notna().any()]
        for name in objectives:
            if name not in numeric:
                raise UnknownName("objective", name, measured)
            if name not in measured:
                raise RunError(
                    f"No finished trial of {self.where} has a value of {name!r}. "
                    f"They have: {', '.join(measured)}."
                )
        return done
