"""A space of one's own, written in Python and named by "package.module:Name"."""

import os
import sys
from importlib import import_module
from types import ModuleType

from search_spaces.errors import InvalidSpace, UnknownName
from search_spaces.space import Space


def import_space(name: str) -> Space:
    """Return the space that "package.module:Name" names, an instance of `Space` or a subclass.

    The module is found as Python finds it, and after that in the current directory. Importing it
    runs its code, so name only modules you trust.

    Raises:
        InvalidSpace: If the module cannot be imported, or Name is no space.
        UnknownName: If the module has no such name.
    """
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), attribute]):
        raise InvalidSpace(
            f"{name!r} names no space. Write package.module:Name, such as my_spaces:Narrow for the "
            "class Narrow in my_spaces.py."
        )
    module = _imported(module_name, name)
    if not hasattr(module, attribute):
        spaces = [n for n, value in vars(module).items() if _is_space(value)]
        raise UnknownName(f"space in {module_name}", attribute, spaces)
    found = getattr(module, attribute)
    if not _is_space(found):
        raise InvalidSpace(
            f"{name!r} is {_shown(found)}, which is no space. Name a subclass of "
            "search_spaces.Space with the methods sample, neighbours and __contains__, or an "
            "instance of one."
        )
    return _instance(found, name) if isinstance(found, type) else found


def _imported(module_name: str, name: str) -> ModuleType:
    here = os.getcwd()
    sys.path.append(here)
    try:
        return import_module(module_name)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name is not None
        if missing and f"{module_name}.".startswith(f"{error.name}."):
            raise InvalidSpace(
                f"There is no module {error.name!r}, which the space {name!r} needs. Install its "
                f"package, or run the command in the directory it is in (now {here})."
            ) from None
        raise InvalidSpace(
            f"The module {module_name!r} of the space {name!r} cannot be imported: "
            f"{type(error).__name__}: {error}. Mend it; python -c 'import {module_name}' shows "
            "where it fails."
        ) from error
    finally:
        sys.path.remove(here)


def _instance(found: type[Space], name: str) -> Space:
    try:
        return found()
    except TypeError as error:
        raise InvalidSpace(
            f"The space {name!r} cannot be built without arguments: {error}. Define sample, "
            "neighbours and __contains__, give every argument of __init__ a default, or name an "
            "instance instead of the class."
        ) from error


def _is_space(value: object) -> bool:
    if isinstance(value, type):
        return issubclass(value, Space) and value is not Space
    return isinstance(value, Space)


def _shown(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"of type {type(value).__name__}"
