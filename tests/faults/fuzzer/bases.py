"""Valid material that doors change: made once by the commands themselves, then copied."""

import os
import shutil
from functools import cache
from pathlib import Path

import yaml

from fuzzer.guard import run_command

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
TRIVIAL = "nas.benchmarks.trivial_trial:measure"
EXPERIMENT = {
    "name": "search",
    "space": "tiny.yaml",
    "policy": "random",
    "policy_options": {},
    "objectives": {"glue": "max", "parameters": "min"},
    "constraints": ["parameters<2e6"],
    "data": "glue-mini",
    "corpus": [],
    "tasks": ["sst2", "stsb"],
    "trials": 3,
    "time": "10m",
    "gpu_hours": 2.0,
    "cost": 3.0,
    "price_per_hour": 1.5,
    "patience": 20,
    "fidelity": "full",
    "fidelities": [0.5, 1.0],
    "fidelity_tasks": [],
    "reduction": 2.0,
    "inheritance": False,
    "retry_nan": True,
    "seed": 5,
    "recipe": {
        "preset": "glue-mini",
        "vocabulary_size": 300,
        "pretrain_tokens": 2000,
        "mask_rate": 0.3,
    },
    "execution": {
        "engine": "inline",
        "cpus_per_trial": 1,
        "gpus_per_trial": 0,
        "max_concurrent": 1,
        "trial_timeout": "1h",
        "trial_function": TRIVIAL,
        "checkpoint_seconds": 60,
        "keep_weights": "all",
    },
}


def place() -> Path:
    """Return the folder of valid material."""
    folder = Path.cwd() / "bases"
    folder.mkdir(exist_ok=True)
    return folder


@cache
def run() -> Path:
    """Return a run of three trials that took no time and a failed one."""
    folder = place()
    (folder / "logs").mkdir(exist_ok=True)
    shutil.copy(GOLDEN / "tiny.yaml", folder)
    (folder / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT | {"time": None}))
    shutil.rmtree(folder / "run", ignore_errors=True)
    arguments = ["search", "experiment.yaml", "--run", "run", "--quiet"]
    ran = run_command(arguments, folder, folder / "logs")
    assert ran.code == 0, (ran.err, ran.crash)
    return folder / "run"


def copy(source: Path, target: Path) -> Path:
    """Copy a folder of valid material into a case."""
    shutil.copytree(source, target)
    for path in target.rglob("*"):
        os.chmod(path, 0o755 if path.is_dir() else 0o644)
    return target
