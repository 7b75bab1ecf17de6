"""All models of a zoo as a table, and results.csv beside them in the manner of timm."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.evaluation.mean_score import MEAN, MEANS
from nas.whole_files import write_whole
from nas.zoo.card import read_card
from nas.zoo.files import CONFIG
from search_spaces.errors import NotAModel, quoted

RESULTS = "results.csv"
_COSTS = ("parameters", "flops", "latency_ms", "peak_memory_mb")
_LAST = ("length_in_tokens", "device", "data", "data_revision", "seed", "run", "trial", "hash")


def list_models(zoo: Path | str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return one row a model of the folder `zoo`, best first, and what could not be read.

    Columns: model, glue, every task, glue_confirmed, glue_confirmed_std, confirmed_seeds,
    parameters, flops, latency_ms, peak_memory_mb, length_in_tokens, device, data, data_revision,
    seed, run, trial, hash. Absent values are None.

    Raises:
        NotAModel: There is no such folder.
    """
    zoo = Path(zoo)
    if not zoo.is_dir():
        place = quoted(zoo / "NAME")
        raise NotAModel(f"{zoo} is no folder. Fill it with: nas export RUN --to {place}")
    rows, problems = [], []
    for folder in sorted(zoo.iterdir()):
        if folder.name.startswith(".") or not (folder / CONFIG).is_file():
            continue
        try:
            rows.append(_row(folder.name, read_card(folder)))
        except NotAModel as error:
            problems.append(str(error))
    rows.sort(key=_badness)
    return rows, problems


def _badness(row: Mapping[str, Any]) -> float:
    found = [row.get(mean) for mean in MEANS if row.get(mean) is not None]
    return -found[0] if found else float("inf")


def _row(name: str, card: Mapping[str, Any]) -> dict[str, Any]:
    def part(key: str) -> Mapping[str, Any]:
        value = card.get(key)
        return value if isinstance(value, Mapping) else {}

    scores, confirmed = part("scores"), part("confirmed")
    return {
        "model": name,
        "glue": scores.get("glue"),
        **{task: value for task, value in scores.items() if task != "glue"},
        **({"score_confirmed": confirmed.get("score_mean")} if MEAN in scores else {}),
        "glue_confirmed": confirmed.get("glue_mean"),
        "glue_confirmed_std": confirmed.get("glue_std"),
        "confirmed_seeds": confirmed.get("seeds"),
        **{cost: part("costs").get(cost) for cost in _COSTS},
        "length_in_tokens": part("measured_on").get("length_in_tokens"),
        "device": part("measured_on").get("device"),
        "data": part("data").get("name"),
        "data_revision": part("data").get("revision"),
        "seed": part("seeds").get("trial"),
        "run": part("run").get("name"),
        "trial": part("run").get("trial"),
        "hash": card.get("hash"),
    }


def columns_of(rows: list[dict[str, Any]]) -> list[str]:
    """Return the columns of a table of all `rows`: the tasks of every row after `glue`."""
    names = dict.fromkeys(name for row in rows for name in row)
    own = [name for name in ("score_confirmed",) if name in names]
    last = (*own, "glue_confirmed", "glue_confirmed_std", "confirmed_seeds", *_COSTS, *_LAST)
    return [*(name for name in names if name not in last), *last]


def write_results(zoo: Path) -> Path:
    """Write the table of `zoo` to its results.csv, whole or not at all; return the path."""
    rows, _ = list_models(zoo)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns_of(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = zoo / RESULTS
    write_whole(path, text.getvalue())
    return path
