"""Experiment files."""

from pathlib import Path
from random import Random

import yaml

from fuzzer.bases import EXPERIMENT
from fuzzer.cases import DOORS, SEARCH_CODES, Door, Step, after_search
from fuzzer.trees import changed_yaml

# Valid or nearly so, to get past the first check: setting -> values.
LIKELY = {
    "policy": ("evolution", "tpe", "nsga2", "local-search", "parameters", "reinforce", "mo-tpe"),
    "space": (
        "flexibert-2", "bert", "flexibert-test", "nas-bench-bert", "tiny", "bert.yaml",
    ),
    "objectives": (
        {"glue": "min"}, {"parameters": "min"}, {"glue": "max", "trial": "min"},
        {"x y": "max", "glue": "max"},
        {"glue": "max", "seconds": "min"}, {"sst2": "max"}, {"hash": "max"}, "glue:max",
        {"": "max"},
        {"glue": "max", "status": "max"}, {"flops": "max", "latency_ms": "min", "glue": "max"},
    ),
    "constraints": (
        ["parameters<1"], ["parameters>0", "glue>2"], ["seconds<1e-300"], "parameters<2e6",
        ["parameters<1e400"],
        ["parameters < nan"], ["trial<5"], [], ["flops<1e9"] * 50,
    ),
    "time": (10**30, "1e300s", 1e308, "9" * 300, 0.001, "999999999999d", "0.5", 1, True),
    "trials": (1, 2**31, 10**18, 10**30, 4.0, "3", True),
    "gpu_hours": (1e-300, 1e308, "1", 5), "cost": (1e-300, 1e308),
    "price_per_hour": (1e308, 1e-320),
    "patience": (1, 2**63, 10**30), "fidelity": ("asha", "hyperband", "median", "policy"),
    "fidelities": (
        [1.0], [1e-300, 1.0], [0.1, 0.2, 0.3, 1], [0.5, True], [i / 500 for i in range(1, 501)],
    ),
    "reduction": (1.0000001, 1e308, 2, 100), "inheritance": (True, "yes", 1, 0),
    "retry_nan": ("off", 1),
    "seed": (0, 2**31, 2**32, 2**63, 2**64, 10**30, True, "7"),
    "tasks": ("all", ["sst2"], ["wnli"], [], "sst2,sst2", ["sst2"] * 3),
    "name": ("a" * 300, "-", "a-1", "CON", "a..", "0", "a" * 255, "é"),
    "corpus": ("experiment.yaml", ["."], [], [""]),
    "data": (".", "experiment.yaml", "glue-mini ", "hub", "victim"),
    "trackers": ("mlflow", ["tensorboard"], ["x"], []),
    "fidelity_tasks": ([["sst2"]], [["sst2"], ["stsb"]], [[]], "sst2"),
    "policy_options": (
        {"initial": 2}, {"seed": 1}, {"space": 1}, {"batch": 0}, {"x": 1}, {"initial": 10**9},
    ),
}  # fmt: skip
LIKELY_EXECUTION = {
    "engine": ("inline",), "address": ("auto", "ray://x:1", ""),
    "cpus_per_trial": (1e999, 1e308, 0.001, 10**9, True),
    "gpus_per_trial": ("auto", 0.25, 1e300, "1", 8), "max_concurrent": (1, 10**9, 2**63, 1.0),
    "trial_timeout": (1e-300, 1e308, "1e300s", "5s", 10**400),
    "checkpoint_seconds": (1e308, 1e-300, "1d"),
    "keep_weights": (1, "1", 10**30, "²", "١", True, "all"),
    "storage": ("weights", "", "/dev/null", "memory://x", "experiment.yaml"),
    "trial_function": (
        None, "nowhere:nothing", "nas:nothing", "os:getcwd", "builtins:print",
        "nas.config:Experiment", "a.b.:c",
        "json:loads", ".:x", "fuzzer.pretending:free", "builtins:exit", "canary_module:measure",
        "canary_module:Space",
    ),
}  # fmt: skip


def likely(rng: Random) -> bytes:
    """Return a file with two settings of the lists above."""
    settings = EXPERIMENT | {"execution": dict(EXPERIMENT["execution"])}
    for _ in range(2):
        pool, where = rng.choice(
            ((LIKELY, settings), (LIKELY, settings), (LIKELY_EXECUTION, settings["execution"]))
        )
        name = rng.choice(list(pool))
        where[name] = rng.choice(pool[name])
    return yaml.safe_dump(settings, sort_keys=False).encode()


def make(rng: Random, folder: Path) -> list[Step]:
    """Change a file that uses nearly every setting, and search by it."""
    (folder / "experiment.yaml").write_bytes(
        likely(rng) if rng.random() < 0.5 else changed_yaml(rng, EXPERIMENT)
    )
    bound = rng.choice((("--trials", "2"), ("--time", "2s")))
    search = ("search", "experiment.yaml", "--run", "run", "--quiet", *bound)
    return [Step(search, ("run", "weights"), SEARCH_CODES), *after_search(rng, "run")]


DOORS.register("experiment")(Door("experiment files", make, imports=True))
