"""One experiment: one YAML file, read into one validated, frozen object.

The resolved form is stored beside the results, so that a run says what it did.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from nas.addresses import has_secrets
from nas.evaluation.suites.measured import SuiteSettings, explain_objective, read_suites
from nas.evaluation.suites.named import with_suite_tasks
from nas.evaluation.suites.own import TaskSettings, as_tasks, with_own_tasks
from nas.execution_settings import Execution
from nas.setting_types import LARGEST, Place, Seconds, shown
from nas.whole_files import write_whole
from search_spaces.constraints import parse_constraint as read_constraint
from search_spaces.documents import read_document
from search_spaces.errors import InvalidExperiment, UnknownName
from search_spaces.parts import split_kinds

# Costs that a trial reports beside its scores; every task name is an objective too.
COSTS = ("parameters", "flops", "latency_ms", "peak_memory_mb", "seconds")


def parse_objectives(value: object) -> dict[str, str]:
    """Return objectives as a dictionary from text such as "glue:max,latency_ms:min".

    Raises:
        InvalidExperiment: A direction other than "max" or "min", or a name given twice.
    """
    if isinstance(value, str):
        pairs = [part.partition(":")[::2] for part in value.split(",") if part.strip()]
    elif isinstance(value, Mapping):
        pairs = list(value.items())
    else:
        pairs = []
    objectives = {str(name).strip(): str(direction).strip() for name, direction in pairs}
    if not objectives or len(objectives) < len(pairs):
        raise InvalidExperiment(
            f"{value!r} names no objective, or one twice. "
            "Write for instance glue:max,latency_ms:min."
        )
    for name, direction in objectives.items():
        if direction not in ("max", "min"):
            raise InvalidExperiment(
                f"Objective {name!r} has direction {direction!r}. Write {name}:max or {name}:min."
            )
    return objectives


def parse_constraint(text: str) -> tuple[str, str, float]:
    """Return ("parameters", "<", 15e6) for "parameters < 15e6".

    Raises:
        InvalidExperiment: The text has another form.
    """
    constraint = read_constraint(text)
    return constraint.metric, constraint.relation, constraint.bound


def _as_list(value: object) -> object:
    if isinstance(value, str | Path):
        return [part.strip() for part in str(value).split(",") if part.strip()]
    return value


Mixers = Annotated[tuple[str, ...], BeforeValidator(split_kinds)]
Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Tasks = Annotated[tuple[TaskSettings | str, ...], BeforeValidator(as_tasks)]
Suites = Annotated[dict[str, SuiteSettings], BeforeValidator(read_suites)]
Paths = Annotated[
    tuple[str, ...], BeforeValidator(lambda v: [str(v)] if isinstance(v, str | Path) else v)
]


class Experiment(BaseModel):
    """Everything that decides what a search does.

    Attributes:
        name: Used for the run's directory, `runs/<name>-<number>`.
        space: A named space, a path to a YAML file, package.module:Name of a Python space, or what
            a YAML file of a space holds.
        checkpoint: Folder of a trained encoder with its tokenizer: every architecture is cut out of
            it and learns from it. The space is then that of all its cuts, if none is given.
        mixers: Mixers that may stand in a checkpoint's layers beside its own, such as [c_5, l_dft,
            hedgehog]; each is fitted to what the layer's attention gave.
        prior: Measure what parts of a checkpoint are worth and take, for policy and first cuts.
        policy: What proposes architectures.
        policy_options: Options of that policy.
        objectives: Score or cost to direction, "max" or "min"; the first one is "the best".
        constraints: Such as "parameters < 15e6".
        data: "glue-mini", "hub", or a directory in the official GLUE layout; "own" where all
            tasks are the user's own.
        corpus: Text files to pre-train on; none takes the data's own text.
        tasks: Names of GLUE tasks to train on, and tasks of one's own: `name`, `train`, `dev`,
            `test`, `text`, `label`, `kind`, `metrics`, `language`. None takes all that the data
            has, without WNLI.
        suites: Suites that each trial is scored on after pre-training, under their names: such as
            {blimp: {data: FOLDER, limit: 20}}, with 20 pairs of each file.
        trials: How many architectures to train.
        time: No trial starts that would end later than this many seconds after the start.
        gpu_hours: No trial starts that would bring all trials together above so many hours of GPU.
        cost: No trial starts that would bring all trials together above so much money.
        price_per_hour: Money for an hour of what one trial reserves; needed by `cost`.
        patience: Stop after so many results in a row that improved neither the best value nor, with
            several objectives, the hypervolume of the front.
        fidelity: "full" trains every architecture to the end; "asha", "hyperband" and "median"
            train first with a share of the pre-training tokens, and the promising ones further;
            "policy" as "asha", but the policy says with which share a proposal starts.
        fidelities: Those shares, ascending, the last one 1.
        fidelity_tasks: For each of them but the last, the tasks that it fine-tunes, such as
            [[sst2], [sst2, rte]]; none fine-tunes all tasks at every fidelity.
        reduction: "asha" and "hyperband" promote one in so many.
        inheritance: Start a trial from the weights of the most similar finished one, if that shares
            enough of its layers.
        finalists: So many of the front are trained again in the end, beside plain encoders.
        finalist_seeds: With so many fresh seeds each; see `nas.search.finalists`.
        finalist_longer: And so many times the passes of a trial, where they are cuts of a
            checkpoint: they learn from it for longer.
        retry_nan: Repeat a trial that ran into NaN once, at half the learning rate.
        seed: Decides proposals, training and data generation.
        recipe: The training recipe: `preset` and any of its fields to change.
        execution: Where and how trials run.
        trackers: Trackers that hear of each trial beside TensorBoard: mlflow, wandb.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="search", max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    space: str | dict[str, Any] = "flexibert-micro"
    checkpoint: Place = None
    mixers: Mixers = ()
    prior: bool = False
    policy: str = "boshnas"
    policy_options: dict[str, Any] = {}
    objectives: Annotated[dict[str, str], BeforeValidator(parse_objectives)] = {
        "glue": "max",
        "parameters": "min",
        "latency_ms": "min",
    }
    constraints: Names = ()
    data: str = "glue-mini"
    corpus: Paths = ()
    tasks: Tasks = ()
    suites: Suites = {}
    trials: int = Field(default=16, ge=1, le=LARGEST)
    time: Seconds | None = None
    gpu_hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    cost: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    price_per_hour: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    patience: int | None = Field(default=None, ge=1, le=LARGEST)
    fidelity: str = "full"
    fidelities: tuple[float, ...] = (0.11, 0.33, 1.0)
    fidelity_tasks: tuple[Names, ...] = ()
    reduction: float = Field(default=3.0, gt=1, allow_inf_nan=False)
    inheritance: bool = False
    finalists: int = Field(default=0, ge=0, le=100)
    finalist_seeds: int = Field(default=3, ge=1, le=100)
    finalist_longer: int = Field(default=1, ge=1, le=100)
    retry_nan: bool = False
    seed: int = Field(default=0, ge=0, le=LARGEST)
    recipe: dict[str, Any] = {}
    execution: Execution = Execution()
    trackers: Names = ()

    @property
    def own_tasks(self) -> tuple[TaskSettings, ...]:
        """Those of the tasks that are the user's own."""
        return tuple(task for task in self.tasks if isinstance(task, TaskSettings))

    @property
    def task_names(self) -> tuple[str, ...]:
        """The names of the tasks, in their order; none where the data decides."""
        return tuple(t.name if isinstance(t, TaskSettings) else t for t in self.tasks)

    @field_validator("constraints")
    @classmethod
    def _constraints_parse(cls, constraints: tuple[str, ...]) -> tuple[str, ...]:
        for constraint in constraints:
            parse_constraint(constraint)
        return constraints

    @field_validator("fidelities")
    @classmethod
    def _fidelities_ascend(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        ascending = list(shares) == sorted(set(shares)) and all(0 < share <= 1 for share in shares)
        if not shares or not ascending or shares[-1] != 1:
            raise InvalidExperiment(
                "give ascending shares of the pre-training tokens that end at 1, such as "
                "[0.11, 0.33, 1.0]"
            )
        return shares

    @model_validator(mode="after")
    def _rules_exist(self) -> "Experiment":
        from nas.fidelity_rules import FIDELITY_RULES

        if self.fidelity not in FIDELITY_RULES:
            raise UnknownName("fidelity rule", self.fidelity, FIDELITY_RULES)
        if self.cost is not None and self.price_per_hour is None:
            raise InvalidExperiment(
                f"cost is {self.cost:g}, but nothing says what an hour costs. Set price_per_hour "
                "to the money for an hour of what one trial reserves."
            )
        return self

    @model_validator(mode="after")
    def _suites_can_be_scored(self) -> "Experiment":
        if self.suites and self.checkpoint is not None:
            raise InvalidExperiment(
                f"suites is {', '.join(self.suites)}, which asks what predicts masked tokens, and "
                "nothing of a checkpoint's cuts does. Leave suites or the checkpoint out."
            )
        return self

    @model_validator(mode="after")
    def _tasks_of_fidelities_suffice(self) -> "Experiment":
        from nas.fidelity_tasks import check_fidelity_tasks

        if self.fidelity_tasks:
            wanted = (*self.objectives, *(parse_constraint(c)[0] for c in self.constraints))
            check_fidelity_tasks(self, wanted)
        return self

    @model_validator(mode="after")
    def _objectives_exist(self) -> "Experiment":
        from nas.evaluation.derived import OBJECTIVES
        from nas.evaluation.mean_score import mean_name
        from nas.evaluation.suites.glue import GLUE

        if self.execution.trial_function:
            return self  # measures what it likes
        known = ("glue", *GLUE, *COSTS)
        if self.own_tasks:
            known = (mean_name(self.task_names), *self.task_names, *COSTS)
        known = (*known, *self.suites)
        for name in (*self.objectives, *(parse_constraint(c)[0] for c in self.constraints)):
            if name not in known and name not in OBJECTIVES:
                explain_objective(name)
                raise UnknownName("objective", name, (*known, *OBJECTIVES))
        return self


def space_title(space: str | Mapping[str, Any]) -> str:
    """Return what people call the space of an experiment: its name, or its first words."""
    if isinstance(space, str):
        return space
    return str(space.get("description") or "a space of its own").rstrip(".")


def _message(error: ValidationError) -> str:
    """Say the first problem of a pydantic error the way the rest of the project does."""
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"] if isinstance(part, str))
    cause = problem.get("ctx", {}).get("error")
    if problem["type"] == "extra_forbidden":
        model = Execution if place.startswith("execution.") else Experiment
        return str(UnknownName("setting", place.split(".")[-1], model.model_fields))
    text = str(cause) if cause is not None else problem["msg"]
    return f"{place or 'experiment'}: {text} (given: {shown(problem['input'])})."


def make_experiment(settings: Mapping[str, Any]) -> Experiment:
    """Return the experiment that `settings` describe, defaults filled in.

    Raises:
        InvalidExperiment: A key or a value that is not allowed; the message says which and why.
    """
    try:
        return Experiment.model_validate(with_own_tasks(with_suite_tasks(settings)))
    except ValidationError as error:
        raise InvalidExperiment(_message(error)) from None


def read_settings(path: Path | str) -> dict[str, Any]:
    """Return the settings of an experiment file, not yet validated.

    Raises:
        InvalidExperiment: The file is missing, is no YAML, or holds no mapping.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidExperiment(f"There is no experiment file {str(path)!r}. Give a YAML file.")
    settings = read_document(path, InvalidExperiment) or {}
    if not isinstance(settings, dict):
        raise InvalidExperiment(
            f"{path} holds {type(settings).__name__}, not settings. Write lines like 'trials: 16'."
        )
    return settings


def write_experiment(experiment: Experiment, path: Path) -> None:
    """Write the resolved experiment as YAML."""
    text = yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_whole(path, text)
    if has_secrets(experiment.execution.storage or ""):  # which a resume needs, and nobody else
        path.chmod(0o600)
