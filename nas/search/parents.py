"""Whose weights a new trial starts from: the finished one whose layers share most with its."""

from typing import Any

from search_spaces import Architecture

# Of more finished trials than this, only the latest are compared: looking through thousands for
# each proposal would take longer than what a slightly nearer parent saves.
_COMPARED = 500
# With less in common, four of five children start no better than from scratch, and would lose the
# tokens that inheriting saves (experiments/README.md).
_LEAST_OVERLAP = 0.4


class Parents:
    """The finished trials of a run as possible parents.

    Args:
        options: What parameters are counted with, as `nas.models.overlap.overlap` takes it.
    """

    def __init__(self, options: dict[str, Any]):
        self._options = options
        self._finished: dict[str, Architecture] = {}
        self._gone: dict[str, Architecture] = {}

    def add(self, record: dict[str, Any]) -> None:
        """Enter a finished trial, whose weights are kept."""
        self._finished.pop(record["hash"], None)
        self._finished[record["hash"]] = Architecture.from_dict(record["architecture"])

    def drop(self, digest: str) -> None:
        """Take a trial out whose weights are not kept; children chosen before still name it."""
        if digest in self._finished:
            self._gone[digest] = self._finished.pop(digest)

    def choose(self, architecture: dict[str, Any]) -> dict[str, Any]:
        """Return the nearest trial as {"parent": hash, "overlap": share}; nothing if none is."""
        from nas.models.overlap import layer_overlap, nearest_parent

        child = Architecture.from_dict(architecture)
        candidates = list(self._finished.values())[-_COMPARED:]
        of_layers = {k: v for k, v in self._options.items() if k != "vocabulary_size"}
        found = nearest_parent(child, candidates, **self._options)
        if found is None or layer_overlap(child, found[0], **of_layers) < _LEAST_OVERLAP:
            return {}
        return {"parent": found[0].hash, "overlap": round(found[1], 6)}

    def job(self, digest: str | None) -> dict[str, Any] | None:
        """Return what a job needs to know of the parent with that hash."""
        if digest is None:
            return None
        found = self._finished.get(digest) or self._gone.get(digest)
        return found and {"hash": digest, "architecture": found.to_dict()}
