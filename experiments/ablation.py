"""Take one idea out of (or put one into) the policy `boshnas` at a time, on a table.

    OMP_NUM_THREADS=1 python experiments/ablation.py TABLE.jsonl --seeds 30 --batch 1 --size 150

TABLE.jsonl has one line per architecture: {"architecture": {...}, "scores": {"glue": ...}, ...};
repeated architectures are averaged. Five initial rows, drawn by the seed, are told; then the policy
asks in batches. Regret is its mean over evaluations 6 to 50, in points of 100.

Every seed draws its own `--size` rows of the table (default: all), because the best few rows of one
table decide everything: a policy that happens to like them would look good on every seed. The
difference to the default is paired by seed; positive means that the change makes it worse. Other
policies on such draws: `many_tables.py`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from nas.benchmarks.tables import read_table
from search_spaces import Architecture, FiniteSpace
from surrogates import make_policy

INITIAL, LAST = 5, 50

CHANGES: dict[str, dict] = {
    "default": {},
    "learn values, not ranks": {"targets": "standard"},
    "constant noise": {"noise": "constant"},
    "no trend from size": {"trend": False},
    "no ends of the stack": {"ends": False},
    "the model of size alone": {"model": "size"},
    "the model of places alone": {"model": "places"},
    "no large ones first": {"design": "spread"},
    "noisy improvement": {"improvement": "noisy"},
    "networks instead of the processes": {"model": "networks"},
    "teacher and student instead of the processes": {"model": "teacher-student"},
}


def replay(table: dict[Architecture, float], seed: int, batch: int, options: dict) -> np.ndarray:
    """Return the values in the order they were evaluated, `(LAST,)`."""
    rows = list(table)
    space = FiniteSpace(rows, name="table")
    policy = make_policy("boshnas", space, {"glue": "max"}, seed=seed, options=options)
    start = np.random.default_rng(1000 + seed).choice(len(rows), INITIAL, replace=False)
    evaluated = [rows[i] for i in start]
    for architecture in evaluated:
        policy.tell(architecture, {"glue": table[architecture]})
    while len(evaluated) < LAST:
        for architecture in policy.ask(min(batch, LAST - len(evaluated))):
            policy.tell(architecture, {"glue": table[architecture]})
            evaluated.append(architecture)
    return np.array([table[architecture] for architecture in evaluated])


def regrets(table: dict, options: dict, seeds: int, batch: int, size: int | None) -> np.ndarray:
    rows, found = list(table), []
    for seed in range(seeds):
        chosen = rows
        if size is not None:
            drawn = np.random.default_rng(5000 + seed).choice(len(rows), size, replace=False)
            chosen = [rows[i] for i in drawn]
        part = {a: table[a] for a in chosen}
        best = np.maximum.accumulate(replay(part, seed, batch, options))
        found.append(100 * (max(part.values()) - best[INITIAL:]).mean())
    return np.array(found)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("table")
    options.add_argument("--metric", default="glue")
    options.add_argument("--seeds", type=int, default=30)
    options.add_argument("--batch", type=int, default=1)
    options.add_argument("--size", type=int)
    options.add_argument("--changes", help="comma-separated beginnings of names; default all")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    rows, base = read_table(Path(chosen.table)), None
    table = dict(zip(rows.architectures, rows.column(chosen.metric).tolist(), strict=True))
    wanted = tuple((chosen.changes or "").split(","))
    print(f"{chosen.seeds} seeds, batches of {chosen.batch}, {chosen.size or len(table)} rows each")
    print(f"{'change':<46}{'regret 6-50 (s.e.)':>20}{'difference (s.e.)':>20}")
    for name, change in CHANGES.items():
        if name != "default" and not name.startswith(wanted):
            continue
        found = regrets(table, change, chosen.seeds, chosen.batch, chosen.size)
        base = found if base is None else base
        columns = [found] if found is base else [found, found - base]
        shown = [f"{x.mean():.3f} ({x.std(ddof=1) / len(x) ** 0.5:.3f})" for x in columns]
        print(f"{name:<46}" + "".join(f"{text:>20}" for text in shown), flush=True)


if __name__ == "__main__":
    main()
