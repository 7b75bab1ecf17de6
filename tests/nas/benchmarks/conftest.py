"""Tables made by hand, and a policy that does as it is told."""

import json

import numpy as np
import pytest

from nas.benchmarks.protocol import Protocol
from nas.benchmarks.tables import read_table
from search_spaces import load_space
from surrogates.policy import Policy, Prediction


@pytest.fixture
def architectures():
    return load_space("flexibert-micro").sample(40, seed=0)


@pytest.fixture
def write_table(tmp_path, architectures):
    """Return a function that writes a table, one architecture a value, and returns its path."""

    def write(values, name="table.jsonl", **columns):
        lines = []
        for i, value in enumerate(values):
            row = {"id": i, "architecture": architectures[i].to_dict(), "scores": {"glue": value}}
            lines.append(json.dumps({**row, **{c: v[i] for c, v in columns.items()}}))
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


class InOrder(Policy):
    """Proposes the rows of the table from first to last; `beliefs` are mean and sd by hash."""

    beliefs = None

    def _propose(self, n, rng):
        left = [a for a in self.space if a.hash not in self.seen()]
        return [(a, {"reason": "optimise"}) for a in left[:n]]

    def predict(self, architectures):
        if self.beliefs is None:
            return super().predict(architectures)
        mean, sd = np.array([self.beliefs[a.hash] for a in architectures]).T
        return {"glue": Prediction(mean, 0.6 * sd, 0.8 * sd)}


@pytest.fixture
def in_order(monkeypatch):
    """Let every policy propose in the table's order; return the class, to set its beliefs."""

    def make(name, space, objectives, seed):
        return InOrder(name, space, objectives, seed, (), {})

    monkeypatch.setattr("nas.benchmarks.protocol.make_policy", make)
    monkeypatch.setattr(InOrder, "beliefs", None)
    return InOrder


@pytest.fixture
def replayable(write_table):
    """Return a function that makes a table of values and a protocol with a cold start."""

    def make(values, *, objectives=None, start="own", budget=105, initial=5, **columns):
        table = read_table(write_table(values, **columns))
        return table, Protocol(objectives or {"glue": "max"}, start, initial, budget)

    return make
