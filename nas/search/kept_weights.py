"""Which finished trials keep their weights on the disk, and which files nobody needs any more.

The choice follows from the results in their order alone, so that a resumed search keeps what the
uninterrupted one would have kept.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from nas.runs.mistakes import mistakes_name
from nas.runs.storage import result_name, weights_name


class KeptWeights:
    """The trials whose weights stay: the best in the first objective, and the front.

    Args:
        most: How many of the best; None keeps all.
        tasks: Fidelity to the tasks that were fine-tuned there, where they are not all.
    """

    def __init__(self, most: int | None, tasks: Mapping[float, Sequence[str]] | None = None):
        self._most, self._tasks = most, tasks or {}
        self._highest = 0.0
        self._kept: dict[str, tuple[float, ...]] = {}
        self._records: dict[str, dict[str, Any]] = {}
        # Names to remove, by the hash whose weights they are: a child may still need those.
        self._loose: dict[str, list[str]] = {}

    def add(self, record: Mapping[str, Any], values: tuple[float, ...]) -> list[str]:
        """Enter a trial that is done; return the hashes that are no longer kept.

        Args:
            record: Its row.
            values: Of the objectives, larger is better.
        """
        if self._most is None:
            return []
        digest, fidelity = record["hash"], record["fidelity"]
        if fidelity < self._highest:
            self._drop(digest, record)
            return [] if digest in self._kept else [digest]
        dropped = []
        if fidelity > self._highest:  # results at lower fidelities no longer count
            self._highest = fidelity
            dropped = self._keep_only(())
        self._kept[digest] = values
        self._records[digest] = {k: record[k] for k in ("fidelity", "seed", "adjusted", "proposal")}
        best = sorted(self._kept, key=lambda h: -self._kept[h][0])[: self._most]
        # One objective has no front but equally good trials, of which there may be any number.
        front = _front(self._kept) if len(values) > 1 else []
        return [*dropped, *self._keep_only({*best, *front})]

    def _keep_only(self, hashes: Collection[str]) -> list[str]:
        dropped = [digest for digest in self._kept if digest not in hashes]
        for digest in dropped:
            del self._kept[digest]
            self._drop(digest, self._records.pop(digest))
        return dropped

    def _drop(self, digest: str, record: Mapping[str, Any]) -> None:
        scale = record["adjusted"].get("learning_rate_scale", 1.0)
        result = result_name(
            digest,
            record["seed"],
            record["fidelity"],
            scale,
            record["proposal"].get("parent"),
            self._tasks.get(record["fidelity"]),
        )
        self._loose.setdefault(digest, []).extend(
            [
                weights_name(digest, record["fidelity"]),
                mistakes_name(digest, record["fidelity"]),
                result,
            ]
        )

    def expendable(self, needed: Collection[str | None]) -> list[str]:
        """Return the names of files to remove, each once, but none of the `needed` hashes."""
        ready = [digest for digest in self._loose if digest not in needed]
        return [name for digest in ready for name in self._loose.pop(digest)]


def _front(rows: Mapping[str, tuple[float, ...]]) -> list[str]:
    """Return the hashes of the rows that no other beats."""

    def beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        return a != b and all(x >= y for x, y in zip(a, b, strict=True))

    return [h for h, row in rows.items() if not any(beats(o, row) for o in rows.values())]
