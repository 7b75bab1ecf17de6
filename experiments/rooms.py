"""How the three packages hang together: rooms, arrows, floors, circles, read off their imports.

A room is a folder right below a package, or a file there; a package's own `__init__` is its face.
An arrow leads from a room to one that it imports from. A floor is a room's longest way down.

    python experiments/rooms.py [CHECKOUT]
"""

import ast
import sys
from collections.abc import Iterator
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGES = ("search_spaces", "surrogates", "nas")


class House:
    """The modules of a checkout and what each imports of the others.

    Imports inside functions count; those for type checkers alone do not. What a registry names
    in a string does not count either: it is how a lower room offers what stands above it.

    Args:
        root: The folder that holds the packages.

    Attributes:
        files: Module to path.
    """

    def __init__(self, root: Path):
        self.files = {}
        for package in PACKAGES:
            for path in sorted((root / package).rglob("*.py")):
                parts = path.relative_to(root).with_suffix("").parts
                self.files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        self._trees = {
            name: ast.parse(path.read_text(encoding="utf-8")) for name, path in self.files.items()
        }
        self._defined = {name: set(_defined(tree)) for name, tree in self._trees.items()}

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """Module to the modules it imports, each where the imported name is defined."""
        return {
            name: {found for node in _nodes(tree) for found in self._named(node)} - {name}
            for name, tree in self._trees.items()
        }

    def _named(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in self.files)
        elif isinstance(node, ast.ImportFrom) and node.module in self.files:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in self.files else self._home(node.module, alias.name)

    def _home(self, module: str, name: str) -> str:
        """Where a name is defined that is imported from `module`, which may only pass it on."""
        if name in self._defined[module] or self.files[module].name != "__init__.py":
            return module
        homes = [m for m in self.files if m.startswith(f"{module}.") and name in self._defined[m]]
        return homes[0] if len(homes) == 1 else module

    @cached_property
    def room_imports(self) -> dict[str, set[str]]:
        """Room to the rooms it imports from."""
        found: dict[str, set[str]] = {room_of(module): set() for module in self.files}
        for module, targets in self.imports.items():
            found[room_of(module)] |= {room_of(t) for t in targets} - {room_of(module)}
        return found

    def floors(self) -> dict[str, int]:
        """Room to its floor: 1 where it imports from no other.

        Raises:
            CycleError: The rooms stand in a circle.
        """
        floors: dict[str, int] = {}
        for room in TopologicalSorter(self.room_imports).static_order():
            floors[room] = 1 + max((floors[r] for r in self.room_imports[room]), default=0)
        return floors


def room_of(module: str) -> str:
    """Return "package/room", or the package itself for its face."""
    return "/".join(module.split(".")[:2])


def circle(graph: dict[str, set[str]]) -> list[str] | None:
    """Return one circle of a graph, its first member again at its end, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree, past what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _nodes(node)


def _defined(tree: ast.Module) -> Iterator[str]:
    """Names that a module makes itself, not those it imports."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    house = House(root)
    arrows = sum(len(targets) for targets in house.room_imports.values())
    print(f"{len(house.files)} files, {len(house.room_imports)} rooms, {arrows} arrows")
    among_files, among_rooms = circle(house.imports), circle(house.room_imports)
    print("circle of files:", " -> ".join(among_files) if among_files else "none")
    print("circle of rooms:", " -> ".join(among_rooms) if among_rooms else "none")
    if among_rooms:
        return
    floors = house.floors()
    for floor in range(1, max(floors.values()) + 1):
        print(f"floor {floor:2}:", " ".join(sorted(r for r, f in floors.items() if f == floor)))


if __name__ == "__main__":
    main()
