"""A part: which kind stands in a slot, and how its knobs are set. Its text is its only spelling.

`moe(experts=4)` is the kind "moe" with four experts; settings at their default are left out, the
others sorted by name. Dictionaries, canonical forms, graphs, one-hot names, configurations and
pages all write and read this text.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from search_spaces.errors import InvalidArchitecture

Value = int | float | str

SCALES = ("log", "line", "name")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_SETTING = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TEXT = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:\((.*)\))?", re.DOTALL)


@dataclass(frozen=True)
class Setting:
    """One knob of a kind.

    Attributes:
        default: Its value where none is given; its type is the knob's.
        scale: How values are compared, encoded and mutated: "log" (by octaves), "line" (by their
            difference) or "name" (equal or not).
        allowed: Every value there is; empty for any number within the bounds.
        least: Smallest number allowed.
        most: Largest number allowed.
        odd: Whether a number must be odd.
        weight: Edit cost of an octave, a unit or another name, in units of one layer.
    """

    default: Value
    scale: str = "log"
    allowed: tuple[Value, ...] = ()
    least: float = 0
    most: float = float("inf")
    odd: bool = False
    weight: float = 0.02

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(f"scale is {self.scale!r}; use one of {', '.join(SCALES)}")
        if self.scale == "log" and not (isinstance(self.default, int | float) and self.default > 0):
            raise ValueError(f"a setting on a log scale needs a default above 0: {self.default!r}")
        if self.scale == "name" and not (isinstance(self.default, str) and self.allowed):
            raise ValueError("a setting of names needs a text as default and the names allowed")

    @property
    def words(self) -> str:
        """What is allowed, in words."""
        if self.allowed:
            return ", ".join(str(value) for value in self.allowed)
        kind = "an odd whole number" if self.odd else "a number"
        if isinstance(self.default, int) and not self.odd:
            kind = "a whole number"
        above = "above 0" if self.scale == "log" and self.least <= 0 else f"from {self.least:g}"
        return f"{kind} {above}" + (f" to {self.most:g}" if self.most < float("inf") else "")

    def check(self, value: object, where: str) -> Value:
        """Return `value` as the type of this knob.

        Raises:
            InvalidArchitecture: If it is not allowed.
        """
        found = self._typed(value)
        if found is None or (self.allowed and found not in self.allowed):
            raise InvalidArchitecture(f"{where} is {value!r}. Allowed: {self.words}.")
        if isinstance(found, str) or self.allowed:
            return found
        too_small = found < self.least or (self.scale == "log" and found <= 0)
        if too_small or found > self.most or (self.odd and found % 2 == 0):
            raise InvalidArchitecture(f"{where} is {value!r}. Allowed: {self.words}.")
        return found

    def _typed(self, value: object) -> Value | None:
        if isinstance(self.default, str):
            return value if isinstance(value, str) else None
        number = read_value(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not (
            isinstance(number, int | float) or hasattr(number, "__index__")
        ):
            return None
        if isinstance(self.default, int):
            whole = abs(number) < 2**53 and int(number) == number if number == number else False
            return int(number) if whole else None
        return float(number) if abs(number) < float("inf") else None


@dataclass(frozen=True)
class Part:
    """A choice: a kind and its settings, those at their default left out.

    Attributes:
        kind: Name of the kind.
        settings: Name and value of each setting that is not at its default, sorted by name.
    """

    kind: str
    settings: tuple[tuple[str, Value], ...] = ()

    def __str__(self) -> str:
        if not self.settings:
            return self.kind
        inside = ",".join(f"{name}={write_value(value)}" for name, value in self.settings)
        return f"{self.kind}({inside})"

    def __getitem__(self, name: str) -> Value:
        """Return a setting that is not at its default; see `Kind.settings_of` for all of them."""
        return dict(self.settings)[name]

    @classmethod
    def of(cls, kind: str, settings: Mapping[str, Value] | Iterable[tuple[str, Value]] = ()):
        """Return a part with the settings sorted."""
        return cls(kind, tuple(sorted(dict(settings).items())))

    @classmethod
    def parse(cls, text: object, where: str = "the part") -> "Part":
        """Read a part written as `kind` or `kind(setting=value,...)`; values are not judged here.

        Raises:
            InvalidArchitecture: If the text has another form.
        """
        match = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if match is None or (match[2] is not None and not match[2].strip()):
            raise _no_part(text, where)
        found: dict[str, Value] = {}
        for item in _split(match[2]) if match[2] else ():
            name, equals, value = item.partition("=")
            name, value = name.strip(), value.strip()
            if not equals or not value or not _SETTING.fullmatch(name) or name in found:
                raise _no_part(text, where)
            found[name] = read_value(value)
        return cls.of(match[1], found)


def split_kinds(value: object) -> object:
    """Return the parts of a text with commas, none of which is inside of parentheses.

    Anything but a text is returned as it is.
    """
    if not isinstance(value, str):
        return value
    return [part.strip() for part in re.split(r",(?![^(]*\))", value) if part.strip()]


def is_name(text: object) -> bool:
    """Whether a text may name a kind: letters, digits and "-", so that it can stand in any text."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def read_kind(text: str) -> tuple[str, str | int]:
    """Return operation and parameter of a head's kind: "sa_sdp", "c_5", "longconv(order=3)".

    The parameter is a name, a whole number, or the settings without parentheses.
    """
    name, parenthesis, settings = text.partition("(")
    if parenthesis:
        return name, settings.removesuffix(")")
    operation, _, parameter = text.partition("_")
    whole = parameter.isdecimal() and len(parameter) < 10
    return operation, int(parameter) if whole else parameter


def write_value(value: Value) -> str:
    """Return a value as text that `read_value` reads back exactly."""
    return value if isinstance(value, str) else repr(value)


def read_value(text: str) -> Value:
    """Return a whole number, a finite number, or the text itself."""
    try:
        return int(text) if len(text) < 20 else text
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if abs(number) < float("inf") else text


def _split(text: str) -> list[str]:
    """Split at commas outside of parentheses: a wrapper's setting may be a part itself."""
    items, depth, begun = [], 0, 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            items.append(text[begun:i])
            begun = i + 1
    return [*items, text[begun:]]


def _no_part(text: object, where: str) -> InvalidArchitecture:
    return InvalidArchitecture(
        f"{where} is {text!r}. Write the name of a kind, with its settings in parentheses where "
        "they are not the default, such as 'glu' or 'glu(activation=silu)'."
    )
