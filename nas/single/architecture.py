"""Train one architecture without a search, by the same code, and export what comes out."""

import platform
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file

from nas.config import Experiment
from nas.data.prepared import TEST, PreparedData
from nas.data.tokenizer import Tokenizer
from nas.evaluation.mean_score import mean_name
from nas.evaluation.suites.task import Task
from nas.limits import available_cpus
from nas.models.transfer import Inheritance
from nas.single.exported import ExportedModel
from nas.single.exporting import (
    data_revision,
    default_licence,
    files_of,
    own_facts,
    with_test_scores,
)
from nas.teachers.lessons import Lessons
from nas.training.device import choose_device, choose_precision
from nas.training.measurement import Measurement
from nas.training.recipe import Recipe
from nas.training.seeds import named_seed
from nas.training.task_models import TaskModel, task_model
from nas.training.trial import model_options, run_trial, save_tensors, trial_device
from nas.training.watch import StageCallback
from nas.zoo.files import WEIGHTS
from nas.zoo.writing import export_model
from search_spaces import Architecture
from search_spaces.documents import read_json_file
from search_spaces.errors import InvalidData, NotAModel


@dataclass(frozen=True)
class Trained:
    """What training with several seeds gave.

    Attributes:
        seeds: The seeds.
        measurements: One for each.
        test: Task -> metric -> value of the first seed's model on examples that nothing was chosen
            by; none for tasks without such.
    """

    seeds: tuple[int, ...]
    measurements: tuple[Measurement, ...]
    test: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def score(self, name: str) -> tuple[float, float | None]:
        """Return the mean of a score and its standard deviation, None for one seed."""
        found = [measurement.scores[name] for measurement in self.measurements]
        return float(np.mean(found)), float(np.std(found, ddof=1)) if len(found) > 1 else None


def training_state(folder: Path) -> Path:
    """Return where an interrupted training of a model lies until it is exported to `folder`."""
    return folder.parent / f".{folder.name}.training"


def require_tokenizer(recipe: Recipe, parent: ExportedModel) -> None:
    """Check that a recipe does not name another tokenizer than the weights were trained with.

    Raises:
        InvalidData: It names a file with another tokenizer.
    """
    if not recipe.tokenizer.endswith(".json"):
        return
    if Tokenizer.read(recipe.tokenizer).json != parent.tokenizer.json:
        raise InvalidData(
            f"The tokenizer {recipe.tokenizer} is not the one that the weights in {parent.folder} "
            "were trained with, so that every token would mean another word. Leave the tokenizer "
            "out to use the weights' own, or leave out --pretrained."
        )


def train_architecture(
    architecture: Architecture,
    experiment: Experiment,
    recipe: Recipe,
    data: PreparedData,
    folder: Path,
    *,
    seeds: tuple[int, ...],
    pretrained: ExportedModel | None = None,
    progress: StageCallback | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Trained:
    """Train `architecture` with each seed and export the model of the first one.

    An interrupted call continues where it was when it is made again with the same arguments: its
    state lies beside `folder` until the model is exported.

    Args:
        architecture: What to train.
        experiment: Names the data, for the model card.
        recipe: How to train.
        data: Prepared with the recipe, and with the tokenizer of `pretrained`.
        folder: Where the model goes; must not exist.
        seeds: One training each.
        pretrained: A model whose weights to start from.
        progress: Called with each stage and the share of it done.
        say: Called with a line for each seed.

    Raises:
        TrialError: Training failed.
        NasError: The folder exists.
    """
    state = training_state(folder)
    kept: list[TaskModel] = []

    def keep(task: Task, *parts: Any) -> None:
        test = data.tasks[task.name].get(TEST)
        kept.append(task_model(task, *parts, test, choose_precision(recipe, choose_device(recipe))))

    measurements = []
    with tempfile.TemporaryDirectory(prefix="nas-train-") as temporary:
        inherit = None
        if pretrained is not None:
            inherit = _inheritance(pretrained, Path(temporary) / "parent.safetensors")
        weights = state / "weights.safetensors"
        for number, seed in enumerate(seeds):
            measurement = run_trial(
                architecture,
                recipe,
                data,
                seed=named_seed(seed, architecture.hash) % 2**32,
                weights_path=None if number else weights,
                progress=progress,
                checkpoint=state / f"seed-{seed}",
                inherit=inherit,
                keep=None if number else keep,
            )
            mean = mean_name(data.tasks)
            score, seconds = measurement.scores[mean], measurement.seconds
            say(f"seed {seed}: {mean} {score:.3f}, {seconds:.0f} s")
            measurements.append(measurement)
        card = _card(architecture, experiment, recipe, data, seeds, measurements[0], pretrained)
        card = with_test_scores(card, {model.task.name: model.test for model in kept})
        export_model(
            folder,
            architecture=architecture,
            weights=load_file(weights),
            tokenizer_json=data.tokenizer_json,
            model_options={"vocabulary_size": data.vocabulary_size, **model_options(recipe)},
            card=card,
            task_weights={model.task: model.weights for model in kept},
        )
    shutil.rmtree(state, ignore_errors=True)
    return Trained(seeds, tuple(measurements), {m.task.name: dict(m.test) for m in kept if m.test})


def _inheritance(parent: ExportedModel, path: Path) -> Inheritance:
    """Write the weights of an exported folder as a trial would have left them."""
    named = load_file(parent.folder / WEIGHTS)
    save_tensors(path, {k.removeprefix("flexibert."): v for k, v in named.items()})
    described = read_json_file(parent.folder / "architecture.json", NotAModel)
    return Inheritance(Architecture.from_dict(described), path)


def _card(
    architecture: Architecture,
    experiment: Experiment,
    recipe: Recipe,
    data: PreparedData,
    seeds: tuple[int, ...],
    measurement: Measurement,
    pretrained: ExportedModel | None,
) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory(prefix="nas-revision-") as place:
        data.save(place)
        revision = data_revision(Path(place))
    taught = {} if data.teacher is None else Lessons(data.teacher).card(architecture)
    start = "random weights" if pretrained is None else f"the weights in {pretrained.folder.name}"
    return {
        "tasks": list(data.tasks),
        "architecture": architecture.describe(),
        "hash": architecture.hash,
        "scores": dict(measurement.scores),
        **_transductive(measurement, data),
        "costs": {**measurement.costs, "training_seconds": round(measurement.seconds, 1)},
        "measured_on": {
            "device": trial_device(recipe),
            "system": platform.platform(),
            "cores": available_cpus(),
            "threads": recipe.threads,
            "batch": 1,
            "length_in_tokens": recipe.max_length,
            "torch": version("torch"),
        },
        "seeds": {"run": seeds[0], "trial": named_seed(seeds[0], architecture.hash) % 2**32},
        "data": {
            "name": experiment.data,
            "seed": experiment.seed,
            "revision": revision,
            "tasks": list(data.tasks),
            "corpus": [Path(path).name for path in experiment.corpus] or "the data's own text",
            **({"files": files_of(experiment)} if experiment.own_tasks else {}),
        },
        "run": {"name": "nas train", "trial": 1, "fidelity": 1.0},
        "lineage": [
            f"cut out of {taught['name']}, layers {taught['layers']}"
            if taught
            else f"pre-trained from {start}, seed {seeds[0]}"
        ],
        **_trained_by(architecture, recipe, measurement),
        "licence": taught.get("licence") or default_licence(experiment.data),
        **({"teacher": taught} if taught else {}),
        **(
            {"own_tasks": own_facts(data.own.values(), measurement.scores, measurement.details)}
            if data.own
            else {}
        ),
    }


def _transductive(measurement: Measurement, data: PreparedData) -> dict[str, dict[str, float]]:
    """Return what says that scores are of inputs that were learnt from, and compare with none."""
    counts = {name: measurement.details.get(f"{name}_transductive") for name in data.tasks}
    found = {name: count for name, count in counts.items() if count is not None}
    return {"transductive": found} if found else {}


def _trained_by(
    architecture: Architecture, recipe: Recipe, measurement: Measurement
) -> dict[str, Any]:
    """Return the recipe of a training as a card says it, with what the architecture chose of it."""
    if not architecture.recipe:
        return {"recipe": recipe.to_dict()}
    tokens = int(measurement.details["budget_tokens"])
    return {
        "chosen_recipe": architecture.to_dict()["recipe"],
        "recipe": {**recipe.chosen(architecture).to_dict(), "pretrain_tokens": tokens},
    }
