"""The model as one Python file that needs torch and transformers, and nothing of this project.

An exported folder carries this file, so that
`transformers.AutoModel.from_pretrained(folder, trust_remote_code=True)` works on machines where the
project is not installed. The file is the sources one after the other, in the order of their
imports, without the imports between them: our own, and of the modules of kinds those in use, other
packages' too. A name that two of them have is given another name in the later one.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nas.models.blocks import BLOCKS
from nas.models.embeddings import EMBEDDINGS
from nas.models.feedforwards import FEEDFORWARDS
from nas.models.mixers import MIXERS, registered_name
from nas.models.norms import NORMS
from nas.models.outputs import OUTPUTS
from nas.models.positions import POSITIONS
from nas.models.projections import PROJECTIONS
from nas.models.residuals import RESIDUALS
from search_spaces.errors import NotAModel
from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS
from search_spaces.registry import Registry

_PACKAGES = ("nas", "search_spaces", "surrogates")
_ENTRY = "nas.models.hf"
_HEADER = """# SPDX-License-Identifier: Apache-2.0
\"\"\"FlexiBERT encoders for transformers: generated from the sources of encoder-nas.\"\"\"
"""
FILE_NAME = "modeling_flexibert.py"
AUTO_MAP = {
    "AutoConfig": "modeling_flexibert.FlexiBertConfig",
    "AutoModel": "modeling_flexibert.FlexiBertModel",
    "AutoModelForMaskedLM": "modeling_flexibert.FlexiBertForMaskedLM",
    "AutoModelForSequenceClassification": ("modeling_flexibert.FlexiBertForSequenceClassification"),
}
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
        architecture: Anything with the `layers` and the `part(slot)` of an `Architecture`.
        positions: The kind of positions where the architecture does not say.

    Raises:
        NotAModel: If the source of a kind cannot be found, or cannot stand in one file.
        UnknownName: If a kind has no module.
    """
    entries = sorted(_in_use(architecture, positions), key=lambda e: (e.slot, e.name))
    imports: set[str] = set()
    bodies: list[str] = []
    taken: dict[str, str] = {}
    packages = {*_PACKAGES, *(entry.module.partition(".")[0] for entry in entries)}
    modules = _in_order_of_import([*(entry.module for entry in entries), _ENTRY], packages)
    renamed: dict[tuple[str, str], str] = {}
    for module in modules:
        path = _path(module)
        if path.name == "__init__.py":
            continue
        kept, body, names = _split(module, path.read_text(encoding="utf-8"), packages)
        for name in sorted(names):
            if name in taken:
                new = f"{name}_{module.replace('.', '_')}"
                body = re.sub(rf"(?<![\w.]){re.escape(name)}\b", new, body)
                renamed[module, name] = new
            else:
                taken[name] = module
        imports |= kept
        bodies.append(f"\n# ---- {module}\n\n\n{body}")
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
    return found


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


def _path(module: str) -> Path:
    spec = find_spec(module)
    path = None if spec is None or spec.origin is None else Path(spec.origin)
    if path is None or path.suffix != ".py":
        raise NotAModel(
            f"The source of the module {module!r} cannot be found, and an exported folder carries "
            "it. Install the package with its .py files."
        )
    return path


def _is_ours(node: ast.stmt, packages: Iterable[str]) -> bool:
    return (
        isinstance(node, ast.ImportFrom)
        and node.level == 0
        and node.module.partition(".")[0] in packages
    )


def _in_order_of_import(entries: Iterable[str], packages: set[str]) -> list[str]:
    """`entries` after everything of ours that they import, directly or not, when they are run.

    Of an index, which imports all there is, only what is asked of it is followed.
    """
    found: list[str] = []

    def visit(module: str, wanted: set[str] | None = None) -> None:
        if module in found:
            return
        path = _path(module)
        index = path.name == "__init__.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not _is_ours(node, packages):
                continue
            names = {alias.name for alias in node.names}
            if not index or wanted is None or names & wanted:
                visit(node.module, names)
        if not index:
            found.append(module)

    for entry in entries:
        visit(entry)
    return found


def _split(module: str, source: str, packages: set[str]) -> tuple[set[str], str, set[str]]:
    """Return the imports of others' packages, the source without docstring and imports, its names.

    Raises:
        NotAModel: If it imports one of the modules beside it in a way that one file cannot have.
    """
    tree = ast.parse(source)
    lines = source.splitlines()
    imports: set[str] = set()
    dropped: set[int] = set()
    aliases: list[str] = []
    for position, node in enumerate(tree.body):
        docstring = position == 0 and isinstance(node, ast.Expr)
        imported = isinstance(node, ast.Import | ast.ImportFrom)
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if docstring or imported or typing_only:
            dropped |= set(range(node.lineno - 1, node.end_lineno))
        if imported and _is_ours(node, packages):
            aliases += [f"{a.asname} = {a.name}" for a in node.names if a.asname]
            _refuse_modules(module, node)
        elif imported:
            _refuse_relative(module, node, packages)
            imports |= {_one(node, alias) for alias in node.names}
    kept = "\n".join(line for number, line in enumerate(lines) if number not in dropped)
    body = "\n".join([*aliases, kept.strip("\n")]) + "\n"
    return imports, body, _names(tree)


def _refuse_modules(module: str, node: ast.ImportFrom) -> None:
    for alias in node.names:
        if not hasattr(import_module(node.module), "__path__"):
            continue
        if find_spec(f"{node.module}.{alias.name}") is not None:
            raise NotAModel(
                f"The module {module!r} imports the module {node.module}.{alias.name}, which one "
                f"file cannot have. Write 'from {node.module}.{alias.name} import' and the names."
            )


def _refuse_relative(module: str, node: ast.Import | ast.ImportFrom, packages: set[str]) -> None:
    names = [alias.name for alias in node.names]
    relative = isinstance(node, ast.ImportFrom) and node.level > 0
    plain = isinstance(node, ast.Import) and any(n.partition(".")[0] in packages for n in names)
    if relative or plain:
        raise NotAModel(
            f"The module {module!r} says {ast.unparse(node)!r}, and an exported folder carries it "
            "in one file. Write 'from package.module import' and the names."
        )


def _names(tree: ast.Module) -> set[str]:
    """Names that the top of a module defines."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return names


def _one(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    name = ast.unparse(alias)
    return f"import {name}" if isinstance(node, ast.Import) else f"from {node.module} import {name}"
