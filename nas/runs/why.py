"""Why a trial was proposed, what was expected of it, what came out, and why it failed."""

from typing import Any

from nas.evaluation.measured import values_of
from nas.runs.directory import Run
from nas.runs.rows import readable
from nas.tables.proposals import pending_at_proposal, proposal_row
from search_spaces import Architecture, graph_edit_distance
from search_spaces.errors import RunError, quoted

# What the reasons in a record mean, for people.
REASONS = {
    "initial": "to cover the space before the first model is fitted",
    "optimise": "because it promised the most",
    "uncertainty": "because the model knew least about it",
    "diversity": "to look somewhere else, at random",
    "promotion": "because it was among the best at the fidelity below",
}

_HASH_DIGITS = 8


def find_trial(run: Run, which: str) -> dict[str, Any]:
    """Return the record of a trial given by number, by the start of its hash, or as best or knee.

    Raises:
        RunError: There is no such trial, or the hash fits several architectures.
    """
    records = run.journal.trials()
    if which in ("best", "knee"):
        number = int(run.pick(which)["trial"])
        return next(r for r in records if r["trial"] == number)
    # A short run of digits is a number, though a hash may begin with it, too.
    if which.isdecimal() and len(which) < _HASH_DIGITS:
        matches = [r for r in records if r["trial"] == int(which)]
    else:
        matches = [r for r in records if which and r["hash"].startswith(which)]
    if len({r["hash"] for r in matches}) == 1:
        return max(matches, key=lambda r: (r["fidelity"], r["trial"]))
    numbers = f"1 to {records[-1]['trial']}" if records else "none yet"
    raise RunError(
        f"{which!r} names {len(matches)} trials of {str(run.directory)!r}. Give a number "
        f"({numbers}), the start of one hash, best or knee; see: nas trials {quoted(run.directory)}"
    )


def explain(run: Run, which: str, *, neighbours: int = 3) -> dict[str, Any]:
    """Return everything the record says about one trial, as plain values.

    Keys: trial, hash, architecture (a line), recipe (what it chose of it, as texts), status,
    fidelity, continues, reason and what it means, acquisition, pending, parent and overlap,
    objectives (name to what was predicted, what came out and how far off it was), neighbours (the
    nearest trials that had finished before), scores, costs, and the failure: cause, error,
    attempts, earlier attempts, node, device, logs, traceback.

    Raises:
        RunError: There is no such trial.
    """
    with readable(f"The record of {str(run.directory)!r}"):
        return _explained(run, find_trial(run, which), neighbours)


def _explained(run: Run, record: dict[str, Any], neighbours: int) -> dict[str, Any]:
    records = run.journal.trials()
    objectives = run.objectives
    row = proposal_row(record, list(objectives), pending_at_proposal(list(run.journal.events())))
    kept = ("trial", "hash", "status", "fidelity", "continues", "attempts", "node", "device",
            "seconds", "scores", "costs", "cause", "error", "logs", "traceback")  # fmt: skip
    return {
        **{name: record[name] for name in kept},
        "architecture": Architecture.from_dict(record["architecture"]).describe(),
        "recipe": dict(record["architecture"].get("recipe") or {}),
        "reason": row["reason"],
        "meaning": REASONS.get(row["reason"], ""),
        "acquisition": row["acquisition"],
        "pending": row["pending"],
        "parent": row["parent"],
        "overlap": row["overlap"],
        "earlier_attempts": record["history"],
        "adjusted": record["adjusted"],
        "objectives": {
            name: {
                what: _plain(row[f"{name}_{what}"])
                for what in ("mean", "epistemic_sd", "aleatoric_sd", "outcome", "off", "off_sd")
            }
            for name in objectives
        },
        "neighbours": _neighbours(record, records, list(objectives), neighbours),
    }


def _plain(value: float) -> float | None:
    return None if value != value else float(value)


def _neighbours(
    record: dict[str, Any], records: list[dict[str, Any]], objectives: list[str], n: int
) -> list[dict[str, Any]]:
    """Return the nearest trials that had finished when `record` was asked for."""
    own = Architecture.from_dict(record["architecture"])
    before = [
        r
        for r in records
        if r["status"] == "done"
        and (r["finished_at"] or 0.0) <= record["asked_at"]
        and r["hash"] != record["hash"]
    ]
    near = [
        (graph_edit_distance(own, Architecture.from_dict(r["architecture"])), r) for r in before
    ]
    near.sort(key=lambda pair: (pair[0], pair[1]["trial"]))
    return [
        {
            "trial": r["trial"],
            "distance": distance,
            "architecture": Architecture.from_dict(r["architecture"]).describe(),
            **{name: values_of(r, seconds=True).get(name) for name in objectives},
        }
        for distance, r in near[:n]
    ]
