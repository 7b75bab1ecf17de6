"""What a space offers for its slots and for the recipe, read from its file."""

from collections.abc import Mapping
from difflib import get_close_matches
from itertools import product
from typing import Any

import numpy as np

from search_spaces.errors import InvalidArchitecture, InvalidSpace
from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS, RECIPE_SLOTS, SLOTS
from search_spaces.parts import Part, Value, read_value
from search_spaces.recipes import NUMBERS, read_choice

MOST = 1_000  # combinations of settings that one kind may be offered with


def read_options(slot: str, offered: Any) -> tuple[Part, ...]:
    """Return what may stand in a slot, at least the default.

    Args:
        slot: Name of the slot.
        offered: Kind to settings, each a value or a list of values; a list of texts; parts.

    Raises:
        InvalidSpace: If it is none of these, or there is no such kind, setting or value.
    """
    key = SLOTS[slot].plural
    if not offered and not isinstance(offered, str | bool | int):
        default = SLOTS[slot].default_part
        return () if default is None else (default,)
    if isinstance(offered, Mapping):
        parts = [
            part
            for kind, settings in offered.items()
            for part in part_options(slot, kind, settings, f"{key}.{kind}")
        ]
    elif isinstance(offered, list | tuple):
        parts = [_read(slot, one, key) for one in offered]
    else:
        raise InvalidSpace(
            f"{key} is {offered!r}. Give a mapping from kinds to their settings, such as "
            f"{{{SLOTS[slot].default or next(iter(SLOTS[slot].kinds))}: {{}}}}."
        )
    twice = next((part for part in parts if parts.count(part) > 1), None)
    if twice is not None:
        raise InvalidSpace(f"{key} offers {str(twice)!r} more than once. Give each once.")
    return tuple(parts)


def part_options(slot: str, kind: object, settings: object, where: str) -> list[Part]:
    """Return a kind with every combination of the settings offered for it.

    Raises:
        InvalidSpace: If there is no such kind, setting or value.
    """
    if settings is None or settings == []:
        settings = {}
    if slot == "mixer" and isinstance(settings, list | tuple):
        # the texts of settings, as a definition keeps them
        return [_read(slot, f"{kind}({one})" if one else kind, where) for one in settings]
    if not isinstance(settings, Mapping):
        raise InvalidSpace(
            f"{where} is {settings!r}. Give a mapping from its settings to their values, such as "
            f"{{name: [value, value]}}, or {{}} for the defaults."
        )
    lists = [v if isinstance(v, list | tuple) else [v] for v in settings.values()]
    empty = next((name for name, v in zip(settings, lists, strict=True) if not v), None)
    if empty is not None:
        raise InvalidSpace(f"{where}.{empty} is an empty list. Give at least one value.")
    if np.prod([float(len(v)) for v in lists]) > MOST:
        raise InvalidSpace(
            f"{where} offers more than {MOST:,} combinations of settings. Offer fewer values."
        )
    _read(slot, kind, where)
    found = []
    for values in product(*lists):
        try:
            chosen = dict(zip(settings, values, strict=True))
            found.append(SLOTS[slot].kinds[str(kind)].part(chosen, where))
        except InvalidArchitecture as error:
            raise InvalidSpace(str(error)) from None
    return found


def read_model(offered: Any) -> tuple[tuple[str, tuple[Part, ...]], ...]:
    """Return the model's slots that a space speaks of, in the order of the slots, with options."""
    given = _mapping("model", offered, MODEL_SLOTS)
    return tuple((slot, read_options(slot, given[slot])) for slot in MODEL_SLOTS if slot in given)


def read_first_layer(offered: Any) -> tuple[tuple[str, Part], ...]:
    """Return what stands in slots of the first layer, in the order of the slots.

    Raises:
        InvalidSpace: If it is no mapping, or there is no such slot, kind, setting or value.
    """
    given = _mapping("first_layer", offered, LAYER_SLOTS)
    where = "first_layer"
    return tuple((s, _read(s, given[s], f"{where}.{s}")) for s in LAYER_SLOTS if s in given)


def read_recipe(offered: Any) -> tuple[tuple[str, tuple[Value, ...]], ...]:
    """Return the recipe's open fields, sorted by name, with what may be chosen of each."""
    given = _mapping("recipe", offered, (*NUMBERS, *RECIPE_SLOTS))
    return tuple((name, recipe_values(name, given[name])) for name in sorted(given))


def recipe_values(name: str, offered: Any) -> tuple[Value, ...]:
    """Return what may be chosen of one field or slot of a recipe.

    Raises:
        InvalidSpace: If nothing is, or a value is not allowed.
    """
    where = f"recipe.{name}"
    if isinstance(offered, Mapping) and name in RECIPE_SLOTS:
        values: list[Any] = [
            str(part)
            for kind, settings in offered.items()
            for part in part_options(name, kind, settings, f"{where}.{kind}")
        ]
    elif isinstance(offered, Mapping):
        values = _steps(name, offered, where)
    elif isinstance(offered, list | tuple):
        values = list(offered)
    else:
        values = [offered]
    try:
        found = [read_choice(name, value) for value in values]
    except InvalidArchitecture as error:
        raise InvalidSpace(str(error)) from None
    wrong = next((v for v in found if name in NUMBERS and isinstance(v, str)), None)
    if not found or wrong is not None or len(set(found)) < len(found):
        raise InvalidSpace(
            f"{where} is {offered!r}. Give a list of different values, such as [0.15, 0.3], or "
            "{from: 5.0e-4, to: 4.0e-3, steps: 4}."
        )
    return tuple(sorted(found)) if name in NUMBERS else tuple(found)


def _steps(name: str, offered: Mapping[str, Any], where: str) -> list[float]:
    keys = {"from", "to", "steps"}
    numbers = {k: read_value(v) if isinstance(v, str) else v for k, v in offered.items()}
    fine = set(offered) == keys and all(
        isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 2**53
        for v in numbers.values()
    )
    steps = numbers.get("steps")
    if not fine or not 2 <= steps <= 100 or int(steps) != steps or numbers["from"] >= numbers["to"]:
        raise InvalidSpace(
            f"{where} is {dict(offered)!r}. Give {{from: LOW, to: HIGH, steps: N}} with numbers "
            "LOW < HIGH and N from 2 to 100."
        )
    low, high = float(numbers["from"]), float(numbers["to"])
    if NUMBERS[name].scale == "line" or low <= 0:
        values = np.linspace(low, high, int(steps))
    else:
        values = np.geomspace(low, high, int(steps))
    whole = isinstance(NUMBERS[name].default, int)
    # four digits: what people read back and write again
    return [round(float(v)) if whole else float(f"{v:.4g}") for v in values]


def _mapping(key: str, offered: Any, known: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(offered, tuple):
        offered = dict(offered)
    if offered is None:
        return {}
    if not isinstance(offered, Mapping):
        raise InvalidSpace(
            f"{key} is {offered!r}. Give a mapping; its keys are {', '.join(known)}."
        )
    for name in offered:
        if name not in known:
            close = get_close_matches(str(name), known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise InvalidSpace(f"{key} has no {name!r}.{hint} Allowed: {', '.join(known)}.")
    return dict(offered)


def _read(slot: str, value: object, where: str) -> Part:
    try:
        return SLOTS[slot].read(value, where)
    except InvalidArchitecture as error:
        raise InvalidSpace(str(error)) from None
