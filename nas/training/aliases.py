"""Where a field and a slot of a recipe mean one thing: the slot is the truth, the field an alias.

`mask_rate: 0.15` reads easier than `objective: mlm(mask_rate=0.15)`. Giving both is refused.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import SLOTS
from search_spaces.parts import Part, Value


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Alias:
    """A setting of a kind that a recipe also has as a field.

    Attributes:
        slot: Of the recipe.
        kind: In that slot.
        setting: Of that kind.
        setting_of: The field's value as the setting's.
        field_of: The setting's value as the field's.
    """

    slot: str
    kind: str
    setting: str
    setting_of: Callable[[Any], Value] = _same
    field_of: Callable[[Value], Any] = _same

    def __str__(self) -> str:
        return f"{self.slot}: {self.kind}({self.setting}=…)"


ALIASES: Mapping[str, Alias] = {
    "mask_rate": Alias("objective", "mlm", "mask_rate"),
    "warmup": Alias("schedule", "linear", "warmup"),
    "pretrain_decay": Alias(
        "schedule", "linear", "decay", lambda decay: decay or 0.0, lambda decay: decay or None
    ),
    "from_mnli": Alias(
        "finetuning",
        "full",
        "start",
        lambda wanted: "mnli" if wanted else "pretrained",
        lambda start: start == "mnli",
    ),
}


def refuse_both(given: Collection[str], where: str = "the recipe") -> None:
    """Check that no field is given beside the slot that it is an alias of.

    Raises:
        InvalidExperiment: One is; the message says which to leave out.
    """
    for name, alias in ALIASES.items():
        if name in given and alias.slot in given:
            raise InvalidExperiment(
                f"{name} and {alias.slot} are both given in {where}, and {name} only means "
                f"{alias}. Leave {name} out and write it there, or leave {alias.slot} out."
            )


def fields_in(slot: str, parts: Collection[Part]) -> dict[str, Any]:
    """Return the fields of a recipe that a slot decides, with the values it gives them."""
    found = {}
    for name, alias in ALIASES.items():
        for part in parts if alias.slot == slot else ():
            if part.kind == alias.kind:
                settings = SLOTS[slot].kinds[part.kind].settings_of(part)
                found[name] = alias.field_of(settings[alias.setting])
    return found


def part_from(slot: str, fields: Mapping[str, Any]) -> Part:
    """Return what stands in a slot where only fields speak: its first kind."""
    settings = {
        alias.setting: alias.setting_of(fields[name])
        for name, alias in ALIASES.items()
        if alias.slot == slot
    }
    return SLOTS[slot].kinds[SLOTS[slot].default].part(settings, slot)
