"""Compare policies on many small tables: every column of a table, many draws of its rows.

    OMP_NUM_THREADS=1 python experiments/many_tables.py TABLE.jsonl --columns cola,mnli,mrpc \
        --policies boshnas,parameters,gp-hamming --seeds 24 --start given --to rows.csv

The best few rows of one table decide everything, so that a policy that happens to like them looks
good on every seed. Here each seed draws `--size` rows, and each column (say, a task of GLUE) is a
problem of its own. Regret is its mean over evaluations 6 to 50, divided by the distance from the
median to the best row of the draw, so that columns can be averaged: 1 is no better than a typical
row. With `--start given` five rows are told to every policy, with `--start own` none. Differences
to the first policy are paired by draw. A run that was interrupted goes on with what is missing in
`--to`.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace as changed
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from nas.benchmarks.policy_scores import mean_regret
from nas.benchmarks.protocol import Protocol
from nas.benchmarks.replay import replay
from nas.benchmarks.tables import Table, read_table

BUDGET = 50
KEYS = ["policy", "start", "batch", "column", "seed"]


def draw(table: Table, seed: int, size: int) -> Table:
    """Return `size` rows of `table`."""
    rows = np.sort(np.random.default_rng([77, seed]).choice(len(table), size, replace=False))
    return changed(
        table,
        architectures=tuple(table.architectures[i] for i in rows),
        lines=tuple(table.lines[i] for i in rows),
        columns={name: values[rows] for name, values in table.columns.items()},
    )


def regret(path: str, size: int, direction: str, key: tuple) -> float:
    policy, start, batch, column, seed = key
    table = draw(read_table(Path(path)), seed, size)
    protocol = Protocol({column: direction}, start=start, budget=BUDGET)
    values = protocol.oriented(table)[:, 0]
    rows = replay(table, protocol, policy, seed, batch)["rows"]
    span = values.max() - np.median(values)
    return mean_regret(values, np.array(rows), BUDGET) / span


def summary(found: pd.DataFrame, policies: list[str]) -> str:
    """Return a line per start, batch and policy: the mean regret, and the paired difference."""
    lines = []
    for (start, batch), group in found.groupby(["start", "batch"]):
        table = group.pivot_table("regret", ["column", "seed"], "policy")[policies]
        differences = table.sub(table[policies[0]], axis=0).groupby("column")
        # draws are alike for all columns, but the columns are fixed: the error is that of the draws
        by_seed = table.sub(table[policies[0]], axis=0).groupby("seed").mean()
        for policy in policies:
            error = by_seed[policy].std() / len(by_seed) ** 0.5
            worse = int((differences[policy].mean() > 0).sum())
            lines.append(
                f"{start:>5} {batch:>3}  {policy:<14} {table[policy].mean():.4f}  "
                f"{by_seed[policy].mean():+.4f} ({error:.4f})  "
                f"worse on {worse} of {len(differences)} columns"
            )
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("table")
    options.add_argument("--columns", default="glue")
    options.add_argument("--direction", choices=("max", "min"), default="max")
    options.add_argument("--policies", default="boshnas,random,parameters,gp-hamming")
    options.add_argument("--seeds", type=int, default=24)
    options.add_argument("--first-seed", type=int, default=0)
    options.add_argument("--batch", default="1,8")
    options.add_argument("--start", default="given,own")
    options.add_argument("--size", type=int, default=150)
    options.add_argument("--jobs", type=int, default=1)
    options.add_argument("--to", type=Path, required=True)
    chosen = options.parse_args()
    policies = chosen.policies.split(",")
    known: dict[tuple, float] = {}
    if chosen.to.exists():
        known = pd.read_csv(chosen.to).set_index(KEYS)["regret"].to_dict()
    wanted = list(
        product(
            policies, chosen.start.split(","), map(int, chosen.batch.split(",")),
            chosen.columns.split(","), range(chosen.first_seed, chosen.first_seed + chosen.seeds),
        )
    )  # fmt: skip
    missing = [key for key in wanted if key not in known]
    setting = [[value] * len(missing) for value in (chosen.table, chosen.size, chosen.direction)]
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for i, found in enumerate(pool.map(regret, *setting, missing), 1):
            known[missing[i - 1]] = round(found, 5)
            if i % 100 == 0 or i == len(missing):
                rows = [(*key, value) for key, value in known.items()]
                pd.DataFrame(rows, columns=[*KEYS, "regret"]).to_csv(chosen.to, index=False)
                print(f"{i} of {len(missing)} searches", flush=True)
    rows = [(*key, known[key]) for key in wanted]
    print(summary(pd.DataFrame(rows, columns=[*KEYS, "regret"]), policies))


if __name__ == "__main__":
    main()
