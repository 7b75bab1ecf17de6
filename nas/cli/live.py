"""The live view of a search: a moving block on a terminal, JSON lines elsewhere."""

from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nas.cli.json_events import emit, emit_progress
from nas.cli.printing import console
from nas.evaluation.measured import values_of
from nas.printable import printable
from nas.search.progress import Progress
from search_spaces import Architecture


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


class LiveView:
    """Shows progress; a context manager.

    Args:
        objectives: The run's objectives; the first one is "the best".
        quiet: Show nothing.
    """

    def __init__(self, *, objectives: dict[str, str], quiet: bool):
        self._score = next(iter(objectives))
        self._quiet = quiet
        self._console = console()
        self._live: Live | None = None

    def __enter__(self) -> "LiveView":
        if self._console.is_terminal and not self._quiet:
            self._live = Live(console=self._console, refresh_per_second=4, transient=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """Show a stage of the set-up."""
        if self._quiet:
            return
        if self._live is None:
            emit("stage", text=line)
            return
        told = line.startswith(("  ", "Task "))  # what was found, and no work that goes on
        self._live.console.print(printable(line if told else f"{line} …"))

    def update(self, progress: Progress) -> None:
        """Show the progress."""
        if self._quiet:
            return
        line = progress.note or self._trial_line(progress)
        if self._live is None:
            emit_progress(progress)
            return
        if line:
            self._live.console.print(printable(line))
        self._live.update(self._block(progress))

    def _trial_line(self, progress: Progress) -> str | None:
        trial = progress.latest
        if trial is None:
            return None
        what = Architecture.from_dict(trial["architecture"]).describe()
        if trial["status"] != "done":
            became = "failed" if trial["status"] == "failed" else "to be repeated"
            why = f"{became} ({trial['cause']}): {trial['error']}"
            return f"trial {trial['trial']:>3}  {why}  {what}"
        value = values_of(trial, seconds=True)[self._score]
        parameters = trial["costs"].get("parameters", 0)
        part = "" if trial["fidelity"] == 1 else f"  at {trial['fidelity']:g} of the tokens"
        return (
            f"trial {trial['trial']:>3}  {self._score} {value:.3f}  "
            f"{parameters:>11,.0f} parameters  {trial['seconds']:5.1f} s  {what}{part}"
        )

    def _summary(self, progress: Progress) -> str:
        counts = progress.counts
        best = "-" if progress.best is None else f"{progress.best:.3f}"
        return (
            f"{counts['done']} done, {counts['running']} running, {counts['failed']} failed "
            f"of {progress.planned}; best {self._score} {best}; front {progress.front}; "
            f"{_clock(progress.elapsed)} passed, {_clock(progress.left)} left"
        )

    def _block(self, progress: Progress) -> Group:
        ended = progress.counts["done"] + progress.counts["failed"]
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=progress.planned, completed=ended, width=30),
            f"{ended}/{progress.planned}",
        )
        return Group(bar, Text(printable(self._summary(progress))))
