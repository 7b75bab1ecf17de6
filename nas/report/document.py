"""Everything a report shows, as one document of plain data."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from nas.report import blocks
from nas.report.sections import SECTIONS, Section
from nas.report.snapshot import Snapshot
from nas.runs.directory import Run
from nas.runs.endings import state_words
from nas.runs.rows import readable
from search_spaces import Architecture
from search_spaces.errors import NasError, quoted
from search_spaces.kinds import LAYER_SLOTS, SLOTS
from search_spaces.operations import kind_title

VERSION = 1  # of the document
SectionCallback = Callable[[str, int, int], None]
HASH = 16  # characters kept: enough to pick a trial by


def build_document(
    run: Run, progress: SectionCallback = lambda part, done, of: None
) -> dict[str, Any]:
    """Return what the page of `run` shows: JSON types only, without NaN.

    Args:
        run: The run.
        progress: Called with the section that is computed next, how many are done, and of how many.

    Raises:
        RunError: The run has no finished trial.
    """
    snapshot = Snapshot(run)
    layers = Layers()
    built = {}
    for done, name in enumerate(SECTIONS):
        progress(name, done, len(SECTIONS))
        built[name] = _build(name, snapshot)
    document = {
        "version": VERSION,
        "name": snapshot.name,
        "directory": str(snapshot.directory),
        "made": time.strftime("%Y-%m-%d %H:%M", time.localtime(snapshot.made_at)),
        "state": state_text(snapshot),
        "unfinished": unfinished_text(snapshot),
        "tiles": tiles(snapshot),
        "objectives": snapshot.objectives,
        "columns": snapshot.columns,
        "operations": _kinds(snapshot),
        "trials": trial_columns(snapshot, layers),
        "sections": [
            {"name": name, **asdict(section)}
            for name, section in built.items()
            if section is not None
        ],
    }
    return plain({**document, **layers.described()})


def _build(name: str, snapshot: Snapshot) -> Section | None:
    """Return a section, or why there is none, so that one obstacle does not hide the rest."""
    try:
        with readable(f"The record of {str(snapshot.directory)!r}"):
            return SECTIONS[name](snapshot)
    except NasError as error:
        title = name.replace("_", " ").capitalize()
        return Section(
            title, "This part cannot be shown.", [blocks.note(str(error), tone="warning")]
        )


def state_text(snapshot: Snapshot) -> str:
    """Return in words how the run stands."""
    return state_words(str(snapshot.status["state"]))


def unfinished_text(snapshot: Snapshot) -> str | None:
    """Return what is missing of a run that has not ended by itself, or None."""
    if snapshot.finished:
        return None
    status, planned = snapshot.status, snapshot.settings.get("trials")
    of = f" of {planned}" if planned else ""
    return (
        f"This run is not finished ({state_text(snapshot)}): {status['done']}{of} trials done, "
        f"{status['running']} running, {status['queued']} waiting, {status['failed']} failed. The "
        f"report shows what was there; write it again with: nas report {quoted(snapshot.directory)}"
    )


def tiles(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the figures at the top of the page."""
    from nas.pareto.fronts import non_dominated_rows

    best = max(snapshot.done, key=lambda i: snapshot.sign * snapshot.value(i, snapshot.score))
    names = list(snapshot.objectives)
    rows = [[snapshot.value(i, name) for name in names] for i in snapshot.done]
    complete = [row for row in rows if None not in row]
    front = non_dominated_rows(complete, list(snapshot.objectives.values()))
    worked = sum(snapshot.spent(record) for record in snapshot.records)
    gpu = any("cuda" in (record["device"] or "") for record in snapshot.records)
    status = snapshot.status
    return [
        {
            "name": f"best {snapshot.columns[snapshot.score]['title']}",
            "value": f"{snapshot.value(best, snapshot.score):.4g}",
            "trial": snapshot.records[best]["trial"],
        },
        {"name": "encoders on the front", "value": f"{len(front)}"},
        {"name": "trials done", "value": f"{status['done']:,}"},
        {"name": "failed", "value": f"{status['failed']:,}"},
        {"name": "time passed", "value": _clock(snapshot.clock(snapshot.made_at))},
        {"name": "GPU-hours" if gpu else "worker-hours (CPU)", "value": f"{worked / 3600:.3g}"},
    ]


class Layers:
    """Distinct layers, each described once; an architecture is a list of their numbers.

    Thousands of trials may have tens of thousands of distinct layers, but far fewer sets of heads
    and feed-forward stacks, so a layer is its width and the numbers of these two.
    """

    def __init__(self):
        self._heads: dict[tuple, int] = {}
        self._stacks: dict[tuple, int] = {}
        self._parts: dict[tuple, int] = {}
        self._layers: dict[tuple, int] = {}

    def __call__(self, architecture: Architecture) -> list[int]:
        """Return the numbers of an architecture's layers."""
        return [self._of(layer) for layer in architecture.layers]

    def _of(self, layer) -> int:
        groups = tuple((head.kind, head.width, count) for head, count in layer.groups)
        heads = self._heads.setdefault(groups, len(self._heads))
        stack = self._stacks.setdefault(layer.feedforward, len(self._stacks))
        parts = tuple((slot, str(part)) for slot, part in layer.parts)
        described = (layer.width, heads, stack)
        if parts:  # most layers have none, and a page may have tens of thousands of layers
            described += (self._parts.setdefault(parts, len(self._parts)),)
        return self._layers.setdefault(described, len(self._layers))

    def described(self) -> dict[str, list]:
        """Return "layers" (width, numbers of heads, stack and parts), "heads", "stacks", "parts".

        Heads of a layer are kind, width and count of each group; its parts are slot and text of
        each that is not the default, which "usual" has. Layers without such end at the stack.
        """
        return {
            "layers": list(self._layers),
            "heads": list(self._heads),
            "stacks": list(self._stacks),
            "parts": list(self._parts),
            "usual": {slot: str(SLOTS[slot].default_part) for slot in LAYER_SLOTS},
        }


def trial_columns(snapshot: Snapshot, layers: Layers) -> dict[str, Any]:
    """Return every trial, one list a column."""
    records, counted = snapshot.records, set(snapshot.done)
    keys = ("trial", "status", "fidelity", "cause", "error", "node", "device")
    everything = list(range(len(records)))
    proposals = [record["proposal"] for record in records]
    return {
        **{key: [record[key] for record in records] for key in keys},
        "hash": [record["hash"][:HASH] for record in records],
        "counted": [int(i in counted) for i in everything],
        "layers": [layers(architecture) for architecture in snapshot.architectures],
        "model": [
            [[slot, str(part)] for slot, part in architecture.parts]
            for architecture in snapshot.architectures
        ],
        "recipe": [record["architecture"].get("recipe") for record in records],
        "values": {
            name: [snapshot.value(i, name) for i in everything] for name in snapshot.columns
        },
        "reason": [proposal.get("reason") for proposal in proposals],
        "mean": [proposal.get("mean") for proposal in proposals],
        "epistemic": [proposal.get("epistemic") for proposal in proposals],
        "parent": [(proposal.get("parent") or "")[:HASH] or None for proposal in proposals],
    }


def _kinds(snapshot: Snapshot) -> dict[str, str]:
    """Return the kinds of head that occur, with their names for people."""
    kinds = {}
    for architecture in snapshot.architectures:
        for layer in architecture.layers:
            for head in layer.heads:
                kinds.setdefault(head.kind, head)
    return {
        kind: kind_title(head.operation, head.parameter) for kind, head in sorted(kinds.items())
    }


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02} h" if hours else f"{minutes}:{seconds:02} min"


def plain(value: Any) -> Any:
    """Return `value` with numbers of at most seven digits, and None for what is not finite."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 1e15 else float(f"{value:.7g}")
    return value
