"""The figures of the training benchmark as text for people and as files for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from nas.benchmarks.training import Figure
from nas.whole_files import write_whole
from search_spaces.errors import RunError


def as_table(figures: Sequence[Figure]) -> pd.DataFrame:
    """Return the figures as text, one line each."""
    lines = []
    for figure in figures:
        sign = "at least" if figure.larger else "at most"
        lines.append(
            {
                "what": figure.what,
                "ours": _number(figure.ours),
                "peer": _number(figure.peer),
                "unit": figure.unit,
                "ratio": "" if figure.ratio is None else f"{figure.ratio:.2f}",
                "goal": "" if figure.goal is None else f"{sign} {figure.goal:g}",
                "met": {None: "", True: "yes", False: "no"}[figure.met],
            }
        )
    return pd.DataFrame(lines)


def write_figures(
    folder: Path, figures: Sequence[Figure], setting: Mapping[str, Any]
) -> list[Path]:
    """Write training.csv and training.json with all digits; return the files.

    Raises:
        RunError: The folder cannot be written to.
    """
    rows = [{**asdict(figure), "met": figure.met} for figure in figures]
    contents = {
        "training.csv": pd.DataFrame(rows).to_csv(index=False),
        "training.json": json.dumps({"setting": dict(setting), "figures": rows}, indent=1) + "\n",
    }
    written = [folder / name for name in contents]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(written, contents.values(), strict=True):
            write_whole(path, text)
    except OSError as error:
        raise RunError(f"{folder} cannot be used: {error}. Choose another with --to.") from None
    return written


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
