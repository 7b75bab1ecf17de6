"""Which tasks begin from the weights of another one, and from which."""

from nas.training.recipe import Recipe

# What `full(start=mnli)`, which is `from_mnli`, starts from the weights fine-tuned on MNLI.
FROM_MNLI = ("mrpc", "rte", "stsb")


def start_of(recipe: Recipe, task: str) -> str | None:
    """Return the task whose fine-tuned weights `task` begins from; None for pre-trained ones."""
    between = intermediate_task(recipe)
    if between is None or task == between:
        return None
    return None if recipe.from_mnli and task not in FROM_MNLI else between


def intermediate_task(recipe: Recipe) -> str | None:
    """Return the task that others begin from, if there is one."""
    if recipe.from_mnli:
        return "mnli"
    parts = [p for p in recipe.standing("finetuning") if p.kind == "stilts"]
    return dict(parts[0].settings).get("task", "mnli") if parts else None
