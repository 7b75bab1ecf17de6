"""What `nas benchmark policies` prints: tables of text, made for reading."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nas.benchmarks.jobs import Setting
from nas.benchmarks.noise_bound import NoiseBound
from nas.benchmarks.policies import Findings
from nas.benchmarks.policy_scores import AFTER, QUERIES, regret_window
from surrogates.objectives import EXACT, sign_of


@dataclass(frozen=True)
class Section:
    """One printed part.

    Attributes:
        title: A line above.
        table: Text in every cell; may be empty.
        note: A line below, or "".
    """

    title: str
    table: pd.DataFrame
    note: str = ""


def report(found: Findings, setting: Setting) -> list[Section]:
    """Return everything a reader wants to see, in order."""
    parts = [_summary(found, setting), _pairs(found, setting)]
    if found.bound is not None:
        parts.append(_bound(found.bound, setting))
    if len(found.calibration) or found.silent:
        parts.append(_calibration(found))
    if len(found.rounds):
        parts.append(_rounds(found))
    if len(found.simulations):
        parts.append(_simulations(found))
    return [part for part in parts if len(part.table) or part.note]


def _scale(setting: Setting) -> float:
    return setting.table.points(next(iter(setting.protocol.objectives)))


def _summary(found: Findings, setting: Setting) -> Section:
    table, protocol = setting.table, setting.protocol
    limit, rows = protocol.limit(table), []
    for _, row in found.summary.iterrows():
        line = {"policy": row["policy"], "batch": str(row["batch"])}
        if len(protocol.objectives) > 1:
            for n in QUERIES:
                line[f"hypervolume@{n}"] = _with_quartiles(row, f"hypervolume_{n}", "{:.3f}")
        else:
            line |= _single(row, setting, limit)
        line["CPU s/proposal"] = f"{row['cpu_seconds']:.3f}"
        rows.append(line)
    goals = ", ".join(f"{n} {d}" for n, d in protocol.objectives.items())
    given = len(protocol.given(table, 0))
    start = f"{given} given rows" if given else "cold start"
    title = (
        f"{table.name}: {len(table)} architectures ({table.rows} rows); {goals}; "
        f"{found.summary['seeds'].max()} seeds, {start}, {limit} evaluations"
    )
    measured = [n for n in protocol.objectives if n in EXACT and table.told_as(n) != n]
    note = ""
    if measured:
        note = (
            f"The table counts {', '.join(measured)} otherwise than we do, so that policies are "
            "told the table's as a measurement instead of computing ours."
        )
    return Section(title, pd.DataFrame(rows), note)


def _single(row: pd.Series, setting: Setting, limit: int) -> dict[str, str]:
    (metric, direction), *_ = setting.protocol.objectives.items()
    scale, sign = _scale(setting), sign_of(direction)
    first, last = regret_window(limit)
    line = {
        "to top 1 %": _with_quartiles(row, "to_top", "{:.0f}", beyond=limit),
        "to the best": _with_quartiles(row, "to_best", "{:.0f}", beyond=limit),
        f"regret {first}-{last} (s.e.)": _number(scale * row["regret_mean"])
        + f" ({_number(scale * row['regret_error'])})",
    }
    for n in AFTER:
        line[f"best@{n}"] = _number(sign * scale * row[f"best_after_{n}"], 2)
    return line


def _pairs(found: Findings, setting: Setting) -> Section:
    scale = 1.0 if len(setting.protocol.objectives) > 1 else _scale(setting)
    rows = [
        {
            "policy": row["policy"],
            "batch": str(row["batch"]),
            "figure": row["figure"].replace("_", "@"),
            "difference (s.e.)": f"{scale * row['mean']:+.3f} ({_number(scale * row['error'])})",
            "t-test p": _p(row["t_p"]),
            "Wilcoxon p": _p(row["wilcoxon_p"]),
        }
        for _, row in found.pairs.iterrows()
    ]
    first = found.pairs["minus"].iloc[0] if rows else ""
    better = "above" if len(setting.protocol.objectives) > 1 else "below"
    title = f"Minus {first}, in pairs of one seed ({better} 0: better than {first})"
    return Section(title, pd.DataFrame(rows))


def _bound(bound: NoiseBound, setting: Setting) -> Section:
    scale = _scale(setting)
    metric = next(iter(setting.protocol.objectives))
    rows = [
        {
            "who": "knows the truth",
            "to the best": _triple(bound.oracle_to_best),
            "to top 1 %": _triple(bound.oracle_to_top),
            "regret": _number(scale * bound.oracle_regret),
        },
        {
            "who": "knows only layers and first width",
            "to the best": _triple(bound.cell_to_best),
            "to top 1 %": _triple(bound.cell_to_top),
            "regret": _number(scale * bound.cell_regret),
        },
    ]
    title = (
        f"What noise leaves to reach (sd {scale * bound.noise:g} of {metric} between trainings): "
        f"Kendall tau {bound.tau:.3f}, Spearman {bound.rho:.3f}"
    )
    return Section(title, pd.DataFrame(rows))


def _calibration(found: Findings) -> Section:
    rows = [
        {
            "policy": row["policy"],
            "objective": row["objective"],
            "rows": str(row["rows"]),
            "tau": _number(row["tau"]),
            "Spearman": _number(row["rho"]),
            "RMSE": _number(row["rmse"]),
            "NLL": _number(row["nll"], 2),
            "90 % coverage": _number(row["coverage"], 2),
            "fit+predict CPU s": _number(row["seconds"]),
        }
        for _, row in found.calibration.iterrows()
    ]
    splits = f"{found.calibration['splits'].max()} splits" if rows else "no split"
    note = f"Cannot predict: {', '.join(found.silent)}." if found.silent else ""
    return Section(
        f"Predicting the other rows, median over {splits} (scores in points)",
        pd.DataFrame(rows),
        note,
    )


def _rounds(found: Findings) -> Section:
    keys = ["policy", "batch", "objective"]
    rows = []
    for key, group in found.rounds.groupby(keys, sort=False):
        line = dict(zip(keys, map(str, key), strict=True))
        for _, row in group.iterrows():
            line[row["evaluations"]] = f"{row['coverage']:.2f} ({row['nll']:.2f})"
        rows.append(line)
    title = "90 % coverage (NLL) of the next results, by evaluation, as expected when asked"
    return Section(title, pd.DataFrame(rows).fillna("-"))


def _simulations(found: Findings) -> Section:
    rows = [
        {
            "policy": row["policy"],
            "workers": str(row["workers"]),
            "to top 1 %": _duration(row["to_top_seconds"]),
            f"all {row['evaluations']:.0f}": _duration(row["total_seconds"]),
            "idle": f"{100 * row['idle']:.1f} %",
            "waiting for a proposal": f"{100 * row['waiting']:.2f} %",
            "proposal p50 (s)": _number(row["latency_p50"]),
            "proposal p95 (s)": _number(row["latency_p95"]),
        }
        for _, row in found.simulations.iterrows()
    ]
    seeds = found.simulations["seeds"].max()
    title = f"Simulated workers, median over {seeds} seeds (idle also counts the end)"
    return Section(title, pd.DataFrame(rows).fillna("-"))


def _number(value: float, digits: int = 3) -> str:
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def _p(value: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def _triple(values: tuple[float, float, float]) -> str:
    return f"{values[0]:.0f} [{values[1]:.0f}, {values[2]:.0f}]"


def _with_quartiles(row: pd.Series, name: str, form: str, beyond: float = np.inf) -> str:
    """Return "median [q1, q3]"; what lies beyond the budget was not reached."""
    shown = []
    for tail in ("", "_q1", "_q3"):
        value = row[name + tail]
        text = "-" if np.isnan(value) else form.format(value)
        shown.append(f">{beyond:.0f}" if value > beyond else text)
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _duration(seconds: float) -> str:
    if not np.isfinite(seconds):
        return "never"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
