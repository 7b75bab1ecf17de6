"""A table of trained architectures: one JSON object a line, read whole and checked."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from numbers import Real
from pathlib import Path

import numpy as np

from search_spaces import Architecture, FiniteSpace
from search_spaces.errors import InvalidArchitecture, InvalidData, UnknownName
from surrogates.costs import exact_value
from surrogates.objectives import EXACT
from surrogates.policy import Options

_NO_VALUES = ("architecture", "id")  # every other number of a row, nested or not, is a column


@dataclass(frozen=True)
class Table:
    """Distinct architectures and what was measured of each; repeated trainings are averaged.

    Attributes:
        name: What messages call it.
        digest: Changes with every byte of the file.
        architectures: In the order of their first line, `n` of them.
        columns: Metric to values in its own units, `(n,)`; NaN where no line of it has the metric.
        lines: The first line of each architecture, counted from 1.
        rows: Lines read, repeated architectures included.
    """

    name: str
    digest: str
    architectures: tuple[Architecture, ...]
    columns: dict[str, np.ndarray]
    lines: tuple[int, ...]
    rows: int

    def __len__(self) -> int:
        return len(self.architectures)

    @cached_property
    def index(self) -> dict[str, int]:
        """Architecture hash to row."""
        return {a.hash: i for i, a in enumerate(self.architectures)}

    def column(self, metric: str) -> np.ndarray:
        """Return the values of `metric`, `(n,)`; parameters and FLOPs are computed if absent.

        Raises:
            UnknownName: The table has no such column.
            InvalidData: Some architecture lacks it.
        """
        if metric not in self.columns:
            if metric in EXACT:
                return self._computed(metric)
            raise UnknownName(f"column of {self.name}", metric, {*self.columns, *EXACT})
        values = self.columns[metric]
        missing = np.flatnonzero(np.isnan(values))
        if missing.size:
            raise InvalidData(
                f"{self.name}, line {self.lines[missing[0]]}: this row has no {metric!r}, "
                f"{missing.size} rows in all. Remove them, or name another metric."
            )
        return values

    def told_as(self, metric: str) -> str:
        """Return the name a policy is given `metric` under.

        Policies compute "parameters" and "flops" themselves. Where the table counted otherwise,
        what they compute is not what they are judged by, so the column is told as measured.
        """
        if metric not in EXACT or metric not in self.columns:
            return metric
        same = np.allclose(self.column(metric), self._computed(metric), rtol=1e-6)
        return metric if same else f"table_{metric}"

    def points(self, metric: str) -> float:
        """Return the factor that shows `metric` in points: 100 for a share of 1, else 1."""
        values = self.column(metric)
        return 100.0 if values.min() >= 0 and values.max() <= 1 else 1.0

    def cells(self) -> np.ndarray:
        """Return the group of each row by number of layers and first width, `(n,)` integers."""
        keys = [(len(a), a.layers[0].width) for a in self.architectures]
        order = {key: i for i, key in enumerate(sorted(set(keys)))}
        return np.array([order[key] for key in keys])

    def space(self) -> FiniteSpace:
        """Return the architectures as a space to search in."""
        return FiniteSpace(self.architectures, name="table")

    def _computed(self, metric: str) -> np.ndarray:
        return np.array([exact_value(metric, a, Options()) for a in self.architectures])


def read_table(path: Path) -> Table:
    """Read `path`: one `{"architecture": {...}, "scores": {"glue": 0.71}, "seconds": 90}` a line.

    Every number beside the architecture is a column, by its own name, inside a nested object too.

    Raises:
        InvalidData: The file cannot be read or is empty, or a line is not such a row; the message
            names the file and the line.
    """
    try:
        content = Path(path).read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidData(
            f"{path} cannot be read: {error}. Give a file with one JSON object a line."
        ) from None
    found: dict[Architecture, list[dict[str, float]]] = {}
    first: dict[Architecture, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        architecture, values = _row(line, f"{path}, line {number}")
        found.setdefault(architecture, []).append(values)
        first.setdefault(architecture, number)
    if not found:
        raise InvalidData(f"{path} has no rows. Give a file with one JSON object a line.")
    names = dict.fromkeys(name for rows in found.values() for row in rows for name in row)
    columns = {
        name: np.array([_mean([r[name] for r in rows if name in r]) for rows in found.values()])
        for name in names
    }
    return Table(
        name=Path(path).name,
        digest=sha256(content).hexdigest(),
        architectures=tuple(found),
        columns=columns,
        lines=tuple(first.values()),
        rows=sum(map(len, found.values())),
    )


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _row(line: str, where: str) -> tuple[Architecture, dict[str, float]]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidData(f"{where}: this is no JSON: {error}.") from None
    if not isinstance(row, dict) or not isinstance(row.get("architecture"), dict):
        raise InvalidData(
            f"{where}: this is no row. Write an object with the keys 'architecture' and 'scores'."
        )
    try:
        architecture = Architecture.from_dict(row["architecture"])
    except InvalidArchitecture as error:
        raise InvalidData(f"{where}: {error}") from None
    values: dict[str, float] = {}
    for name, value in _numbers(row):
        if not math.isfinite(value):
            raise InvalidData(f"{where}: {name} is {value!r}. Write a finite number or leave it.")
        if name in values:
            raise InvalidData(f"{where}: {name!r} occurs twice. Rename one of them.")
        values[name] = float(value)
    return architecture, values


def _numbers(row: dict) -> Iterator[tuple[str, Real]]:
    for name, value in row.items():
        if name in _NO_VALUES:
            continue
        if isinstance(value, dict):
            yield from _numbers(value)
        elif isinstance(value, Real) and not isinstance(value, bool):
            yield name, value
