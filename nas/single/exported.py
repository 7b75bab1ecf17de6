"""An exported folder as something to score, to fine-tune and to ask for answers."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nas.data.encoding import encode_split
from nas.data.preparation import prepare_tasks
from nas.data.prepared import TEST, PreparedData
from nas.data.source import load_source
from nas.data.tables import Split, TaskData
from nas.data.tokenizer import Tokenizer
from nas.evaluation.metrics import count_broken
from nas.evaluation.suites.glue import glue_task
from nas.evaluation.suites.named import is_suite_task, suite_tasks
from nas.evaluation.suites.own import HUB, TaskSettings, read_task_settings
from nas.evaluation.suites.task import Task
from nas.models.hf_heads import head_of
from nas.training.device import choose_device, choose_precision
from nas.training.prediction import Scale, evaluate, predict_surely
from nas.training.recipe import Recipe
from nas.training.seeds import named_seed, random_state, thread_count
from nas.training.task_result import TaskResult
from nas.training.task_runs import Keep, TaskTraining, set_dropout
from nas.training.watch import StageCallback, Watch
from nas.zoo.card import read_card
from nas.zoo.configuration import read_config
from nas.zoo.files import CARD, TOKENIZER
from nas.zoo.loading import load_model, read_row
from search_spaces.errors import InvalidData, InvalidExperiment, NasError, NotAModel, quoted


@dataclass(frozen=True)
class ExportedModel:
    """A folder that `nas export` or `nas train` wrote.

    Attributes:
        folder: Where it is.
        tokenizer: The one its weights were trained with.
        max_length: Tokens its longest sequence may have.
        tasks: Names of the tasks it has fine-tuned models of.
        facts: What its card says; empty for a folder without one.
    """

    folder: Path
    tokenizer: Tokenizer
    max_length: int
    tasks: tuple[str, ...]
    facts: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path | str) -> "ExportedModel":
        """Read what is in `folder`, without the weights.

        Raises:
            NotAModel: It holds no exported model, or its tokenizer is not that of its weights.
        """
        folder = Path(folder)
        config = read_config(folder)
        tokenizer = Tokenizer.read(folder / TOKENIZER)
        if tokenizer.vocabulary_size != config.vocab_size:
            raise NotAModel(
                f"The tokenizer in {folder} has {tokenizer.vocabulary_size} entries, and the model "
                f"was trained with {config.vocab_size}: they do not belong together. Put back the "
                "tokenizer.json that was exported with the weights."
            )
        _check_intact(folder)
        facts = read_card(folder) if (folder / CARD).is_file() else {}
        return cls(
            folder,
            tokenizer,
            config.max_position_embeddings,
            tuple(config.task_names or ()),
            facts,
        )

    def recipe(self, changes: Mapping[str, Any], preset: str) -> Recipe:
        """Return the recipe the model was trained with, changed, or `preset` where none is known.

        Raises:
            InvalidExperiment: A change is not allowed, or sequences would be longer than the model
                reads.
        """
        base = self.facts.get("recipe") or {"preset": preset, "max_length": self.max_length}
        recipe = Recipe.from_dict({**base, **changes})
        if recipe.max_length > self.max_length:
            raise InvalidExperiment(
                f"max_length is {recipe.max_length}, and the model in {self.folder} reads at most "
                f"{self.max_length} tokens. Set max_length to that or less."
            )
        return recipe

    def row(self, name: str) -> Task:
        """Return one of its tasks, or a task of GLUE.

        Raises:
            UnknownName: There is no such task.
            NotAModel: What the folder says of it cannot be read.
        """
        if name in self.tasks:
            return read_row(self.folder, name)
        return glue_task(name)

    def only_task(self, name: str | None) -> Task:
        """Return the task called `name`; None takes the only one there is.

        Raises:
            NasError: It has no task of that name; or several, or none, and no name was given.
        """
        if name is None and len(self.tasks) != 1:
            listed = ", ".join(self.tasks) or "none"
            raise NasError(
                f"{self.folder} has fine-tuned models of these tasks: {listed}. Name one with "
                "--task."
            )
        return self.row(name if name is not None else self.tasks[0])

    def read(self, task: str | None = None) -> Any:
        """Return the model of `transformers`: a task's classifier, or the encoder."""
        return load_model(self.folder, task=task)


def files_of(model: ExportedModel, data: str, names: Sequence[str]) -> list[TaskSettings]:
    """Return the files in `data` of tasks of a suite whose tasks are files; none for GLUE's.

    Args:
        model: Whose tasks are meant where none is named.
        data: A directory, or what else names data.
        names: Of tasks.

    Raises:
        NasError: A task or a file that there is not; or GLUE's are named beside others.
    """
    wanted = list(names) or [name for name in model.tasks if is_suite_task(name)]
    found = suite_tasks(data, wanted)
    files = [task for task in found if isinstance(task, TaskSettings)]
    if files and len(files) < len(found):
        raise InvalidExperiment(
            f"GLUE's {', '.join(t for t in found if isinstance(t, str))} cannot be scored beside "
            f"{', '.join(task.name for task in files)}. Give one command for each."
        )
    return files


def recorded_tasks(model: ExportedModel, names: Sequence[str] = ()) -> list[TaskSettings]:
    """Return the files that the card says the model's own tasks were read from.

    Args:
        model: The exported folder.
        names: Of the tasks that are wanted; none takes all.

    Raises:
        InvalidData: One of them is not there any more.
    """
    listed = (model.facts.get("data") or {}).get("files") or {}
    found = []
    for name, files in listed.items() if isinstance(listed, dict) else ():
        if name not in model.tasks or not isinstance(files, dict) or name not in (names or [name]):
            continue
        for file in files.values():
            if not str(file).startswith(HUB) and not Path(str(file)).exists():
                raise InvalidData(
                    f"The model in {model.folder} was trained on {file}, which is not here. Give "
                    f"a file to score it on: --task {name}=FILE"
                )
        if "dev" not in files:
            raise InvalidData(
                f"The model in {model.folder} was scored on a part of {files.get('train')} that "
                f"was split off. Give a file to score it on: --task {name}=FILE"
            )
        found.append(read_task_settings({"name": name, **files}))
    return found


def _check_intact(folder: Path) -> None:
    from nas.zoo.files import CHECKSUMS, verify

    if (folder / CHECKSUMS).exists():
        verify(folder, TOKENIZER)


def read_tasks(
    data: str, tasks: list[str] | None, seed: int, *, test: bool = False
) -> dict[str, TaskData]:
    """Return the tasks of a data source.

    Raises:
        NasError: As `load_source`.
    """
    with tempfile.TemporaryDirectory(prefix="nas-data-") as cache:
        return load_source(data, tasks, cache_directory=cache, seed=seed, test=test)[0]


def encode_for(
    model: ExportedModel, tasks: dict[str, TaskData], recipe: Recipe, seed: int
) -> PreparedData:
    """Encode `tasks` with the model's own tokenizer."""
    return prepare_tasks(
        tasks,
        model.tokenizer,
        max_length=recipe.max_length,
        max_train_examples=recipe.max_train_examples,
        max_dev_examples=recipe.max_dev_examples,
        seed=seed,
    )


def score_heads(
    model: ExportedModel, data: PreparedData, recipe: Recipe
) -> dict[str, dict[str, dict[str, float]]]:
    """Return task -> split -> metric -> value of the fine-tuned models in the folder.

    The splits are those to develop on, and "test" where a user's own task has it.

    Raises:
        UnknownName: The folder has no model of one of the tasks in `data`.
    """
    found = {}
    with thread_count(recipe.threads):
        for task in data.rows():
            encoder, head = parts_of(model, task, recipe)
            there = data.tasks[task.name]
            splits = {name: there[name] for name in (*task.dev, TEST) if name in there}
            found[task.name] = {
                name: evaluate(
                    encoder, head, task, split, scale=Scale(), precision=_precision(recipe)
                )
                for name, split in splits.items()
            }
    return found


def answer(model: ExportedModel, task: Task, sentences: Split, recipe: Recipe) -> np.ndarray:
    """Return the answers of the folder's fine-tuned model, class numbers or numbers, `(n,)`.

    Raises:
        UnknownName: The folder has no model of `task`.
        NotAModel: It answers with what is no number.
    """
    return answer_surely(model, task, sentences, recipe)[0]


def answer_surely(
    model: ExportedModel, task: Task, sentences: Split, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what `answer` does, and how sure each class is, `(n, classes)`; None for a number."""
    encoded = encode_split(model.tokenizer, sentences, recipe.max_length)
    with thread_count(recipe.threads):
        encoder, head = parts_of(model, task, recipe)
        found, sure = predict_surely(
            encoder, head, task, encoded, scale=Scale(), precision=_precision(recipe)
        )
    if count_broken(found):
        raise NotAModel(
            f"The model of {task.name} in {model.folder} answers with NaN or infinite numbers, so "
            "its weights are broken. Export or copy it again."
        )
    return found, sure


def _precision(recipe: Recipe) -> str:
    """Return the precision that training with `recipe` scores in."""
    return choose_precision(recipe, choose_device(recipe))


def parts_of(model: ExportedModel, task: Task, recipe: Recipe) -> tuple[Any, Any]:
    """Return encoder and head of the folder's fine-tuned model, on the recipe's device.

    Raises:
        NasError: The folder has none of `task`.
    """
    if not model.tasks:
        raise NasError(
            f"{model.folder} has no fine-tuned model, only the pre-trained encoder. Fine-tune it "
            f"with: nas evaluate {quoted(model.folder)} --finetune"
        )
    loaded = model.read(task.name).to(choose_device(recipe))
    return loaded.flexibert.encoder, head_of(loaded)


def finetune_exported(
    model: ExportedModel,
    data: PreparedData,
    recipe: Recipe,
    *,
    seed: int,
    progress: StageCallback | None = None,
    keep: Keep | None = None,
) -> dict[str, TaskResult]:
    """Fine-tune the pre-trained encoder in the folder on every task of `data`, from its weights.

    Raises:
        TrialError: Training became unstable.
    """
    recipe = replace(recipe, tasks=tuple(data.tasks), own_tasks=tuple(data.own))
    device = choose_device(recipe)
    if not data.tasks:
        raise InvalidData("There is no task to fine-tune on. Name some with --tasks.")
    with thread_count(recipe.threads), random_state(named_seed(seed, "trial")):
        encoder = model.read().encoder.to(device)
        set_dropout(encoder, recipe.dropout)
        training = TaskTraining(
            encoder,
            data,
            recipe,
            seed,
            Watch(None, progress),
            choose_precision(recipe, device),
            keep=keep,
        )
        return training.run(data.rows())
