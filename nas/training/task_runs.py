"""Fine-tuning a pre-trained encoder on task after task, several times each if asked to."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from nas.data.prepared import PreparedData
from nas.evaluation.suites.glue import glue_task
from nas.evaluation.suites.task import Task
from nas.models.coupling import uncouple
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.teachers.general import GeneralText
from nas.teachers.lessons import Cut, Lessons, Origin
from nas.teachers.replacement import replaced_layers
from nas.training.budget import WHOLE, Budget
from nas.training.checkpoint import Checkpoint, part
from nas.training.distillation import Distillation, Lesson, distillation_of
from nas.training.finetune import Finetuning
from nas.training.in_steps import cut_in_steps, share_kept
from nas.training.intermediate import intermediate_task, start_of
from nas.training.one_task import finetune_task, setting_score, task_head
from nas.training.prediction import Scale
from nas.training.recipe import Recipe
from nas.training.seeds import named_seed
from nas.training.task_result import TaskResult
from nas.training.taught import require_comparable
from nas.training.together import JointTraining
from nas.training.tuning import tune
from nas.training.watch import Watch
from search_spaces.architectures.architecture import Architecture

_HALF = 0.5

Keep = Callable[[Task, Encoder, ClassificationHead, Finetuning], None]


@dataclass
class TaskTraining:
    """Fine-tunes one encoder on tasks, each from the weights it has when this is made.

    Attributes:
        encoder: Pre-trained; its weights change.
        data: Holds the tasks' examples.
        recipe: How to fine-tune.
        seed: The trial's; each task and repetition has its own stream.
        watch: The trial's clock.
        precision: "fp32" or "bf16" (autocast).
        budget: What pre-training had; results of another share are not taken over.
        checkpoint: Where finished fine-tunings are noted, so that they are not repeated.
        keep: Called with task, encoder, head and result of the first fine-tuning of each task,
            while their weights are those that were scored.
        seconds: Filled with the seconds of each task.
        lessons: A teacher's: each task learns from the answers of the teacher fine-tuned on it if
            the recipe says how, and cuts start from what is cut out of that.
        magnitude: Whether cuts are made by the smallest weights, in any case in steps: a baseline.
        relations: Columns that say how tasks are related, where they are learnt at once.
    """

    encoder: Encoder
    data: PreparedData
    recipe: Recipe
    seed: int
    watch: Watch
    precision: str
    budget: Budget = WHOLE
    checkpoint: Checkpoint = field(default_factory=lambda: Checkpoint(None, {}))
    keep: Keep | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    lessons: Lessons | None = None
    magnitude: bool = False
    relations: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._start = {name: value.clone() for name, value in self.encoder.state_dict().items()}
        self._between: dict[int, dict[str, Tensor]] = {}

    def run(self, tasks: Iterable[Task]) -> dict[str, TaskResult]:
        """Fine-tune on `tasks`; return how each went, in their order.

        Raises:
            TrialError: Training became unstable or ran out of time.
        """
        tasks = list(tasks)
        # others may start from what one of them ends with
        between = intermediate_task(self.recipe)
        for task in sorted(tasks, key=lambda t: between is not None and t.name != between):
            before = self.watch.elapsed
            setting = self._tuned(task)
            for number in range(self.recipe.finetune_seeds):
                self._once(task, number, setting)
            self.seconds[task.name] = self.watch.elapsed - before
        if self._joint is not None:
            self._joint.recall()
        self.checkpoint.remove("finetune")
        uncouple(self.encoder)
        return {task.name: self._result(task) for task in tasks}

    def _result(self, task: Task) -> TaskResult:
        runs = [
            self._finished["runs"][_key(task, number)]
            for number in range(self.recipe.finetune_seeds)
        ]
        return TaskResult(
            tuple(Finetuning(**{**run, "scale": Scale(**run["scale"])}) for run in runs),
            self._finished["settings"].get(task.name, {}),
        )

    @cached_property
    def _joint(self) -> JointTraining | None:
        """What trains all tasks at once, where the recipe says so."""
        if all(part.kind != "multi-task" for part in self.recipe.standing("finetuning")):
            return None
        start = self._start
        if self._cuts:
            start = self.lessons.cut(self.encoder.architecture).encoder
        return JointTraining(
            self.encoder, self.data, self.recipe, self.seed, self.watch, self.precision,
            self.budget, self.checkpoint, start, self.relations,
        )  # fmt: skip

    @cached_property
    def _finished(self) -> dict[str, Any]:
        """What is done already, as JSON types: settings by task, results by task and number."""
        state = self.checkpoint.load("tasks")
        if state is None or state.values["share"] != self.budget.share:
            return {"share": self.budget.share, "tried": {}, "settings": {}, "runs": {}}
        return state.values

    def _note(self) -> None:
        self.checkpoint.save("tasks", {}, self._finished)

    def _once(self, task: Task, number: int, setting: dict[str, Any]) -> None:
        key = _key(task, number)
        if key in self._finished["runs"] and (self.keep is None or number):
            return
        seed = named_seed(self.seed, task.name, *([str(number)] if number else []))
        head = task_head(self.encoder, task, self.recipe, seed)
        recipe = replace(self.recipe.for_task(task.name), **setting)
        uncouple(self.encoder)  # what a fine-tuning put beside the layers before
        if self._joint is not None:
            result = self._joint.result(task, number, head)
        else:
            result = self._alone(task, number, recipe, seed, head)
        if self.keep is not None and not number:
            self.keep(task, self.encoder, head, result)
        if task.name == intermediate_task(self.recipe):
            weights = {name: v.clone() for name, v in self.encoder.state_dict().items()}
            self._between[number] = weights
            self.checkpoint.save(
                f"{task.name}-{number}", {f"encoder.{k}": v for k, v in weights.items()}
            )
        self._finished["runs"][key] = asdict(result)
        self._note()

    def _alone(
        self, task: Task, number: int, recipe: Recipe, seed: int, head: ClassificationHead
    ) -> Finetuning:
        """Fine-tune encoder and `head` on one task."""
        lesson, budget = None, self.budget
        if not self._cuts or start_of(self.recipe, task.name) is not None:
            self.encoder.load_state_dict(self._weights_before(task, number))
            if self.lessons is not None and not self._cuts:
                lesson = self._taught(task, recipe)
        else:
            how, steps = distillation_of(self.recipe), 1
            if how is not None and (self.magnitude or self._keeps_less_than_half()):
                steps = how.steps
            cut = self._cut(task, recipe, how, steps, head, seed)
            self.encoder.load_state_dict(cut.encoder)
            head.load_state_dict(cut.classifier)
            if how is not None:
                lesson = self._lesson(task, how, cut.origin)
                budget = replace(budget, share=budget.share / steps)
        return finetune_task(
            self.encoder,
            task,
            self.data,
            recipe,
            seed,
            self.watch,
            self.precision,
            head,
            budget=budget,
            checkpoint=self.checkpoint,
            lesson=lesson,
        )

    def _cut(
        self,
        task: Task,
        recipe: Recipe,
        how: Distillation | None,
        steps: int,
        head: ClassificationHead,
        seed: int,
    ) -> Cut:
        """Return what the encoder starts a task with, cut out of the teacher in some steps."""
        if how is None or (steps == 1 and not self.magnitude):
            split = self.data.tasks[task.name]["train"]
            return self.lessons.cut(self.encoder.architecture, task.name, split)

        def learn(encoder: Encoder, head: ClassificationHead, origin: Origin, step: int) -> None:
            finetune_task(
                encoder,
                task,
                self.data,
                replace(recipe, selection="none"),
                named_seed(seed, "step", str(step)),
                self.watch,
                self.precision,
                head,
                budget=replace(self.budget, share=self.budget.share / steps),
                lesson=self._lesson(task, how, origin),
            )

        return cut_in_steps(
            self.encoder.architecture,
            self.lessons,
            task.name,
            self.data.tasks[task.name]["train"],
            steps=steps,
            build=self._like,
            head=head,
            learn=learn,
            magnitude=self.magnitude,
        )

    def _keeps_less_than_half(self) -> bool:
        # up to there a cut at once is as good; a mixer that the teacher lacks is put there at once
        if replaced_layers(self.encoder.architecture, self.lessons.architecture):
            return False
        return share_kept(self.encoder.architecture, self.lessons.architecture) < _HALF

    def _like(self, architecture: Architecture) -> Encoder:
        """Return an encoder of another architecture, otherwise like the one that is trained."""
        of = self.encoder
        dropout = max((m.p for m in of.modules() if isinstance(m, nn.Dropout)), default=0.0)
        found = Encoder(
            architecture,
            of.vocabulary_size,
            max_length=of.max_length,
            positions=self.recipe.positions,
            dropout=dropout,
            pooling=of.pooling,
            texts=of.texts,
        )
        return found.to(next(of.parameters()).device)

    def _lesson(self, task: Task, how: Distillation, origin: Origin) -> Lesson:
        splits = {name: found["train"] for name, found in self.data.tasks.items()}
        answers = self.lessons.answers(origin, task.name, splits[task.name], how.reads)
        general = GeneralText(
            self.lessons,
            task.name,
            origin,
            list(splits.values()),
            size=self.recipe.finetune_batch,
            seed=named_seed(self.seed, task.name, "general text"),
        )
        return Lesson(how, answers, general)

    @property
    def _cuts(self) -> bool:
        return self.lessons is not None and self.lessons.cuts

    def _taught(self, task: Task, recipe: Recipe) -> Lesson | None:
        """Return what a student that is no cut learns."""
        how = distillation_of(recipe)
        if how is None:
            return None
        require_comparable(how, self.encoder, self.lessons.architecture)
        aims = self.lessons.aims(len(self.encoder.layers))
        split = self.data.tasks[task.name]["train"]
        answers = self.lessons.answers(aims, task.name, split, how.reads)
        return Lesson(how, answers, follows=True)

    def _weights_before(self, task: Task, number: int) -> dict[str, Tensor]:
        start = start_of(self.recipe, task.name)
        if start is None and self._cuts:
            return self.lessons.cut(self.encoder.architecture, task.name).encoder
        if start is None:
            return self._start
        if number not in self._between:
            state = self.checkpoint.load(f"{start}-{number}")
            if state is None:
                before = glue_task(start)
                self._finished["runs"].pop(_key(before, number), None)
                self._once(before, number, self._tuned(before))
                return self._between[number]
            self._between[number] = part(state.tensors, "encoder")
        return self._between[number]

    def _tuned(self, task: Task) -> dict[str, Any]:
        """Return the setting of `task` that tuning finds, or none where it is off."""
        settings = self._finished["settings"]
        if not self.recipe.tune_trials:
            return {}
        if task.name not in settings:
            own = self.recipe.for_task(task.name)
            tried = self._finished["tried"].get(task.name, [])

            def note(pairs: list[tuple[dict[str, Any], float]]) -> None:
                self._finished["tried"][task.name] = [[s, v] for s, v in pairs]
                self._note()

            found = tune(
                own,
                lambda recipe, number: self._tuning_score(task, recipe, number),
                seed=named_seed(self.seed, task.name, "tuning"),
                done=[(setting, value) for setting, value in tried],
                note=note,
            )
            settings[task.name] = {
                "finetune_learning_rate": found.finetune_learning_rate,
                "finetune_batch": found.finetune_batch,
            }
            self._note()
        return settings[task.name]

    def _tuning_score(self, task: Task, recipe: Recipe, number: int) -> float:
        uncouple(self.encoder)
        self.encoder.load_state_dict(self._weights_before(task, 0))
        return setting_score(
            self.encoder, task, self.data, self.recipe, recipe, named_seed(self.seed, task.name),
            number, self.watch, self.precision, self.budget,
        )  # fmt: skip


def _key(task: Task, number: int) -> str:
    return f"{task.name}/{number}"


def set_dropout(module: nn.Module, probability: float) -> None:
    """Set the probability of every dropout in `module`."""
    for inner in module.modules():
        if isinstance(inner, nn.Dropout):
            inner.p = probability
