"""Fine-tuning on one task, with what is chosen for it: its head, and what weights are picked by."""

from nas.data.prepared import EncodedSplit, PreparedData
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.training.budget import WHOLE, Budget
from nas.training.checkpoint import Checkpoint
from nas.training.distillation import Lesson
from nas.training.finetune import Finetuning, finetune
from nas.training.finetunings import finetuning_of
from nas.training.recipe import Recipe
from nas.training.rehearsal import Rehearsal
from nas.training.seeds import named_seed, random_state
from nas.training.selection import hold_out
from nas.training.watch import Watch
from search_spaces.errors import TrialError

# The lowest value of any metric: what a setting gets whose training fell apart.
_WORST = -1.0


def task_head(encoder: Encoder, task: Task, recipe: Recipe, seed: int) -> ClassificationHead:
    """Return the untrained head of a task, beside the encoder on its device."""
    with random_state(named_seed(seed, "head")):
        outputs = TASK_KINDS[task.kind].outputs(task)
        head = ClassificationHead(encoder.width, outputs, recipe.dropout)
    return head.to(next(encoder.parameters()).device)


def splits_of(
    task: Task, data: PreparedData, recipe: Recipe, seed: int, *, tuning: bool = False
) -> tuple[dict[str, EncodedSplit], list[EncodedSplit]]:
    """Return the splits to train and report on, and those to choose on."""
    splits = dict(data.tasks[task.name])
    if recipe.selection == "dev":
        return splits, [splits[name] for name in task.dev]
    if recipe.selection == "none" and not tuning:
        return splits, []
    splits["train"], held_out = hold_out(
        splits["train"], recipe.selection_share, named_seed(seed, "held out")
    )
    return splits, [held_out]


def finetune_task(
    encoder: Encoder,
    task: Task,
    data: PreparedData,
    recipe: Recipe,
    seed: int,
    watch: Watch,
    precision: str,
    head: ClassificationHead | None = None,
    *,
    budget: Budget = WHOLE,
    checkpoint: Checkpoint | None = None,
    lesson: Lesson | None = None,
) -> Finetuning:
    """Train `encoder` in place on one task, with the head that `task_head` gives unless given.

    What `per_task` says is in `recipe` already; see `Recipe.for_task`.
    """
    head = task_head(encoder, task, recipe, seed) if head is None else head
    splits, select_on = splits_of(task, data, recipe, seed)
    ways, kept = finetuning_of(recipe), checkpoint or Checkpoint(None, {})
    rehearse = None
    if lesson is None and ways.fits > 1:
        rehearse = Rehearsal(
            encoder, head, task, recipe, seed, watch, precision, budget, kept
        )  # fmt: skip
        splits = ways.examples(task, splits, rehearse)
    result = finetune(
        encoder, head, task, splits, recipe,
        seed=seed, watch=watch, precision=precision, budget=budget, checkpoint=checkpoint,
        select_on=select_on, lesson=lesson, ways=ways,
    )  # fmt: skip
    if rehearse is not None:
        rehearse.end()
    return result


def setting_score(
    encoder: Encoder,
    task: Task,
    data: PreparedData,
    run: Recipe,
    recipe: Recipe,
    seed: int,
    number: int,
    watch: Watch,
    precision: str,
    budget: Budget,
) -> float:
    """Return what a setting that is tried reaches, larger is better; the lowest where it fails.

    Args:
        encoder: With the weights that the task starts from.
        task: What is learnt.
        data: Holds its examples.
        run: Says what settings are chosen by.
        recipe: The run's with the setting.
        seed: Of the task.
        number: Of the try.
        watch: The trial's clock.
        precision: "fp32" or "bf16" (autocast).
        budget: How batches pass.

    Raises:
        TrialError: The time is up, or memory is too small.
    """
    splits, chosen_on = splits_of(task, data, run, seed, tuning=True)
    if run.selection != "dev":
        splits |= dict.fromkeys(task.dev, chosen_on[0])
    head = task_head(encoder, task, recipe, seed)
    try:
        result = finetune(
            encoder,
            head,
            task,
            {"train": splits["train"], **dict.fromkeys(task.dev, chosen_on[0])}
            if run.selection != "dev"
            else splits,
            recipe,
            seed=named_seed(seed, "try", str(number)),
            watch=watch,
            precision=precision,
            budget=budget,
            select_on=() if run.selection == "none" else chosen_on,
        )
    except TrialError as error:
        if error.cause != "nan":
            raise
        return _WORST
    return result.score
