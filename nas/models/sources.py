"""Which statements of several modules one file needs, so that a name works in it alone.

Of a module are taken the statements that define what is wanted, what these use, and so on through
the imports between the modules; and what enters things into a registry of the wanted ones. What a
module does beside that, such as telling a search what its kinds cost, stays behind.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path

from search_spaces.errors import NotAModel


@dataclass
class Source:
    """One module as statements, and which of them are wanted.

    Attributes:
        module: Its name.
        packages: The packages whose sources are taken; others' are imported.
        taken: Numbers of the statements that are wanted.
    """

    module: str
    packages: frozenset[str]
    taken: set[int] = field(default_factory=set)

    @cached_property
    def path(self) -> Path:
        """Its file.

        Raises:
            NotAModel: If there is none that can be read.
        """
        spec = find_spec(self.module)
        path = None if spec is None or spec.origin is None else Path(spec.origin)
        if path is None or path.suffix != ".py":
            raise NotAModel(
                f"The source of the module {self.module!r} cannot be found, and an exported folder "
                "carries it. Install the package with its .py files."
            )
        return path

    @cached_property
    def text(self) -> str:
        """Its source."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def statements(self) -> list[ast.stmt]:
        """What stands at its top, the docstring and what is for type checkers left out."""
        return [node for node, _ in _parsed(self.text)]

    @cached_property
    def uses(self) -> list[frozenset[str]]:
        """The names that each of the statements uses."""
        return [names for _, names in _parsed(self.text)]

    @cached_property
    def defined(self) -> dict[str, list[int]]:
        """Name to the statements that define it, imports left out."""
        found: dict[str, list[int]] = {}
        for i, node in enumerate(self.statements):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                for name in _defines(node):
                    found.setdefault(name, []).append(i)
        return found

    @cached_property
    def own(self) -> list[int]:
        """The statements that are no imports."""
        imports = ast.Import | ast.ImportFrom
        return [i for i, node in enumerate(self.statements) if not isinstance(node, imports)]

    @cached_property
    def imported(self) -> dict[str, tuple[ast.Import | ast.ImportFrom, ast.alias]]:
        """Name to the import that brings it."""
        return {
            alias.asname or alias.name.partition(".")[0]: (node, alias)
            for node in self.statements
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }

    def is_ours(self, node: ast.stmt) -> bool:
        """Whether an import is of one of the packages."""
        if isinstance(node, ast.Import):
            return any(alias.name.partition(".")[0] in self.packages for alias in node.names)
        return node.level > 0 or node.module.partition(".")[0] in self.packages

    def foreign_imports(self) -> set[str]:
        """The imports of other packages that the wanted statements use, one name each."""
        used = {name for i in self.taken for name in self.uses[i]}
        lines = set()
        for name in used & set(self.imported):
            node, alias = self.imported[name]
            if not self.is_ours(node):
                text = ast.unparse(alias)
                plain = isinstance(node, ast.Import)
                lines.add(f"import {text}" if plain else f"from {node.module} import {text}")
        if (
            "annotations" in self.imported
            and self.imported["annotations"][0].module == "__future__"
        ):
            lines.add("from __future__ import annotations")
        return lines

    def aliases(self) -> list[str]:
        """Other names that the wanted statements have for things of ours, as assignments."""
        used = {name for i in self.taken for name in self.uses[i]}
        return [
            f"{alias.asname} = {alias.name}"
            for name, (node, alias) in self.imported.items()
            if name in used and alias.asname and alias.asname != alias.name and self.is_ours(node)
        ]

    def body(self) -> str:
        """The wanted statements, with the comments right above each."""
        lines, kept, end = self.text.splitlines(), [], 0
        for i, node in enumerate(self.statements):
            decorators = getattr(node, "decorator_list", [])
            first = min([node.lineno, *(d.lineno for d in decorators)]) - 1
            start = first
            while start > end and lines[start - 1].startswith("#"):
                start -= 1
            if i in self.taken:
                gap = ["", ""] if isinstance(node, ast.ClassDef | ast.FunctionDef) else []
                kept += [*gap, *lines[start : node.end_lineno]]
            end = node.end_lineno
        return "\n".join([*self.aliases(), *kept]).strip("\n") + "\n"

    def names(self) -> set[str]:
        """What the wanted statements define."""
        return {name for name, where in self.defined.items() if self.taken & set(where)}


def needed_sources(
    wanted: Iterable[tuple[str, str]], packages: Iterable[str], registries: Iterable[str]
) -> list[Source]:
    """Return the modules that are needed, each after those that it imports, wanted parts marked.

    Args:
        wanted: Module and name of what is wanted; "*" for all of a module.
        packages: The packages whose sources are taken.
        registries: Names of registries: a statement that calls a method of one is taken where
            anything of its module is.

    Raises:
        NotAModel: If a source cannot be found, or imports another in a way one file cannot have.
    """
    packages, registries = frozenset(packages), frozenset(registries)
    sources: dict[str, Source] = {}
    order: list[Source] = []

    def want(module: str, name: str) -> None:
        source = sources.setdefault(module, Source(module, packages))
        if name != "*" and name not in source.defined:
            follow(source, name)
            return
        taking = source.own if name == "*" else source.defined[name]
        entering = _entering(source, registries) if source not in order else ()
        new = {*taking, *entering} - source.taken
        source.taken |= new
        for i in sorted(new):
            for used in sorted(source.uses[i]):  # or the file differs from process to process
                if used in source.defined:
                    if not set(source.defined[used]) <= source.taken:
                        want(module, used)
                elif used in source.imported:
                    follow(source, used)
        if source not in order:
            order.append(source)

    def follow(source: Source, name: str) -> None:
        if name not in source.imported:
            raise NotAModel(f"The module {source.module!r} has no {name!r}. Correct its import.")
        node, alias = source.imported[name]
        if not source.is_ours(node):
            return
        if isinstance(node, ast.Import) or node.level or find_module(node.module, alias.name):
            raise NotAModel(
                f"The module {source.module!r} says {ast.unparse(node)!r}, and an exported folder "
                "carries it in one file. Write 'from package.module import' and the names."
            )
        want(node.module, alias.name)

    for module, name in wanted:
        want(module, name)
    return _after_their_imports(order)


def find_module(package: str, name: str) -> bool:
    """Whether `name` is a module of a package."""
    spec = find_spec(package)
    inside = spec is not None and spec.submodule_search_locations is not None
    return inside and find_spec(f"{package}.{name}") is not None


def _after_their_imports(sources: list[Source]) -> list[Source]:
    by_name, placed = {source.module: source for source in sources}, []

    def place(source: Source) -> None:
        if source in placed:
            return
        for module in _imports(source):
            for target in _targets(module, source.packages, by_name):
                if target is not source:
                    place(target)
        placed.append(source)

    for source in sources:
        place(source)
    return placed


def _imports(source: Source) -> list[str]:
    used = {name for i in source.taken for name in source.uses[i]}
    return [
        node.module
        for name, (node, _) in source.imported.items()
        if name in used and isinstance(node, ast.ImportFrom) and source.is_ours(node)
    ]


def _targets(module: str, packages: frozenset[str], known: dict[str, Source]) -> Iterator[Source]:
    """The taken sources that an import of a module leads to: itself, or what an index names."""
    if module in known:
        yield known[module]
    index = Source(module, packages)
    if index.path.name == "__init__.py":
        for node, _ in index.imported.values():
            if isinstance(node, ast.ImportFrom) and index.is_ours(node) and node.module in known:
                yield known[node.module]


def _entering(source: Source, registries: frozenset[str]) -> Iterator[int]:
    """Statements such as `MIXERS.register("l_dft")(…)`."""
    for i, node in enumerate(source.statements):
        root = node.value if isinstance(node, ast.Expr) else None
        while isinstance(root, ast.Call | ast.Attribute):
            root = root.func if isinstance(root, ast.Call) else root.value
        if isinstance(root, ast.Name) and root.id in registries:
            yield i


def _defines(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return {node.name}
    inside = [n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    names = {n.id for n in inside}
    if isinstance(node, ast.If | ast.Try | ast.For | ast.With):
        names |= {n.name for n in ast.walk(node) if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    return names


@lru_cache(maxsize=512)  # one export reads some forty files, and the next one the same
def _parsed(text: str) -> tuple[tuple[ast.stmt, frozenset[str]], ...]:
    """Return the statements of `Source.statements`, each with the names it uses."""
    return tuple(
        (node, frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name)))
        for i, node in enumerate(ast.parse(text).body)
        if not (i == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    )
