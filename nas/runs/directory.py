"""The run directory: the record, the weights, the environment; DataFrames out.

runs/search-1/
  run.db             every proposal, result and failure (SQLite)
  experiment.yaml    the resolved experiment
  environment.json   versions and hardware
  tokenizer.json     the one tokenizer of this run
  data/              the tokenised tasks and corpus
  tensorboard/       scores and costs of each trial, for TensorBoard
  weights/           HASH.safetensors, the pre-trained weights of each finished trial
  mistakes/          HASH.json, where each finished trial is wrong on tasks of one's own
"""

import json
import re
import sqlite3
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.runs.claims import made_or_nothing
from nas.runs.environment import describe_environment
from nas.runs.journal import Journal
from nas.runs.lock import give_lock, take_lock
from nas.runs.rows import checked_options, readable, unreadable
from nas.runs.schema import FORMAT, READABLE
from nas.runs.trust import named_code, named_outside, require_own_files, require_trusted, trust
from nas.tables.results import ResultTables
from nas.whole_files import write_whole
from search_spaces.errors import RunError, quoted

if TYPE_CHECKING:
    import pandas as pd

    from nas.config import Experiment
    from nas.data.prepared import PreparedData


class Run(ResultTables):
    """One run directory.

    Args:
        directory: Where it is.
        journal: Its opened record.
    """

    def __init__(self, directory: Path, journal: Journal):
        self.directory = directory
        self.journal = journal
        self.where = f"the run {str(directory)!r}"
        self._lock = None
        self._trusted = False

    def __repr__(self) -> str:
        counts = {k: n for k, n in self.journal.counts().items() if n}
        return f"Run({str(self.directory)!r}, {counts})"

    @property
    def weights(self) -> Path:
        """The folder of the trained weights."""
        return self.directory / "weights"

    @cached_property
    def experiment(self) -> "Experiment":
        """The resolved experiment."""
        from nas.config import make_experiment, read_settings

        return make_experiment(read_settings(self.directory / "experiment.yaml"))

    @property
    def objectives(self) -> dict[str, str]:
        """The objectives that the search used, column to direction."""
        found = self.journal.json_meta("objectives", {})
        if not found or any(direction not in ("max", "min") for direction in found.values()):
            raise unreadable(str(self.directory / "run.db"), "it has no objectives with directions")
        return found

    @property
    def model_options(self) -> dict[str, Any]:
        """What the run's models are built with, beside the architecture."""
        found = self.journal.json_meta("model_options", {})
        return checked_options(found, str(self.directory / "run.db"))

    @property
    def id(self) -> str | None:
        """What tells this run's files in a storage from those of others; None in an older run."""
        found = self.journal.meta("run_id")
        if found is not None and re.fullmatch(r"[0-9a-zA-Z]{1,64}", found) is None:
            raise unreadable(f"{self.directory / 'run.db'}", f"its run_id is {ascii(found)[:80]}")
        return found

    def trust(self) -> None:
        """Note that this user knows the run: it may use what it names outside its directory."""
        trust(self.directory, self.named_outside)
        self._trusted = True

    @property
    def named_outside(self) -> list[str]:
        """What continuing the run would use outside of its directory, as texts for people."""
        return named_outside(self.directory, self.experiment)

    def require_trusted(self, command: str, *, space_only: bool = False) -> None:
        """Check that the run may use what it names outside its directory.

        Args:
            command: What a person writes to allow it, such as "nas resume".
            space_only: Only the module of its space is used.

        Raises:
            RunError: Nobody said so; see `nas.runs.trust`.
        """
        if self._trusted:
            return
        named = named_code(self.experiment.space) if space_only else self.named_outside
        require_trusted(self.directory, named, f"{command} {quoted(self.directory)}")

    @property
    def locked(self) -> bool:
        """Whether this process drives the run."""
        return self._lock is not None and not self._lock.closed

    def lock(self) -> str | None:
        """Make this process the run's only driver until it ends.

        Returns:
            A line about the driver whose lock was taken over because it is dead, or None.

        Raises:
            RunError: Another process drives this run.
        """
        require_own_files(self.directory)
        self._lock, taken_over = take_lock(self.directory, self.journal.last_seen())
        return taken_over

    def unlock(self) -> None:
        """Give up the lock, if this process has it."""
        if self._lock is not None:
            give_lock(self._lock)
            self._lock = None

    def close(self) -> None:
        """Close the record and give up the lock."""
        self.journal.close()
        self.unlock()

    def trials(self) -> "pd.DataFrame":
        from nas.tables.trials import trial_table

        recipe = self.experiment.recipe
        records = self.journal.trials()
        with readable(self.where):
            return trial_table(records, preset=recipe.get("preset"), scores=recipe.get("tasks", ()))

    def proposals(self) -> "pd.DataFrame":
        from nas.tables.proposals import pending_at_proposal, proposal_table

        with readable(self.where):
            pending = pending_at_proposal(list(self.journal.events()))
            return proposal_table(self.journal.trials(), list(self.objectives), pending)

    def history(self) -> "pd.DataFrame":
        from nas.tables.history import history_table

        price = getattr(self.experiment, "price_per_hour", None)
        with readable(self.where):
            return history_table(
                self.journal.trials(),
                self.objectives,
                self.journal.sessions(),
                price_per_hour=price,
            )

    def confirmations(self, longer: int = 1) -> "pd.DataFrame":
        """Return one row an architecture that `nas confirm` trained again.

        Columns: trial, hash, seeds and failed (fresh trainings that ended so), and for glue, every
        task and latency_ms the value of the search and the mean and the sample standard deviation
        of the fresh trainings, `glue`, `glue_mean`, `glue_std`; latency_machine, where it was
        measured again.

        Args:
            longer: Of trainings with so many times the passes of a trial.
        """
        from nas.runs.confirmations import confirmation_table

        highest = self.finished()["trial"]
        records = [r for r in self.journal.trials() if r["trial"] in set(highest)]
        with readable(self.where):
            return confirmation_table(self.directory, records, longer)

    def way_on(self) -> str:
        failed = self.journal.counts()["failed"]
        more = f"Continue it with: nas resume {quoted(self.directory)}"
        if not failed:
            return more
        failures = f"nas trials {quoted(self.directory)} --where \"status == 'failed'\""
        return f"{failed} failed; see why: {failures}. {more}"

    def pick(self, which: str | int) -> dict[str, Any]:
        """Return the finished trial called "best", "knee", by its number, or by its hash's start.

        The number is the one that every table prints; a text of digits alone is a number where the
        run has such a trial.

        Raises:
            RunError: No trial finished, or the hash names none, several, or an unfinished one.
        """
        from nas.pareto.fronts import knee
        from nas.tables.trials import at_highest_fidelity

        table = self.trials()
        done = at_highest_fidelity(table)
        if which in ("best", "knee"):
            if done.empty:
                raise RunError(
                    f"The run {str(self.directory)!r} has no finished trial to pick from. "
                    f"{self.way_on()}"
                )
            # On the whole front, so that among equally good models a cheap one is taken.
            chosen = self.pareto() if which == "best" else knee(done, **self.objectives)
            return dict(chosen.iloc[0])
        which = str(which)
        number = int(which) if which.isascii() and which.isdecimal() and len(which) < 10 else None
        found = table[table["trial"] == number] if number is not None else table.iloc[:0]
        if found.empty:
            found = table[table["hash"].str.startswith(which)]
        if which:  # of an architecture trained at several fidelities, the highest that finished
            ended = found["status"] == "done"
            found = found.assign(ended=ended).sort_values(["ended", "fidelity"], kind="stable")
            found = found.drop_duplicates("hash", keep="last").drop(columns="ended")
        if len(found) != 1 or not which:
            options = ", ".join(h[:10] for h in done["hash"])
            raise RunError(
                f"{which!r} names {len(found)} trials of {str(self.directory)!r}. "
                "Write best, knee, or the start of one of these hashes, or the number of a trial: "
                f"{options or 'none yet'}."
            )
        if found.iloc[0]["status"] != "done":
            row = found.iloc[0]
            why = f"{row['cause']}; nas why {quoted(self.directory)} {row['trial']} says more"
            raise RunError(
                f"Trial {row['trial']} ({row['hash'][:10]}) is {row['status']}, so it has no "
                + ("weights" if row["status"] != "failed" else f"weights ({why})")
                + f". Pick a finished one; see: nas trials {quoted(self.directory)}"
            )
        return dict(found.iloc[0])


def require_free(directory: Path, experiment: "Experiment") -> None:
    """Check that a run of `experiment` can be made in `directory`.

    Raises:
        RunError: Something is there already; the message says whether it is the same experiment.
    """
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return
    if not (directory / "run.db").is_file():
        raise RunError(
            f"{str(directory)!r} exists already and is not empty. "
            "Give a directory that does not exist yet."
        )
    changed = _changed_settings(directory, experiment)
    if changed:
        raise RunError(
            f"{str(directory)!r} exists already and belongs to another experiment: it has "
            f"{'; '.join(changed)}. Give a directory that does not exist yet, or continue that "
            f"run with: nas resume {quoted(directory)}"
        )
    raise RunError(
        f"{str(directory)!r} exists already and is not empty. "
        f"Continue it with: nas resume {quoted(directory)}"
    )


def _changed_settings(directory: Path, experiment: "Experiment") -> list[str]:
    """Say where the experiment stored in `directory` differs, but for what a resume may change."""
    from nas.config import read_settings

    stored = read_settings(directory / "experiment.yaml")
    wanted = experiment.model_dump(mode="json")
    resolved = ("recipe", "trials", "time", "execution", "trackers")
    return [
        f"{name} {stored.get(name)!r} instead of {value!r}"
        for name, value in wanted.items()
        if name not in resolved and stored.get(name) != value
    ]


def create_run(
    directory: Path,
    experiment: "Experiment",
    objectives: Mapping[str, str],
    *,
    data: "PreparedData | None" = None,
    model_options: Mapping[str, Any] | None = None,
    run_id: str | None = None,
) -> Run:
    """Make a new run directory and lock it; its record comes last, when all else is there.

    Args:
        directory: Where.
        experiment: The resolved experiment.
        objectives: Column to direction.
        data: What is trained on, if anything.
        model_options: What the run's models are built with, beside the architecture.
        run_id: Part of the name of its files in a storage; see `open_storage`.

    Raises:
        RunError: The directory exists already, or cannot be made.
    """
    from nas.config import write_experiment

    require_free(directory, experiment)
    facts = {
        "objectives": dict(objectives),
        "aim": {"objectives": dict(objectives), "constraints": list(experiment.constraints)},
        "model_options": dict(model_options or {}),
    }
    texts = {name: json.dumps(value) for name, value in facts.items()}
    if run_id is not None:
        texts["run_id"] = run_id
    environment = json.dumps(describe_environment(), indent=2)
    try:
        with made_or_nothing(directory, "weights"):
            write_experiment(experiment, directory / "experiment.yaml")
            write_whole(directory / "environment.json", environment + "\n")
            if data is not None:
                data.save(directory / "data")
            journal = Journal(directory / "run.db", create=True, facts=texts)
    except (OSError, sqlite3.Error) as error:
        raise RunError(
            f"Cannot make the run in {str(directory)!r}: {error}. Nothing is left of it. Make room "
            "there, or give another place with --run."
        ) from None
    run = Run(directory, journal)
    run.lock()
    run.trust()  # whoever starts a search has named what it uses
    return run


def open_run(directory: Path | str, *, readonly: bool = True) -> Run:
    """Open a run directory; `readonly` suits everyone but the driver.

    Raises:
        RunError: There is no run, or its format is another version's.
    """
    directory = Path(directory)
    if not (directory / "run.db").is_file():
        parent = directory if directory.is_dir() else directory.parent
        known = sorted(
            str(p.parent) for p in (*parent.glob("*/run.db"), *Path("runs").glob("*/run.db"))
        )
        hint = f" Runs found: {', '.join(dict.fromkeys(known))}." if known else ""
        raise RunError(
            f"{str(directory)!r} is no run directory: it has no run.db.{hint} "
            f"Start a run with: nas search --run {quoted(directory)}"
        )
    try:
        require_own_files(directory)
        journal = Journal(directory / "run.db", readonly=True)
        found = journal.meta("format")
        if not readonly and found in READABLE:
            journal.close()
            journal = Journal(directory / "run.db")
    except sqlite3.Error as error:
        raise unreadable(str(directory / "run.db"), str(error)) from None
    if found not in READABLE:
        raise RunError(
            f"{str(directory)!r} was written in format {found}; this version reads up to {FORMAT}. "
            f"Open it with the version named in its environment.json, or update with: "
            "pip install --upgrade encoder-nas"
        )
    return Run(directory, journal)
