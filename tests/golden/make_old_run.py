"""Record a run directory and exported models of older code: `make_old_run.py models run`.

What lies in `old_run`, `old_models` and the two files of their names was written by commit 3a135de,
before encoders had parts and before `nas` had rooms:

    git worktree add OLD 3a135de
    PYTHONPATH=OLD python tests/golden/make_old_run.py models run

They are never made again: that people still have such folders is why the tests open them. This file
says how they came about, and works with that commit alone.
"""

import contextlib
import json
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import golden_models
import golden_runs
import yaml
from golden_files import HERE, write

# Every operation; layers of mixed heads, of two widths, with one and two feed-forward maps.
ARCHITECTURE = {
    "l": 3,
    "o": [["sa_sdp_4", "l_dft_4"], ["c_5_4", "sa_wma_4", "l_dct_4"], ["c_9_4", "sa_sdp_4"]],
    "h": [8, 12, 8],
    "f": [[12], [12, 8], [8]],
}
RECIPE = {
    "vocabulary_size": 90, "max_length": 24, "block_length": 16, "corpus_tokens": 2000,
    "max_train_examples": 64, "max_dev_examples": 60, "pretrain_tokens": 1500, "pretrain_batch": 4,
    "pretrain_learning_rate": 0.01, "finetune_epochs": 2, "finetune_batch": 8,
    "finetune_learning_rate": 0.01, "precision": "fp32", "device": "cpu",
}  # fmt: skip
EXPERIMENT = {
    "name": "old", "space": "tiny.yaml", "policy": "boshnas", "seed": 5, "trials": 7,
    "objectives": {"glue": "max", "parameters": "min"}, "constraints": ["parameters<=2500"],
    "tasks": ["sst2", "stsb"], "fidelity": "asha", "fidelities": [0.5, 1.0], "reduction": 2,
    "inheritance": True, "retry_nan": True, "recipe": RECIPE,
    "execution": {"engine": "inline", "keep_weights": 2},
}  # fmt: skip
# so that the answers to different sentences differ by more than rounding does
LEARNT = {"pretrain_tokens": 40_000, "finetune_epochs": 40}
# trial -> what goes wrong with it, each time or the first time
ALWAYS, ONCE = {3: "error"}, {6: "nan"}
DERIVED = ("front.png", "tensorboard", "run.lock")  # pictures and logs, made again at will


def models() -> None:
    """Train one architecture with each kind of positions, export it, and ask it."""
    shutil.rmtree(golden_models.MODELS, ignore_errors=True)
    golden_models.MODELS.mkdir()
    found = {}
    for positions in ("relative", "absolute"):
        recipe = {**RECIPE, **LEARNT, "positions": positions}
        changes = [p for key in recipe for p in ("--recipe", f"{key}={recipe[key]}")]
        folder = golden_models.MODELS / positions
        with tempfile.TemporaryDirectory() as place:
            golden_runs.call(
                Path(place), "train", json.dumps(ARCHITECTURE), "--tasks", golden_models.TASK,
                "--seed", 3, "--to", folder, *changes,
            )  # fmt: skip
        found[positions] = golden_models.loaded(folder)
    write("old_models.json", {"architecture": ARCHITECTURE, "models": found})


def run() -> None:
    """Search with a policy that models, two failures, promotions and inheritance."""
    from nas.driver import start

    import nas.execution.inline as engine
    from nas.config import make_experiment

    perform, failed = engine.perform, set()

    def faulty(job, *given, **options):
        outcome = perform(job, *given, **options)
        cause = ALWAYS.get(job.trial) or (job.trial not in failed and ONCE.get(job.trial))
        if not cause:
            return outcome
        failed.add(job.trial)
        return replace(
            outcome, scores={}, costs={}, details={}, cause=cause,
            error=f"made to fail, as {cause}", traceback="Traceback: made to fail",
        )  # fmt: skip

    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        shutil.copy(HERE / "tiny.yaml", place)
        (place / "search.yaml").write_text(yaml.safe_dump(EXPERIMENT))
        engine.perform = faulty
        sys.argv = ["nas", "search", "search.yaml"]  # the run records the command
        with contextlib.chdir(place):
            start(make_experiment(EXPERIMENT), Path("old_run"))[0].close()
        engine.perform = perform
        for name in DERIVED:
            path = place / "old_run" / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        shutil.rmtree(golden_runs.RUN, ignore_errors=True)
        shutil.copytree(place / "old_run", golden_runs.RUN)
    write("old_run.json", recorded())


def recorded() -> dict:
    """Return what the recorded run says, and how it goes on."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        golden_runs.copied(place)
        found = golden_runs.tables(place) | golden_runs.said(place)
        return {**found, "next": golden_runs.continued(place, EXPERIMENT["trials"])}


PARTS = {"models": models, "run": run}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
