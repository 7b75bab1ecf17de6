"""`nas why`: one trial of a run, from the proposal to the outcome."""

import json
import math
from pathlib import Path
from typing import Any

import click

from nas.cli.printing import echo
from nas.cli.run_path import RUN
from nas.runs.directory import open_run


@click.command()
@RUN
@click.argument("trial")
@click.option("--neighbours", type=click.IntRange(0), default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def why(run: Path, trial: str, neighbours: int, *, as_json: bool) -> None:
    """Say why TRIAL of RUN was proposed, what was expected, what came out, why it failed.

    TRIAL is a number, the start of a hash, best or knee. Distances to neighbours are graph edit
    distances: 1 is about one layer.

    \b
    nas why runs/search-1 7
    nas why runs/search-1 best
    """  # noqa: D301  click reads \b
    from nas.runs.why import explain

    found = explain(open_run(run), trial, neighbours=neighbours)
    if as_json:
        echo(json.dumps(found))
        return
    for part in (_what, _proposal, _beliefs, _near, _failure):
        lines = part(found)
        if lines:
            echo("\n".join([*lines, ""]))


def _what(found: dict[str, Any]) -> list[str]:
    share = "" if found["fidelity"] == 1.0 else f" at fidelity {found['fidelity']:g}"
    took = f" after {found['seconds']:.1f} s" if found["seconds"] else ""
    where = " ".join(str(found[name]) for name in ("node", "device") if found[name])
    lines = [
        f"Trial {found['trial']} ({found['hash'][:10]}): {found['status']}{share}{took}"
        + (f" on {where}" if where else ""),
        found["architecture"],
    ]
    if found["recipe"]:
        chosen = ", ".join(f"{name} {value}" for name, value in found["recipe"].items())
        lines.append(f"Its recipe, chosen with it: {chosen}")
    if found["continues"] is not None:
        lines.append(f"It continues trial {found['continues']}, the same encoder trained less.")
    return lines


def _proposal(found: dict[str, Any]) -> list[str]:
    reason = found["reason"] or "not recorded"
    meaning = f": {found['meaning']}" if found["meaning"] else ""
    lines = ["Why it was proposed", f"  reason       {reason}{meaning}"]
    if found["acquisition"] is not None:
        lines.append(f"  acquisition  {found['acquisition']:.4g} (the expected improvement)")
    pending = ", ".join(map(str, found["pending"])) or "none"
    lines.append(f"  in flight    trials {pending}" if found["pending"] else "  in flight    none")
    if found["parent"]:
        overlap = f", {found['overlap']:.0%} of its weights" if found["overlap"] else ""
        lines.append(f"  parent       {found['parent'][:10]}{overlap}")
    return lines


def _beliefs(found: dict[str, Any]) -> list[str]:
    head = f"  {'objective':<16}{'predicted':>12}{'± model':>12}{'± noise':>12}"
    head += f"{'came out':>12}{'off':>12}{'off in SD':>11}"
    lines = ["What was expected, and what came out", head]
    predicted = False
    for name, of in found["objectives"].items():
        predicted |= of["mean"] is not None or of["epistemic_sd"] is not None
        cells = [of[what] for what in ("epistemic_sd", "aleatoric_sd", "outcome", "off")]
        texts = f"{_possible(name, of['mean']):>12}"
        texts += "".join(f"{number(value):>12}" for value in cells)
        far = "-" if of["off_sd"] is None else f"{of['off_sd']:+.1f}"
        lines.append(f"  {name:<16}{texts}{far:>11}")
    if not predicted:
        lines.append("  Nothing was predicted: there was no fitted model at this proposal.")
    scores = found["scores"]
    if scores:
        lines.append("  scores  " + "  ".join(f"{n} {v:.3f}" for n, v in scores.items()))
    return lines


def _possible(name: str, predicted: float | None) -> str:
    """A prediction for people; one that no trial can measure is shown as the nearest that can."""
    from nas.config import COSTS
    from nas.evaluation.suites.glue import GLUE

    if predicted is None:
        return "-"
    least, most = (-1.0, 1.0) if name in ("glue", *GLUE) else (-math.inf, math.inf)
    if name in COSTS:
        least = 0.0
    if predicted > most:
        return f">{number(most)}"
    return f"<{number(least)}" if predicted < least else number(predicted)


def number(value: float | None) -> str:
    """Return a number for people: counts whole with commas, the rest with four digits."""
    if value is None:
        return "-"
    if abs(value) >= 10_000 or (value == int(value) and abs(value) >= 1_000):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _near(found: dict[str, Any]) -> list[str]:
    if not found["neighbours"]:
        return ["No trial had finished when it was proposed."]
    lines = ["Nearest trials that had finished by then"]
    for near in found["neighbours"]:
        values = "  ".join(f"{n} {number(near[n])}" for n in found["objectives"])
        lines.append(f"  trial {near['trial']:<4} distance {near['distance']:<5.2f} {values}")
        lines.append(f"             {near['architecture']}")
    return lines


def _failure(found: dict[str, Any]) -> list[str]:
    lines = []
    for attempt in found["earlier_attempts"]:
        told = ", ".join(f"{name} {value}" for name, value in attempt.items() if value)
        lines.append(f"  earlier attempt: {told}")
    if found["adjusted"]:
        told = ", ".join(f"{name} {value:g}" for name, value in found["adjusted"].items())
        lines.append(f"  retried with {told}")
    if found["cause"]:
        lines.append(f"  cause     {found['cause']}, at attempt {found['attempts']}")
        lines.append(f"  error     {found['error']}")
        for name in ("logs", "traceback"):
            if found[name]:
                lines += [f"  {name}:", *(f"    {line}" for line in found[name].splitlines()[-20:])]
    title = "Why it failed" if found["cause"] else "What went wrong on the way"
    return [title, *lines] if lines else []
