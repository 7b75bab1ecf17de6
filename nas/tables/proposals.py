"""Proposals as a DataFrame: what was believed when a trial was asked for, and what came out."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nas.evaluation.measured import values_of
from nas.tables.trials import typed

_FIRST = ("trial", "hash", "asked_at", "status", "fidelity", "reason", "acquisition")
_LAST = ("pending", "pending_count", "parent", "overlap", "proposal_seconds", "continues")
_OF_EACH = ("mean", "epistemic_sd", "aleatoric_sd", "outcome", "off", "off_sd")


def proposal_table(
    records: Sequence[dict[str, Any]], objectives: Sequence[str], pending: Mapping[int, list[int]]
) -> pd.DataFrame:
    """Return one row a proposal; see `nas.runs.directory.Run.proposals`.

    Args:
        records: The journal's trials.
        objectives: The run's objectives.
        pending: Trial to the trials in flight when it was asked for, where the record of the
            proposal itself does not say.
    """
    rows = [proposal_row(record, objectives, pending) for record in records]
    of_each = [f"{name}_{what}" for name in objectives for what in _OF_EACH]
    return typed(pd.DataFrame(rows, columns=[*_FIRST, *of_each, *_LAST]))


def proposal_row(
    record: dict[str, Any], objectives: Sequence[str], pending: Mapping[int, list[int]]
) -> dict[str, Any]:
    """Return one proposal, its prediction of each objective beside the outcome."""
    why = record["proposal"]
    in_flight = why.get("pending", pending.get(record["trial"], []))
    row = {
        **{name: record.get(name) for name in _FIRST},
        "reason": why.get("reason"),
        "acquisition": why.get("acquisition"),
        "pending": in_flight,
        "pending_count": len(in_flight),
        "parent": why.get("parent"),
        "overlap": why.get("overlap"),
        "proposal_seconds": why.get("seconds"),
        "continues": record.get("continues"),
    }
    done = record["status"] == "done"
    values = values_of(record, seconds=True) if done else {}
    for position, name in enumerate(objectives):
        mean, epistemic, aleatoric = (
            _of_objective(why.get(what), name, first=position == 0)
            for what in ("mean", "epistemic", "aleatoric")
        )
        outcome = _number(values.get(name))
        spread = math.hypot(epistemic, 0.0 if math.isnan(aleatoric) else aleatoric)
        off = outcome - mean
        found = (mean, epistemic, aleatoric, outcome, off, off / spread if spread > 0 else np.nan)
        row.update({f"{name}_{what}": v for what, v in zip(_OF_EACH, found, strict=True)})
    return row


def _of_objective(believed: Any, name: str, *, first: bool) -> float:
    """Return what a policy believed of an objective; a single number is about the first one."""
    if isinstance(believed, Mapping):
        return _number(believed.get(name))
    return _number(believed) if first else np.nan


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)


def pending_at_proposal(events: Sequence[tuple[str, int | None, dict[str, Any]]]) -> dict:
    """Return trial to the trials in flight when it was asked for, from the record's events."""
    in_flight: dict[int, None] = {}
    pending: dict[int, list[int]] = {}
    for kind, trial, _ in events:
        if trial is None:
            continue
        if kind in ("ask", "promote"):
            pending[trial] = list(in_flight)
            in_flight[trial] = None
        elif kind == "tell":
            in_flight.pop(trial, None)
    return pending
