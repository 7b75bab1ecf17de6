"""What no way of fine-tuning can stand beside, with the reason and the nearest that works."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import SLOTS
from search_spaces.parts import Part, Value
from search_spaces.recipes import flattened, read_phases

if TYPE_CHECKING:
    from nas.training.recipe import Recipe

# what is refused, why, and the nearest that works
Objections = Iterator[tuple[str, str, str]]


def between(recipe: "Recipe") -> Objections:
    """Object to an intermediate task that is not there."""
    for part in recipe.standing("finetuning"):
        task = dict(part.settings).get("task", "mnli")
        if part.kind == "stilts" and task not in recipe.tasks:
            listed = [t for t in ("mnli", "qnli", "qqp") if t in recipe.tasks]
            instead = f"stilts(task={listed[0]})" if listed else "full"
            yield (
                f"finetuning: {part} on the tasks {', '.join(recipe.tasks)}",
                f"all begin from weights fine-tuned on {task}, which is not among them",
                f"finetuning: {instead}, or tasks with {task} among them",
            )


def reversed_layers(recipe: "Recipe") -> Objections:
    """Object to what layers that run backwards cannot do."""
    for part in recipe.standing("finetuning"):
        if part.kind != "meft":
            continue
        from nas.models.reversible import HALF_SEGMENT

        (optimizer,) = recipe.standing("finetune_optimizer")
        if optimizer.kind == "adahessian":
            yield (
                f"finetuning: {part} with finetune_optimizer: {optimizer}",
                "the curvature needs gradients of gradients, and what made them is not kept",
                "finetune_optimizer: adamw",
            )
        if recipe.precision == "bf16" and not 1 <= _settings(part)["segment"] <= HALF_SEGMENT:
            yield (
                f"finetuning: {part} with precision: bf16",
                "what went into a layer is computed from what came out, and half precision loses "
                f"it over more than {HALF_SEGMENT} layers",
                f"finetuning: {_with(part, segment=HALF_SEGMENT)}, or precision: fp32",
            )
        others = [other for other in recipe.standing("finetuning") if other.kind == "stilts"]
        if others or recipe.from_mnli:
            between = str(others[0]) if others else "full(start=mnli)"
            yield (
                f"finetuning: {part}+{between}",
                "what the intermediate task taught would lie in adapters that the next one drops",
                f"finetuning: lora+{between}",
            )
        if any(other.kind == "lora" for other in recipe.standing("finetuning")):
            yield (
                f"finetuning: {part}+lora",
                "both put adapters into the same frozen layers",
                f"finetuning: {part}",
            )


def together(recipe: "Recipe") -> Objections:
    """Object to what tasks that learn at once cannot have each for itself."""
    parts = recipe.standing("finetuning")
    for part in parts:
        if part.kind != "multi-task":
            continue
        beside = [str(other) for other in parts if other.kind not in (part.kind, "sift")]
        if beside:
            yield (
                f"finetuning: {part}+{beside[0]}",
                "all tasks share one encoder, which the other would change for one of them",
                f"finetuning: {part}",
            )
        if len(recipe.tasks) < 2:
            yield (
                f"finetuning: {part} on the task {recipe.tasks[0]} alone",
                "there is none to learn together with",
                "finetuning: full",
            )
        if recipe.selection != "none" or recipe.tune_trials:
            yield (
                f"finetuning: {part} with selection: {recipe.selection}, "
                f"tune_trials: {recipe.tune_trials}",
                "the weights after a pass, or a setting, would be chosen for one task alone",
                "selection: none, and tune_trials: 0",
            )
        rates = [name for name, own in recipe.per_task.items() if "learning_rate" in own]
        if rates:
            yield (
                f"finetuning: {part} with per_task: a learning_rate of {rates[0]}",
                "one optimizer moves the weights of all tasks",
                "one finetune_learning_rate",
            )


def examples(recipe: "Recipe") -> Objections:
    """Object to several that decide what is learnt from, or by what loss."""
    deciding = ("self-calibrated", "transductive", "preference-heads")
    parts = [part for part in recipe.standing("finetuning") if part.kind in deciding]
    if len(parts) > 1:
        yield (
            f"finetuning: {'+'.join(map(str, parts))}",
            "each decides alone which examples count, and how much",
            f"finetuning: {parts[0]}",
        )


def heads(recipe: "Recipe") -> Objections:
    """Object to a frozen backbone beside what would let it learn."""
    parts = recipe.standing("finetuning")
    for part in parts:
        if part.kind != "preference-heads" or _settings(part)["backbone"] != "frozen":
            continue
        beside = [str(other) for other in parts if other.kind in ("lora", "meft")]
        if beside:
            yield (
                f"finetuning: {part}+{beside[0]}",
                "one freezes what the other trains",
                f"finetuning: {_with(part, backbone='learns')}+{beside[0]}",
            )


def refuse_in_search(recipe: "Recipe", offered: Iterable[str] = (), *, even: bool = True) -> None:
    """Check that no trial of a search would learn from what candidates are compared on.

    Nor that one would have layers that cannot be reversed.

    Args:
        recipe: The run's.
        offered: What else a space offers for the way of fine-tuning.
        even: Whether the layers of each candidate are of one width.

    Raises:
        InvalidExperiment: One would.
    """
    texts = [*offered, *recipe.open.get("finetuning", ())]
    parts = [p for text in texts for p in flattened(read_phases("finetuning", text))]
    for part in (*recipe.standing("finetuning"), *parts):
        if part.kind == "transductive":
            raise InvalidExperiment(
                f"finetuning: {part} in a search is refused: it learns from the development inputs "
                "that candidates are compared on. Nearest that works: finetuning: full, and then "
                f"nas train RUN/best --recipe finetuning='{part}'."
            )
        if part.kind == "meft" and not even:
            raise InvalidExperiment(
                f"finetuning: {part} in a space whose layers differ in width is refused: both "
                "streams of a layer must be as wide as those of the next. Nearest that works: "
                "finetuning: lora, or shared: width in the space."
            )


def taught(recipe: "Recipe") -> Objections:
    """Object to what would be ignored where a teacher's answers are the loss."""
    teacher = recipe.standing("distillation")[0].kind != "none"
    for part in recipe.standing("finetuning"):
        if teacher and part.kind not in ("full", "lora") and part.kind in SLOTS["finetuning"].kinds:
            yield (
                f"finetuning: {part} with a teacher",
                "every task begins from the teacher's weights and is answered as it stands",
                "finetuning: full, or distillation: none",
            )


def _settings(part: Part) -> dict[str, Value]:
    return SLOTS["finetuning"].kinds[part.kind].settings_of(part)


def _with(part: Part, **settings: Value) -> Part:
    return Part.of(part.kind, dict(part.settings) | settings)


FINETUNING_RULES = (between, reversed_layers, together, examples, heads, taught)
