"""Several runs as one: their tables, one below the other, with a column that says which run."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.config import read_settings
from nas.runs.alike import require_alike
from nas.tables.results import ResultTables
from search_spaces.errors import RunError

if TYPE_CHECKING:
    import pandas as pd

    from nas.runs.directory import Run


# Settings that say where a run was made or what it is called, not what it searched.
_ASIDE = ("name",)
_MEANS = {"glue", "score"}  # over other tasks a mean means something else


class SeveralRuns(ResultTables):
    """Runs whose tables are read together; the column "run" comes first.

    Args:
        runs: Opened runs, at least one. `objectives` are the first one's that all of them have.
    """

    def __init__(self, runs: Iterable["Run"]):
        self.runs = tuple(runs)
        if not self.runs:
            raise RunError("No run was given. Give the directories of one or more runs.")
        places = [run.directory.resolve() for run in self.runs]
        twice = next((p for p in places if places.count(p) > 1), None)
        if twice is not None:
            raise RunError(f"The run {str(twice)!r} was given twice. Give each run once.")
        self.names = run_names(run.directory for run in self.runs)
        self.where = f"the set of runs {', '.join(self.names)}"

    def __repr__(self) -> str:
        return f"SeveralRuns({', '.join(self.names)})"

    @property
    def objectives(self) -> dict[str, str]:
        """The objectives that all runs share, in the order of the first run.

        Raises:
            RunError: They share none, or with another direction.
        """
        first, *others = [run.objectives for run in self.runs]
        common = {n: d for n, d in first.items() if all(o.get(n) == d for o in others)}
        if not common:
            listed = "; ".join(
                f"{name}: {', '.join(f'{n}:{d}' for n, d in run.objectives.items())}"
                for name, run in zip(self.names, self.runs, strict=True)
            )
            raise RunError(f"These runs have no objective in common ({listed}). Name one yourself.")
        return common

    def require_alike(self, objectives: Iterable[str]) -> None:
        """Check that the runs can be ranked by `objectives`.

        Raises:
            RunError: Their tasks, data, recipe or fidelity differ.
        """
        settings = settings_that_differ(self)
        settings.pop("fidelity", None)  # how promising trials were chosen; what was reached counts
        reached = {
            name: float(run.finished()["fidelity"].max())
            for name, run in zip(self.names, self.runs, strict=True)
        }
        if len(set(reached.values())) > 1:
            settings["fidelity"] = reached
        tasks = [
            {name for record in run.journal.trials() for name in record["scores"]} - _MEANS
            for run in self.runs
        ]
        require_alike(settings, objectives, tasks, self.where)

    def pareto(self, *, by: Any = None, **given: Any) -> "pd.DataFrame":
        """Return the front of all runs together, or with by="run" of each, as `Run.pareto` does.

        Raises:
            RunError: All together, and their tasks, data, recipe or fidelity differ.
        """
        self._together_only_where_alike(by, given)
        return super().pareto(by=by, **given)

    def best(self, *, by: Any = None, **given: Any) -> "pd.DataFrame":
        """Return the best of all runs together, or with by="run" of each; raises as `pareto`."""
        self._together_only_where_alike(by, given)
        return super().best(by=by, **given)

    def knee(self, *, by: Any = None, **given: Any) -> "pd.DataFrame":
        """Return the knee of all runs together, or with by="run" of each; raises as `pareto`."""
        self._together_only_where_alike(by, given)
        return super().knee(by=by, **given)

    def _together_only_where_alike(self, by: Any, given: dict[str, Any]) -> None:
        if by is None or "run" not in ([by] if isinstance(by, str) else list(by)):
            objectives = [name for name in given if name != "constraints"]
            self.require_alike(objectives or self.objectives)

    def trials(self) -> "pd.DataFrame":
        return self._together(lambda run: run.trials())

    def proposals(self) -> "pd.DataFrame":
        return self._together(lambda run: run.proposals())

    def history(self) -> "pd.DataFrame":
        return self._together(lambda run: run.history())

    def _together(self, read: Callable[["Run"], "pd.DataFrame"]) -> "pd.DataFrame":
        import pandas as pd

        from nas.tables.trials import typed

        tables = [read(run) for run in self.runs]
        columns = dict.fromkeys(name for table in tables for name in table.columns)
        # The architecture stays last, as in each run's own table.
        if "architecture" in columns:
            del columns["architecture"]
            columns["architecture"] = None
        rows = []
        for name, table in zip(self.names, tables, strict=True):
            whole = typed(table.reindex(columns=list(columns)))
            whole.insert(0, "run", name)
            rows.append(typed(whole))
        return pd.concat(rows, ignore_index=True)


def run_names(directories: Iterable[Path]) -> list[str]:
    """Return the directories' own names, or their whole paths where two have the same name."""
    paths = [Path(directory) for directory in directories]
    names = [p.name if p.name not in ("", "..") else p.resolve().name for p in paths]
    unique = len(set(names)) == len(names)
    return names if unique else [str(path) for path in paths]


def open_runs(directories: Iterable[Path | str]) -> SeveralRuns:
    """Open several run directories to read their tables together.

    Raises:
        RunError: No directory was given, or one of them is no run.
    """
    from nas.runs.directory import open_run

    if isinstance(directories, str | Path):
        directories = [directories]
    return SeveralRuns(open_run(directory) for directory in directories)


def settings_that_differ(runs: SeveralRuns) -> dict[str, dict[str, Any]]:
    """Return setting to its value in each run, for the settings that are not equal in all."""
    flat = {
        name: dict(_leaves(read_settings(run.directory / "experiment.yaml")))
        for name, run in zip(runs.names, runs.runs, strict=True)
    }
    keys = dict.fromkeys(key for settings in flat.values() for key in settings)
    found = {key: {name: settings.get(key) for name, settings in flat.items()} for key in keys}
    return {
        key: values
        for key, values in found.items()
        if key not in _ASIDE and len({repr(value) for value in values.values()}) > 1
    }


def _leaves(settings: dict[str, Any], prefix: str = ""):
    for key, value in settings.items():
        if isinstance(value, dict) and key != "objectives":
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
