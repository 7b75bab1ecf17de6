"""Replay a table of trained architectures: how soon does each policy find the good ones?

    python experiments/policies_on_table.py TABLE.jsonl --seeds 20 --batch 1

TABLE.jsonl has one line per architecture: {"architecture": {...}, "scores": {"glue": ...}, ...}.
Five initial rows, drawn by the seed, are told to every policy; then it asks in batches. Printed:
mean regret over evaluations 6 to 50, in points of 100, and the evaluations until one of the best
1 % was found. Repeated architectures are averaged.
"""

import argparse
import json
import time
from collections import defaultdict

import numpy as np
import torch

from search_spaces import Architecture, FiniteSpace
from surrogates import make_policy

INITIAL, FIRST, LAST = 5, 6, 50


def read_table(path: str, metric: str) -> dict[Architecture, float]:
    values = defaultdict(list)
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            values[Architecture.from_dict(row["architecture"])].append(row["scores"][metric])
    return {architecture: float(np.mean(v)) for architecture, v in values.items()}


def replay(name: str, table: dict[Architecture, float], seed: int, batch: int) -> np.ndarray:
    """Return the values in the order they were evaluated, `(LAST,)`."""
    rows = list(table)
    start = np.random.default_rng(1000 + seed).choice(len(rows), INITIAL, replace=False)
    policy = make_policy(name, FiniteSpace(rows, name="table"), {"glue": "max"}, seed=seed)
    found = []
    for i in start:
        policy.tell(rows[i], {"glue": table[rows[i]]})
        found.append(table[rows[i]])
    while len(found) < LAST:
        for architecture in policy.ask(min(batch, LAST - len(found))):
            policy.tell(architecture, {"glue": table[architecture]})
            found.append(table[architecture])
    return np.array(found)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("table")
    options.add_argument("--metric", default="glue")
    options.add_argument("--seeds", type=int, default=20)
    options.add_argument("--batch", type=int, default=1)
    options.add_argument("--policies", default="random,parameters,gp-hamming,boshnas")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    table = read_table(chosen.table, chosen.metric)
    ranked = np.sort(list(table.values()))[::-1]
    top = ranked[max(1, round(len(ranked) / 100)) - 1]
    print(f"{len(table)} architectures, best {100 * ranked[0]:.2f}; batches of {chosen.batch}")
    print(f"{'policy':<16}{'regret 6-50 (s.e.)':>20}{'to top 1 %':>12}{'CPU s/ask':>11}")
    for name in chosen.policies.split(","):
        regrets, hits, begun = [], [], time.process_time()
        for seed in range(chosen.seeds):
            found = replay(name, table, seed, chosen.batch)
            best = np.maximum.accumulate(found)
            regrets.append(100 * (ranked[0] - best[FIRST - 1 :]).mean())
            hits.append(int(np.argmax(found >= top)) + 1 if (found >= top).any() else LAST + 1)
        asks = chosen.seeds * -(-(LAST - INITIAL) // chosen.batch)
        seconds = (time.process_time() - begun) / asks
        error = np.std(regrets, ddof=1) / np.sqrt(len(regrets))
        shown = f"{np.mean(regrets):.3f} ({error:.3f})"
        print(f"{name:<16}{shown:>20}{np.median(hits):>12.0f}{seconds:>11.3f}", flush=True)


if __name__ == "__main__":
    main()
