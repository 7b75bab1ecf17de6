"""The named spaces that ship with the project, and a user's own from a YAML file or a module."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from search_spaces.documents import read_document, read_yaml
from search_spaces.errors import InvalidSpace, UnknownName
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.flexibert.space import FlexiBertSpace
from search_spaces.imported import import_space
from search_spaces.space import Space


def list_spaces() -> list[str]:
    """Return the names of the spaces that ship with the project."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in files("search_spaces").joinpath("spaces").iterdir()
        if entry.name.endswith(".yaml")
    )


def load_space(name: str | Path | Mapping[str, Any]) -> Space:
    """Return a space by name, from a YAML file, from its content or from a module.

    Args:
        name: One of `list_spaces()`, a path that ends in .yaml or .yml, "package.module:Name" for a
            subclass of `Space` or an instance of one, or what a YAML file holds: a mapping with the
            keys of `SpaceDefinition`.

    Raises:
        UnknownName: If no space has that name.
        InvalidSpace: If the file or the module is missing or defines no space.
    """
    if isinstance(name, Mapping):
        return FlexiBertSpace(SpaceDefinition.from_dict(name), "given")
    if isinstance(name, Path) or str(name).endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise InvalidSpace(
                f"There is no file {str(path)!r}. Give the path of a YAML file, or one of the "
                f"names {', '.join(list_spaces())}."
            )
        return _define(read_document(path, InvalidSpace), str(path), path.stem)
    if ":" in name:
        return import_space(name)
    if name not in list_spaces():
        raise UnknownName("space", name, list_spaces())
    text = files("search_spaces").joinpath("spaces", f"{name}.yaml").read_text(encoding="utf-8")
    return _define(read_yaml(text, f"{name}.yaml", InvalidSpace), f"{name}.yaml", name)


def _define(values: Any, source: str, name: str) -> FlexiBertSpace:
    try:
        return FlexiBertSpace(SpaceDefinition.from_dict(values), name)
    except InvalidSpace as error:
        raise InvalidSpace(f"{source}: {error}") from None
