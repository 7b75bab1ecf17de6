"""What a recipe leaves open for architectures to choose, and what may stand in its slots."""

from collections.abc import Mapping
from typing import Any

from nas.training.aliases import refuse_both
from search_spaces.errors import InvalidArchitecture, InvalidExperiment, InvalidSpace
from search_spaces.flexibert.options import recipe_values
from search_spaces.kinds import RECIPE_SLOTS
from search_spaces.recipes import NUMBERS, Phases, flattened, read_phases

# Why a field is the same for all trials of a search, by what it would change.
_CLOSED = {
    "it changes the data": (
        "tasks", "own_tasks", "tokenizer", "vocabulary_size", "max_length", "block_length",
        "corpus_tokens", "max_train_examples",
    ),
    "it changes what is measured, or how often": (
        "max_dev_examples", "finetune_seeds", "selection", "selection_share", "tune_trials",
    ),
    "it is the budget that all trials have": (
        "pretrain_tokens", "finetune_steps", "inherit_tokens",
    ),
    "it belongs to the machine": ("precision", "device", "threads"),
}  # fmt: skip
OPEN = (
    *(name for name in NUMBERS if not any(name in names for names in _CLOSED.values())),
    *RECIPE_SLOTS,
)


def with_open(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a recipe with fields that are left open under the key "open".

    Raises:
        InvalidExperiment: A field may not be open, has values that are not allowed, or is given
            twice, by its slot or otherwise.
    """
    choices = values.get("open") or {}
    if not isinstance(choices, Mapping):
        raise InvalidExperiment(
            f"open is {choices!r}. Give a mapping from fields of the recipe to lists of values."
        )
    choices = dict(choices)
    closed = {}
    for key, value in values.items():
        if key == "open":
            continue
        listed = isinstance(value, list | tuple) and key not in ("tasks", "own_tasks")
        if listed or (isinstance(value, Mapping) and key != "per_task"):
            if key in choices:
                raise InvalidExperiment(
                    f"The recipe leaves {key} open twice: {value!r} and {choices[key]!r}. Give it "
                    "once."
                )
            choices[key] = value
        else:
            closed[key] = value
    refuse_both((*closed, *choices))
    for key, value in choices.items():
        check_open(key)
        try:
            choices[key] = recipe_values(key, value)
        except InvalidSpace as error:
            raise InvalidExperiment(str(error)) from None
    return {**closed, **({"open": choices} if choices else {})}


def check_open(name: str) -> None:
    """Check that architectures may choose a field or slot.

    Raises:
        InvalidExperiment: They may not; the message has the reason.
    """
    if name in OPEN:
        return
    reason = next((why for why, names in _CLOSED.items() if name in names), None)
    raise InvalidExperiment(
        f"The recipe leaves {name} open, which cannot be chosen with an architecture: "
        f"{reason or 'it is no number of the training'}. Open may be: {', '.join(OPEN)}. "
        f"Give {name} one value."
    )


def standing_in(slot: str, text: object) -> Phases:
    """Return the phases that stand in a slot of a recipe, each a sum of parts.

    Raises:
        InvalidExperiment: There is no such slot, kind, setting or value.
    """
    if slot not in RECIPE_SLOTS:
        raise InvalidExperiment(f"A recipe has no slot {slot!r}. Slots: {', '.join(RECIPE_SLOTS)}.")
    try:
        phases = read_phases(slot, text)
    except InvalidArchitecture as error:
        raise InvalidExperiment(f"recipe: {error}") from None
    if len(phases) > 1 and slot != "objective":
        raise InvalidExperiment(
            f"{slot} is {text!r}, of {len(phases)} phases, and has one. Write a sum, such as "
            f"{'+'.join(str(part) for part in flattened(phases))!r}, or one kind."
        )
    return phases
