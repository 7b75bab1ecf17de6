"""The model as one Python file that needs torch and transformers, and nothing of this project.

An exported folder carries this file, so that
`transformers.AutoModel.from_pretrained(folder, trust_remote_code=True)` works on machines where the
project is not installed. The file is the sources one after the other, in the order of their
imports, without the imports between them, and of each what is needed (`nas.models.sources`): our
own, and of the modules of kinds those in use, other packages' too. A name that two of them have is
given another name in the later one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from nas.models.blocks import BLOCKS
from nas.models.coupling import COUPLINGS
from nas.models.embeddings import EMBEDDINGS
from nas.models.feedforwards import FEEDFORWARDS
from nas.models.hf_base import MODULE
from nas.models.mixers import MIXERS, registered_name
from nas.models.norms import NORMS
from nas.models.outputs import OUTPUTS
from nas.models.positions import POSITIONS
from nas.models.projections import PROJECTIONS
from nas.models.residuals import RESIDUALS
from nas.models.sources import needed_sources
from search_spaces.errors import NotAModel
from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS, SLOTS
from search_spaces.registry import Registry

_PACKAGES = ("nas", "search_spaces", "surrogates")
_ENTRIES = (
    "nas.models.hf",
    "nas.models.hf_tokens",
    "nas.models.hf_choice",
    "nas.models.hf_spans",
)
_HEADER = """# SPDX-License-Identifier: Apache-2.0
\"\"\"FlexiBERT encoders for transformers: generated from the sources of encoder-nas.\"\"\"
"""
FILE_NAME = f"{MODULE}.py"
# slot -> the registry of its modules, and that registry's name in the file
MODULES: dict[str, tuple[str, Registry]] = {
    "mixer": ("MIXERS", MIXERS),
    "feedforward": ("FEEDFORWARDS", FEEDFORWARDS),
    "block": ("BLOCKS", BLOCKS),
    "residual": ("RESIDUALS", RESIDUALS),
    "embedding": ("EMBEDDINGS", EMBEDDINGS),
    "positions": ("POSITIONS", POSITIONS),
    "norm": ("NORMS", NORMS),
    "output": ("OUTPUTS", OUTPUTS),
    "projection": ("PROJECTIONS", PROJECTIONS),
    "coupling": ("COUPLINGS", COUPLINGS),
}


@dataclass(frozen=True)
class _Entry:
    """A module of torch that a registry has under a name, and where its source stands."""

    slot: str
    name: str
    module: str
    attribute: str


def standalone_source(architecture: Any, positions: str = "absolute") -> str:
    """Return the source of the model classes with everything that an architecture needs of them.

    Args:
        architecture: Anything with the `layers` and the `part(slot)` of an `Architecture`, and
            perhaps a `coupling`.
        positions: The kind of positions where the architecture does not say.

    Raises:
        NotAModel: If the source of a kind cannot be found, or cannot stand in one file.
        UnknownName: If a kind has no module.
    """
    entries = sorted(_in_use(architecture, positions), key=lambda e: (e.slot, e.name))
    packages = {*_PACKAGES, *(entry.module.partition(".")[0] for entry in entries)}
    registries = [name for name, _ in MODULES.values()]
    wanted = [(entry.module, entry.attribute) for entry in entries]
    wanted += [(module, "*") for module in _ENTRIES]
    wanted += [(r.module, r.attribute) for r in _registries(entries)]
    imports: set[str] = set()
    bodies: list[str] = []
    taken: dict[str, str] = {}
    renamed: dict[tuple[str, str], str] = {}
    for source in needed_sources(wanted, packages, registries):
        body = source.body()
        for name in sorted(source.names()):
            if name in taken:
                new = f"{name}_{source.module.replace('.', '_')}"
                body = re.sub(rf"(?<![\w.]){re.escape(name)}\b", new, body)
                renamed[source.module, name] = new
            else:
                taken[name] = source.module
        imports |= source.foreign_imports()
        bodies.append(f"\n# ---- {source.module}\n\n\n{body}")
    ends = [_registration(entry, renamed) for entry in entries]
    return "\n".join([_HEADER, *sorted(imports), "", *bodies, *filter(None, ends)])


def _in_use(architecture: Any, positions: str) -> set[_Entry]:
    found = {
        _entry("mixer", registered_name(head.operation, head.parameter))
        for layer in architecture.layers
        for head in layer.heads
    }
    found |= {
        _entry(slot, layer.part(slot).kind) for layer in architecture.layers for slot in LAYER_SLOTS
    }
    for slot in MODEL_SLOTS:
        part = architecture.part(slot)
        found.add(_entry(slot, positions if part is None else part.kind))
    coupling = getattr(architecture, "coupling", None)
    return found if coupling is None else found | {_entry("coupling", coupling.kind)}


def _entry(slot: str, name: str) -> _Entry:
    built = MODULES[slot][1][name]
    while isinstance(built, partial):
        built = built.func
    module, attribute = getattr(built, "__module__", None), getattr(built, "__qualname__", "")
    if module is None or module == "__main__" or "<" in attribute or "." in attribute:
        raise NotAModel(
            f"The {slot} {name!r} is {built!r}, whose source an exported folder cannot carry. "
            "Define it as a class or function at the top of a module of its own."
        )
    return _Entry(slot, name, module, attribute)


def _registries(entries: Iterable[_Entry]) -> Iterator[_Entry]:
    """The registries of what other packages have, into which the file enters it."""
    for entry in entries:
        if entry.slot == "coupling":
            yield _Entry(entry.slot, entry.name, "nas.models.coupling", MODULES[entry.slot][0])
            continue
        plural = "mixers" if entry.slot == "mixer" else SLOTS[entry.slot].plural
        yield _Entry(entry.slot, entry.name, f"nas.models.{plural}.base", MODULES[entry.slot][0])


def _registration(entry: _Entry, renamed: dict[tuple[str, str], str]) -> str:
    """The line that enters a module under its name where its own source does not."""
    if entry.module.partition(".")[0] in _PACKAGES:
        return ""
    registry = MODULES[entry.slot][0]
    built = renamed.get((entry.module, entry.attribute), entry.attribute)
    return (
        f"if not {registry}.holds({entry.name!r}):\n"
        f"    {registry}.register({entry.name!r})({built})\n"
    )
