"""The named spaces that ship with the project, and spaces from a user's own YAML file."""

from importlib.resources import files
from pathlib import Path

import yaml

from search_spaces.definition import SpaceDefinition
from search_spaces.errors import InvalidSpace, UnknownName
from search_spaces.flexibert import FlexiBertSpace


def list_spaces() -> list[str]:
    """Return the names of the spaces that ship with the project."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in files("search_spaces").joinpath("spaces").iterdir()
        if entry.name.endswith(".yaml")
    )


def load_space(name: str | Path) -> FlexiBertSpace:
    """Return a space by name, or from a YAML file with the keys of `SpaceDefinition`.

    Args:
        name: One of `list_spaces()`, or a path that ends in .yaml or .yml.

    Raises:
        UnknownName: If no space has that name.
        InvalidSpace: If the file is missing or defines no space.
    """
    if isinstance(name, Path) or str(name).endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise InvalidSpace(
                f"There is no file {str(path)!r}. Give the path of a YAML file, or one of the "
                f"names {', '.join(list_spaces())}."
            )
        return _read(path.read_text(encoding="utf-8"), str(path), path.stem)
    if name not in list_spaces():
        raise UnknownName("space", name, list_spaces())
    text = files("search_spaces").joinpath("spaces", f"{name}.yaml").read_text(encoding="utf-8")
    return _read(text, f"{name}.yaml", name)


def _read(text: str, source: str, name: str) -> FlexiBertSpace:
    try:
        return FlexiBertSpace(SpaceDefinition.from_dict(yaml.safe_load(text)), name)
    except yaml.YAMLError as error:
        raise InvalidSpace(f"{source} is no valid YAML: {error}") from None
    except InvalidSpace as error:
        raise InvalidSpace(f"{source}: {error}") from None
