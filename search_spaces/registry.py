"""Names to classes: the one mechanism behind every interchangeable part of the system."""

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import TypeVar

from search_spaces.errors import UnknownName

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """A read-only mapping that classes and factories enter through `register`.

    Args:
        kind: The word error messages use, as in "No mixer is called 'sa-spd'".
        group: Entry-point group that other packages may add entries through, such as
            "nas.mixers"; they are loaded at the first look-up of a name not found here.
    """

    def __init__(self, kind: str, group: str | None = None):
        self.kind = kind
        self._group = group
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

    def _load_entry_points(self) -> None:
        if self._group is None:
            return
        group, self._group = self._group, None
        for point in entry_points(group=group):
            if point.name not in self._entries:
                self._entries[point.name] = point.load()

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            self._load_entry_points()
        if name not in self._entries:
            raise UnknownName(self.kind, name, self._entries)
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        self._load_entry_points()
        return iter(self._entries)

    def __len__(self) -> int:
        self._load_entry_points()
        return len(self._entries)
