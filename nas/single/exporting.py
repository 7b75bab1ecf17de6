"""From a trial of a run to a folder of the zoo."""

import hashlib
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.config import space_title
from nas.runs.confirmations import confirmed_facts
from nas.runs.directory import Run
from nas.runs.environment import read_environment
from search_spaces import Architecture

if TYPE_CHECKING:
    from torch import Tensor

    from nas.config import Experiment
    from nas.evaluation.suites.task import Task

# Two scores of one model differ by no more than this where arithmetic is the same.
_SAME_SCORE = 1e-6
# Licences of weights trained on data that ships with the project; of others we know nothing.
_LICENCES = {"glue-mini": "apache-2.0"}


def default_licence(data: str) -> str:
    """Return the licence of weights trained on `data`: an identifier of the Hugging Face hub."""
    return _LICENCES.get(data, "other")


def export_trial(
    run: Run,
    trial: Mapping[str, Any],
    folder: Path,
    *,
    weights: Mapping[str, "Tensor"],
    models: Iterable[tuple["Task", float, Mapping[str, "Tensor"]]] = (),
    tasks: Sequence[str] = (),
    formats: Sequence[str] = (),
    quantize: bool = False,
    bert: bool = False,
    licence: str | None = None,
    say: Callable[[str], None] = lambda line: None,
    tests: Mapping[str, Mapping[str, float]] | None = None,
) -> Path:
    """Write the trial's models to the new folder `folder`; return it.

    Args:
        run: The run.
        trial: The record of a finished trial.
        folder: Must not exist; whatever goes wrong, it is either complete or not there.
        weights: What the trial pre-trained, "encoder.*" and "mlm.*".
        models: Task, score on its development data and weights of each fine-tuned model.
        tasks: The names of the tasks in `models`.
        formats: Names in `nas.zoo.formats.FORMATS`; each is checked against torch.
        quantize: Write each ONNX file with int8 weights too, with the score it costs.
        bert: Write each model as a plain BERT of transformers, too.
        licence: Of the weights; None takes what suits the data.
        say: Called with a line for each model written.
        tests: Task -> metric -> value on examples that nothing was chosen by; looked at when the
            last of `models` is written.

    Raises:
        NasError: The folder exists, a kind cannot be written in a format or as BERT, or a
            format's outputs are not those of torch.
        NotAModel: Weights, options or tokenizer do not fit.
    """
    from nas.data.prepared_files import read_index, read_tokenizer
    from nas.evaluation.suites.glue import glue_task
    from nas.zoo.files import written_at_once
    from nas.zoo.formats import require_expressible
    from nas.zoo.formats_of_model import write_formats
    from nas.zoo.plain_bert import require_plain, write_plain
    from nas.zoo.writing import finish, make_config, write_encoder, write_task

    architecture = Architecture.from_dict(trial["architecture"])
    require_expressible(architecture, [*formats, *(["onnx"] if quantize else [])])
    if bert:
        require_plain(architecture, run.model_options)
    tokenizer = read_tokenizer(run.directory / "data")
    own = read_index(run.directory / "data")["own"]
    rows = [own.get(name) or glue_task(name) for name in tasks]
    config = make_config(architecture, run.model_options, rows, tokenizer)
    card = trial_card(run, trial, licence=licence)
    card = {"name": folder.name, "tasks": list(config.task_names), **card}
    if own:
        card |= {"own_tasks": own_facts(own.values(), trial["scores"], trial.get("details") or {})}
    with written_at_once(folder) as partial:
        write_encoder(partial, config, weights, tokenizer, architecture)
        if bert:
            write_plain(partial, architecture, run.model_options, weights, tokenizer)
        say(f"encoder: {architecture.describe()}")
        for task, score, tensors in models:
            write_task(partial / task.name, task, config, tensors, tokenizer)
            if bert:
                write_plain(partial, architecture, run.model_options, tensors, tokenizer, task)
            card.setdefault("exported_scores", {})[task.name] = score
            compared = _compared(run, trial, task, score)
            say(f"{task.name}: {score:.4f} on the development data, {compared}")
        if formats or quantize:
            card["formats"] = write_formats(
                partial,
                [None, *tasks],
                formats,
                quantize=quantize,
                data=run.directory / "data",
                say=say,
            )
        finish(partial, with_test_scores(card, tests or {}))
    return folder


def with_test_scores(
    card: Mapping[str, Any], tests: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Return a card that says what its models reach on examples that nothing was chosen by."""
    found = {task: dict(values) for task, values in tests.items() if values}
    if not found:
        return dict(card)
    own = {
        name: {**facts, **({"test": found[name]} if name in found else {})}
        for name, facts in card.get("own_tasks", {}).items()
    }
    return {**card, "test_scores": found, **({"own_tasks": own} if own else {})}


def _compared(run: Run, trial: Mapping[str, Any], task: "Task", score: float) -> str:
    """Say how an exported model's score compares with the record's."""
    seeds = run.experiment.recipe.get("finetune_seeds", 1)
    recorded = trial["scores"].get(task.name, score)
    if seeds > 1:
        return f"the first of {seeds} seeds, whose mean is {recorded:.4f}"
    if abs(score - recorded) <= _SAME_SCORE:
        return "as in the search"
    return f"{score - recorded:+.4f} to the search: {_why_it_differs(run, trial)}"


def _why_it_differs(run: Run, trial: Mapping[str, Any]) -> str:
    """Say what is not as it was when the trial was trained, as far as the record tells."""
    from nas.single.trials import device_here

    here = device_here(run)
    found = []
    if trial["device"] and trial["device"] != here:
        found.append(f"trained on {trial['device']}, fine-tuned again on {here}")
    elif trial["node"] and trial["node"] != platform.node():
        found.append(f"trained on another machine, {trial['node']}, which may round differently")
    then = read_environment(run.directory).get("packages", {}).get("torch")
    if then and then != version("torch"):
        found.append(f"trained with torch {then}, fine-tuned again with {version('torch')}")
    if found:
        return "; ".join(found)
    return "machine, device and torch are the same, so look at the run's weights and data"


def trial_card(run: Run, trial: Mapping[str, Any], *, licence: str | None = None) -> dict[str, Any]:
    """Return the facts of a trial that a model card says."""
    from nas.single.trials import adjustments

    experiment = run.experiment
    recipe = experiment.recipe
    card: dict[str, Any] = {
        "architecture": Architecture.from_dict(trial["architecture"]).describe(),
        "hash": trial["hash"],
        "scores": {name: float(value) for name, value in trial["scores"].items()},
        "confirmed": confirmed_facts(run.directory, trial),
        "costs": _costs(trial),
        "measured_on": _machine(run, trial),
        "seeds": {"run": experiment.seed, "trial": int(trial["seed"])},
        "data": {
            "name": experiment.data,
            "revision": data_revision(run.directory / "data"),
            "tasks": list(recipe.get("tasks", [])),
            "corpus": [Path(path).name for path in experiment.corpus] or "the data's own text",
        },
        "run": {
            "name": run.directory.resolve().name,
            "trial": int(trial["trial"]),
            "fidelity": float(trial["fidelity"]),
            "space": space_title(experiment.space),
            "policy": experiment.policy,
            "objectives": ", ".join(f"{k} {v}" for k, v in run.objectives.items()),
        },
        "lineage": _lineage(run, trial),
        "chosen_recipe": dict(trial["architecture"].get("recipe") or {}),
        "recipe": trial_recipe(run, trial),
        "adjusted_after_failure": adjustments(trial),
        "licence": licence or default_licence(experiment.data),
    }
    if experiment.own_tasks:
        card["data"]["files"] = files_of(experiment)
    taught = _teacher(run, trial)
    if taught:
        given = taught.pop("licence")
        card["teacher"] = taught
        card["recipe"].pop("teacher", None)  # its folder, of no use elsewhere
        if "layers" in taught:
            card["licence"] = licence or given
            card["lineage"] = [f"cut out of {taught['name']}, layers {taught['layers']}"]
            card["data"]["corpus"] = "none: the teacher was pre-trained"
    return {name: value for name, value in card.items() if value != {}}


def files_of(experiment: "Experiment") -> dict[str, dict[str, str]]:
    """Return the files of each of the user's own tasks, as the experiment names them."""
    return {task.name: task.files for task in experiment.own_tasks}


def own_facts(
    tasks: Iterable["Task"], scores: Mapping[str, float], details: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return what the head of a card says of the user's own tasks; see `nas.zoo.card.hub_facts`."""
    found = {}
    for task in tasks:
        results = {
            metric: float(details[f"{task.name}_{metric}"])
            for metric in task.metrics
            if f"{task.name}_{metric}" in details
        }
        found[task.name] = {
            "language": task.language,
            "kind": task.kind,
            "metrics": list(task.metrics),
            "results": results or {"score": float(scores[task.name])},
        }
    return found


def _teacher(run: Run, trial: Mapping[str, Any]) -> dict[str, Any]:
    """Return whom a trial was cut out of and learned from; nothing where there was nobody."""
    from nas.data.prepared import TEACHER

    folder = run.directory / TEACHER
    if not folder.is_dir():
        return {}
    from nas.teachers.lessons import Lessons

    return Lessons(folder).card(Architecture.from_dict(trial["architecture"]))


def trial_recipe(run: Run, trial: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe that a trial was trained by: the run's, with what was chosen of it.

    Its tokens are those that the trial measured, so that it can be repeated.
    """
    from nas.single.trials import tokens_of
    from nas.training.recipe import Recipe

    recipe, architecture = run.experiment.recipe, Architecture.from_dict(trial["architecture"])
    if not architecture.recipe:
        return dict(recipe)
    chosen = Recipe.from_dict(recipe).chosen(architecture).to_dict()
    tokens = tokens_of(trial)
    measured = {} if tokens is None else {"pretrain_tokens": tokens}
    preset = {name: recipe[name] for name in ("preset",) if name in recipe}
    return {**preset, **chosen, **measured}


def data_revision(folder: Path) -> str:
    """Return a digest of the prepared data: the same data, the same text, on any machine."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"sha256:{digest.hexdigest()[:16]}"


def _costs(trial: Mapping[str, Any]) -> dict[str, float]:
    costs = {name: float(value) for name, value in trial["costs"].items()}
    whole = {name: int(costs[name]) for name in ("parameters", "flops") if name in costs}
    return {**costs, **whole, "training_seconds": round(float(trial["seconds"] or 0.0), 1)}


def _machine(run: Run, trial: Mapping[str, Any]) -> dict[str, Any]:
    """Say where the costs were measured, without the name of the machine."""
    environment, recipe = read_environment(run.directory), run.experiment.recipe
    return {
        "device": trial["device"] or "unknown",
        "system": environment.get("system", "unknown"),
        "cores": environment.get("cpus"),
        "threads": recipe.get("threads"),
        "batch": 1,
        "length_in_tokens": recipe.get("max_length"),
        "torch": environment.get("packages", {}).get("torch"),
    }


def _lineage(run: Run, trial: Mapping[str, Any]) -> list[dict[str, Any] | str]:
    """Say whose weights the trial started from, youngest ancestor first."""
    records = {record["hash"]: record for record in run.journal.trials()}
    ancestors: list[dict[str, Any] | str] = []
    known, current = {trial["hash"]}, trial
    while current is not None:
        parent = current["proposal"].get("parent")
        if not parent or parent in known:
            break
        known.add(parent)
        overlap = current["proposal"].get("overlap")
        ancestors.append({"parent": parent, "overlap": overlap})
        current = records.get(parent)
    eldest = current or trial
    return [*ancestors, f"pre-trained from random weights, seed {eldest['seed']}"]
