"""Does modelling every task by itself predict the mean of GLUE better than modelling the mean?

    OMP_NUM_THREADS=1 python experiments/task_outputs.py TABLE.jsonl --tasks cola,mnli,rte

RTE is mostly noise and MNLI is not, so a model of each could shrink each as it deserves. On the
same rows the model of `boshnas` learns the mean, or every task by itself, whose predictions are
then averaged; Kendall's tau with the rows that are left, paired by split.
"""

import argparse
from pathlib import Path

import numpy as np

from nas.benchmarks.calibration import rank_correlations
from nas.benchmarks.tables import Table, read_table
from surrogates import make_policy

ROWS = (50, 100, 200)


def predicted(table: Table, values: np.ndarray, known: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Return what `boshnas` expects of `rest`, `(n,)`, told the values of `known`."""
    policy = make_policy("boshnas", table.space(), {"score": "max"}, seed=0)
    for row in known:
        policy.tell(table.architectures[row], {"score": float(values[row])})
    return policy.predict([table.architectures[row] for row in rest])["score"].mean


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("table", type=Path)
    options.add_argument("--tasks", default="cola,mnli,mrpc,qnli,qqp,rte,sst,sts")
    options.add_argument("--splits", type=int, default=20)
    chosen = options.parse_args()
    table = read_table(chosen.table)
    tasks = chosen.tasks.split(",")
    mean = np.mean([table.column(task) for task in tasks], axis=0)
    print(f"{'rows':<6}{'the mean':>10}{'task by task':>14}{'difference (s.e.)':>20}")
    for rows in ROWS:
        taus = np.empty((chosen.splits, 2))
        for split in range(chosen.splits):
            order = np.random.default_rng(split).permutation(len(table))
            known, rest = order[:rows], order[rows:]
            whole = predicted(table, mean, known, rest)
            parts = np.mean(
                [predicted(table, table.column(task), known, rest) for task in tasks], axis=0
            )
            taus[split] = [rank_correlations(x, mean[rest])[0] for x in (whole, parts)]
        gain = taus[:, 1] - taus[:, 0]
        error = gain.std(ddof=1) / len(gain) ** 0.5
        print(
            f"{rows:<6}{taus[:, 0].mean():>10.3f}{taus[:, 1].mean():>14.3f}"
            f"{f'{gain.mean():+.3f} ({error:.3f})':>20}",
            flush=True,
        )


if __name__ == "__main__":
    main()
