"""Names to classes: the one mechanism behind every interchangeable part of the system."""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from search_spaces.errors import BrokenPackage, NasError, UnknownName

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """A read-only mapping that classes and factories enter through `register`.

    Args:
        kind: The word error messages use, as in "No mixer is called 'sa-spd'".
        group: Entry-point group that other packages may add entries through, such as
            "nas.mixers"; they are loaded at the first look-up of a name not found here. An entry
            point may name a module alone, which then registers what it has.
        homes: Modules whose import registers more, such as the index of a package; they are
            imported, one after the other, at the first look-up of a name not found before.
    """

    def __init__(self, kind: str, group: str | None = None, homes: tuple[str, ...] = ()):
        self.kind = kind
        self._group = group
        self._homes = homes
        self._entries: dict[str, T] = {}

    def register(self, *names: str) -> Callable[[T], T]:
        """Decorate a class or function to enter it under `names`; a taken name is an error."""

        def add(entry: T) -> T:
            for name in names:
                if name in self._entries:
                    raise ValueError(f"{self.kind} {name!r} is already {self._entries[name]!r}")
                self._entries[name] = entry
            return entry

        return add

    def holds(self, name: str) -> bool:
        """Whether a name is registered already, without loading anything."""
        return name in self._entries

    def _load_until(self, name: str | None) -> None:
        """Import homes, then entry points, until `name` is there; all of them for None."""
        while self._homes and (name is None or name not in self._entries):
            home, self._homes = self._homes[0], self._homes[1:]
            import_module(home)
        if self._group is None or (name is not None and name in self._entries):
            return
        group, self._group = self._group, None  # what is imported may look something up here
        for point in entry_points(group=group):
            if point.name not in self._entries:
                try:
                    found = _load(point)
                except NasError:
                    self._group = group  # and whoever looks next is told the same
                    raise
                if point.name not in self._entries:  # its import may have registered it
                    self._entries[point.name] = found

    def __getitem__(self, name: str) -> T:
        if not isinstance(name, str):  # a list has no place in a dictionary at all
            raise UnknownName(self.kind, name, self)
        if name not in self._entries:
            self._load_until(name)
        if name not in self._entries:
            raise UnknownName(self.kind, name, self._entries)
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        self._load_until(None)
        return iter(self._entries)

    def __len__(self) -> int:
        self._load_until(None)
        return len(self._entries)


def _load(point: EntryPoint) -> object:
    try:
        return point.load()
    except NasError:
        raise
    except Exception as error:  # anything may go wrong in others' code
        package = "a package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
        raise BrokenPackage(
            f"{package} offers {point.name!r} as {point.value!r} (entry points {point.group}), "
            f"which cannot be imported: {type(error).__name__}: {error}. Mend the package, or "
            "uninstall it."
        ) from error
