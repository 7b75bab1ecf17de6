"""From a trial of a run to a folder of the zoo."""

from pathlib import Path
from typing import Any

from nas.runs import Run
from search_spaces import Architecture
from search_spaces.errors import RunError


def export_trial(run: Run, trial: dict[str, Any], folder: Path) -> Path:
    """Write the trial's model to the new folder `folder`; return it.

    Args:
        run: The run.
        trial: A finished trial, as `Run.pick` returns it.
        folder: Must not exist.

    Raises:
        RunError: The trial's weights are gone.
        NasError: The folder exists.
    """
    from safetensors.torch import load_file

    from nas.zoo import export_model

    path = run.weights / f"{trial['hash']}.safetensors"
    if not path.is_file():
        raise RunError(
            f"The weights of trial {trial['trial']} are gone: {path} does not exist. "
            f"Pick another trial; see: nas trials {run.directory}"
        )
    experiment = run.experiment
    scores = ("glue", *experiment.recipe["tasks"])
    costs = ("parameters", "flops", "latency_ms", "peak_memory_mb", "seconds")
    export_model(
        folder,
        architecture=Architecture.from_dict(trial["architecture"]),
        weights=load_file(path),
        tokenizer_json=(run.directory / "data" / "tokenizer.json").read_text(encoding="utf-8"),
        model_options=run.model_options,
        card={
            "scores": {name: float(trial[name]) for name in scores},
            "costs": {name: float(trial[name]) for name in costs},
            "run": run.directory.resolve().name,
            "trial": int(trial["trial"]),
            "data": experiment.data,
            "recipe": experiment.recipe,
        },
    )
    return folder
