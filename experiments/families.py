"""Compare policies on families of problems: real tables, drawn anew by each seed, and known truths.

    OMP_NUM_THREADS=1 python experiments/families.py --tables DATA/tables --to rows.csv \
        --policies boshnas,parameters,gp-hamming,random --seeds 10 --what fronts,regret

Choices that are made on one table fit that table. Here a problem is a column of a table (or a pair
of them, a front) over rows drawn by the seed, or a space whose truth is written down, and no
family decides alone: choose on some, and judge on the one left out (`--families`). Every policy is
told the same five rows first. Rows of `--to` that are there are not computed again.

Regret is its mean over evaluations 6 to 50, divided by the distance from the median to the best
row of the draw; hypervolume that after 10, 20 and 50 queries, relative to all rows of the draw.
"""

import argparse
import csv
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from many_tables import draw

from nas.benchmarks.policy_scores import hypervolume_curve, mean_regret
from nas.benchmarks.protocol import Protocol
from nas.benchmarks.replay import replay
from nas.benchmarks.tables import Table, read_table
from search_spaces import Architecture, load_space
from search_spaces.architectures.size import count_flops
from search_spaces.designs import initial_design

ROWS, BUDGET, FRONT_BUDGET, QUERIES = 150, 50, 55, (10, 20, 50)
KEYS = ["what", "family", "problem", "policy", "batch", "seed"]
GLUE = ("cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst", "sts", "glue")
# family -> what -> objectives of each problem; the first names the problem's score
FAMILIES: dict[str, dict[str, list[dict[str, str]]]] = {
    "nas-bench-bert": {
        "regret": [{c: "max"} for c in GLUE],
        "fronts": [
            {"glue": "max", "parameters": "min"},
            {"sst": "max", "parameters": "min"},
            {"cola": "max", "flops": "min"},
            {"sts": "max", "seconds": "min"},
        ],
    },
    "edgetran": {
        "regret": [{"glue": "max"}, {"pretrain_loss": "min"}],
        "fronts": [
            {"glue": "max", "latency": "min"},
            {"glue": "max", "energy": "min"},
            {"pretrain_loss": "min", "latency": "min"},
            {"glue": "max", "peak_power": "min"},
        ],
    },
    "generated": {
        "regret": [
            {truth: "max"}
            for truth in ("size", "content", "interaction", "cliff", "tails", "noise", "small")
        ],
        "fronts": [
            {truth: "max", device: "min"}
            for truth, device in (
                ("size", "deep_costs"), ("content", "wide_costs"), ("interaction", "flat_costs"),
                ("cliff", "deep_costs"), ("small", "wide_costs"), ("noise", "kinds_cost"),
            )
        ],
    },
}  # fmt: skip
TABLES = {"nas-bench-bert": "nas_bench_bert_half.jsonl", "edgetran": "edgetran_a100.jsonl"}
SPACES = ("flexibert-small", "flexibert-2", "flexibert-full")


def generated(seed: int, n: int = ROWS) -> Table:
    """Return `n` architectures with scores and costs by formulas whose constants the seed draws."""
    rng = np.random.default_rng([31, seed])
    space = load_space(SPACES[seed % len(SPACES)])
    architectures = initial_design(space, n, seed=seed)
    facts = np.array([_facts(a) for a in architectures])
    depth, width, inner, attention, first, later = ((facts - facts.mean(0)) / facts.std(0)).T
    size = 0.6 * depth + 0.8 * width + 0.5 * inner
    noise = rng.normal(size=(8, n))
    taste = rng.normal(size=3) * 0.7
    content = taste[0] * attention + taste[1] * first + taste[2] * later
    columns = {
        "size": np.tanh(0.7 * size) + 0.15 * content + 0.1 * noise[0],
        "content": content + 0.3 * attention * first + 0.2 * noise[1],
        "interaction": 0.3 * size + 0.8 * depth * attention + 0.2 * noise[2],
        "cliff": np.where(depth + width > 1.2, -1.5, size) + 0.2 * content + 0.1 * noise[3],
        "tails": size + 0.3 * content - 3 * (rng.random(n) < 0.12) * rng.exponential(size=n),
        "noise": -0.5 * (size - 0.5) ** 2 + content + 0.3 * noise[4] * np.exp(0.5 * size),
        "small": width - 0.9 * depth + 0.3 * content + 0.2 * noise[5],
    }
    # milliseconds of a device: so much a layer, so much a number that is multiplied
    flops = (
        np.array([count_flops(a, length=128, vocabulary_size=1000) for a in architectures]) / 1e9
    )
    layers = np.array([len(a) for a in architectures])
    jitter = np.exp(0.03 * noise[6])
    flops /= flops.mean()
    columns |= {
        "deep_costs": (0.8 * layers / layers.mean() + 0.2 * flops) * jitter,
        "wide_costs": (0.2 + 0.8 * flops) * jitter,
        "flat_costs": (2.0 + 0.2 * flops) * jitter,
        "kinds_cost": (0.3 + 0.4 * flops) * np.exp(0.4 * first - 0.3 * attention) * jitter,
    }
    return Table(
        f"generated {seed}", str(seed), tuple(architectures), columns, tuple(range(1, n + 1)), n
    )


def _facts(architecture: Architecture) -> list[float]:
    layers = architecture.layers
    of_attention = [np.mean([head.operation == "sa" for head in layer.heads]) for layer in layers]
    half = len(layers) // 2 or 1
    convolved = [np.mean([h.operation == "c" for h in layer.heads]) for layer in layers]
    return [
        np.log2(len(layers)),
        np.log2(np.mean([layer.width for layer in layers])),
        np.log2(np.mean([sum(layer.feedforward) for layer in layers])),
        float(np.mean(of_attention)),
        float(of_attention[0] + 0.01 * convolved[0]),
        float(np.mean(convolved[half:] or convolved)),
    ]


@lru_cache(maxsize=64)
def problem_table(tables: str, family: str, seed: int) -> Table:
    """Return the rows of a family that the seed draws."""
    if family == "generated":
        return generated(seed)
    return draw(_whole(str(Path(tables) / TABLES[family])), seed, ROWS)


@lru_cache(maxsize=2)
def _whole(path: str) -> Table:
    return read_table(Path(path))


def search(tables: str, key: tuple) -> dict[str, float]:
    """Let one policy search one problem; return its figures."""
    what, family, problem, policy, batch, seed = key
    table = problem_table(tables, family, seed)
    objectives = next(o for o in FAMILIES[family][what] if "-".join(o) == problem)
    budget = BUDGET if what == "regret" else FRONT_BUDGET
    protocol = Protocol(objectives, budget=budget)
    values = protocol.oriented(table)
    done = replay(table, protocol, policy, seed, batch)
    rows, seconds = np.array(done["rows"]), round(done["cpu_seconds"], 2)
    if what == "regret":
        single = values[:, 0]
        regret = mean_regret(single, rows, budget) / (single.max() - np.median(single))
        return {"regret": round(regret, 5), "cpu_seconds": seconds}
    curve = hypervolume_curve(values, rows, budget)
    volumes = {f"hypervolume_{n}": round(curve[protocol.initial + n - 1], 5) for n in QUERIES}
    return {**volumes, "cpu_seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", required=True, help="the directory of the tables")
    parser.add_argument("--what", default="fronts,regret")
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--policies", default="boshnas,gp-hamming,mo-tpe,random")
    parser.add_argument("--batch", default="1")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    policies, what = options.policies.split(","), options.what.split(",")
    found = pd.read_csv(options.to, dtype={"seed": int}) if options.to.exists() else None
    done = set() if found is None else set(found[KEYS].itertuples(index=False, name=None))
    missing = [
        key
        for seed in seeds
        for part, family in product(what, options.families.split(","))
        for objectives in FAMILIES[family][part]
        for batch, policy in product(map(int, options.batch.split(",")), policies)
        if (key := (part, family, "-".join(objectives), policy, batch, seed)) not in done
        and fits(policy, part)
    ]
    with ProcessPoolExecutor(options.processes) as pool:
        results = pool.map(search, [options.tables] * len(missing), missing)
        for key, figures in zip(missing, results, strict=True):
            append(options.to, dict(zip(KEYS, key, strict=True)) | figures)
    rows = pd.read_csv(options.to)
    rows = rows[rows["seed"].isin(seeds) & rows["policy"].isin(policies)]
    print(summary(rows, policies))


def fits(policy: str, what: str) -> bool:
    """Whether a policy takes part: some know fronts alone, some one objective alone."""
    alone = ("parameters", "tpe", "reinforce")
    several = ("mo-tpe", "nsga2")
    return policy not in (several if what == "regret" else alone)


COLUMNS = [*KEYS, "regret", *(f"hypervolume_{n}" for n in QUERIES), "cpu_seconds"]


def append(path: Path, row: dict[str, object]) -> None:
    columns = COLUMNS
    if path.exists():  # rows of one kind may have been kept without the columns of the other
        with path.open(newline="", encoding="utf-8") as file:
            columns = next(csv.reader(file))
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        if columns is COLUMNS:
            writer.writeheader()
        writer.writerow(row)


def summary(rows: pd.DataFrame, policies: list[str]) -> str:
    """Return a line per problem, policy and batch size, and the means of families."""
    lines = []
    for (what, batch), part in rows.groupby(["what", "batch"]):
        figures = ["regret"] if what == "regret" else [f"hypervolume_{n}" for n in QUERIES]
        for figure in figures:
            table = part.pivot_table(figure, ["family", "problem", "seed"], "policy")
            table = table[[p for p in policies if p in table]]
            means = table.groupby(["family", "problem"]).mean()
            shown = pd.concat(
                [means, means.groupby("family").mean().assign(problem="mean").set_index(
                    "problem", append=True)]
            )  # fmt: skip
            lines.append(f"{figure}, batches of {batch}\n{shown.round(3).to_string()}")
            first = table.columns[0]
            if "random" in table and first != "random":
                gap = (table[first] - table["random"]).groupby(["family", "problem"])
                sign = -1 if what == "regret" else 1
                short = sign * gap.mean() < -gap.sem()
                lines.append(f"worse than random by over one standard error: {int(short.sum())}")
    return "\n\n".join(lines)


if __name__ == "__main__":
    main()
