"""What of a training may be chosen together with the architecture, and how its values compare.

A choice is a plain number of a recipe (`NUMBERS`), or what stands in one of its slots, as text. Two
slots hold sums of parts in phases: `mlm+wso > rtd`.
"""

from collections.abc import Mapping, Sequence

from search_spaces.errors import InvalidArchitecture
from search_spaces.kinds import RECIPE_SLOTS, SLOTS
from search_spaces.parts import Part, Setting, Value, read_value

Phases = tuple[tuple[Part, ...], ...]

# Numbers of a recipe: how their values compare, and what an octave or a unit of them weighs.
NUMBERS: Mapping[str, Setting] = {
    "pretrain_learning_rate": Setting(2e-3),
    "finetune_learning_rate": Setting(1e-3),
    "pretrain_batch": Setting(16),
    "finetune_batch": Setting(32),
    "finetune_epochs": Setting(5),
    "mask_rate": Setting(0.3, "line", weight=0.1),
    "pretrain_decay": Setting(0.5, "line", weight=0.05),
    "size_exponent": Setting(0.0, "line", weight=0.05),
    "short_blocks": Setting(0.0, "line", weight=0.05),
    "warmup": Setting(0.1, "line", weight=0.05),
    "weight_decay": Setting(0.01, "line", weight=0.05),
    "clip": Setting(1.0),
    "dropout": Setting(0.1, "line", weight=0.1),
    "pretrain_dropout": Setting(0.1, "line", weight=0.1),
    "inherit_tokens": Setting(0.2),
    "inherit_learning_rate": Setting(1.0),
}


def read_choice(name: str, value: object) -> Value:
    """Return one choice of a training as it is kept: a number, or the text of parts.

    Raises:
        InvalidArchitecture: If it is no number and no text, or a slot cannot have it.
    """
    if name in RECIPE_SLOTS:
        return write_phases(read_phases(name, value))
    found = read_value(value) if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        raise InvalidArchitecture(
            f"recipe: {name} is {value!r}. Give a number, or the text of a part."
        )
    if isinstance(found, int | float) and not abs(found) < 2**53:
        raise InvalidArchitecture(f"recipe: {name} is {value!r}. Give a finite number.")
    if isinstance(found, float) and found == int(found) and name in NUMBERS:
        # 2.0 and 2 are one choice
        return type(NUMBERS[name].default)(found)
    if isinstance(found, int) and name in NUMBERS:
        return type(NUMBERS[name].default)(found)
    return found


def read_phases(slot: str, value: object) -> Phases:
    """Return the phases of a slot of the recipe, each a sum of parts sorted by text.

    Raises:
        InvalidArchitecture: If there is no such kind, setting or value, or the slot holds one part
            and several are given.
    """
    if isinstance(value, Part):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise InvalidArchitecture(
            f"{slot} is {value!r}. Write what stands there, such as {SLOTS[slot].default!r}."
        )
    phases = []
    for text in _split(value, ">"):
        parts = {SLOTS[slot].read(one.strip()) for one in _split(text, "+")}
        phases.append(tuple(sorted(parts, key=str)))
    if not SLOTS[slot].ordered and (len(phases) > 1 or len(phases[0]) > 1):
        raise InvalidArchitecture(
            f"{slot} is {value!r}, but one {SLOTS[slot].title} stands there at a time. Choose one "
            f"of {', '.join(SLOTS[slot].kinds)}."
        )
    return tuple(phases)


def flattened(phases: Phases) -> tuple[Part, ...]:
    """Return the parts of all phases, each once, in order."""
    return tuple(dict.fromkeys(part for phase in phases for part in phase))


def write_phases(phases: Sequence[Sequence[Part]]) -> str:
    """Return phases as text; `read_phases` reads it back."""
    return " > ".join("+".join(str(part) for part in phase) for phase in phases)


def _split(text: str, mark: str) -> list[str]:
    items, depth, begun = [], 0, 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == mark and depth == 0:
            items.append(text[begun:i])
            begun = i + 1
    return [*items, text[begun:]]
