"""The function that trains or measures: found by name, called with what it takes of a job."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from nas.printable import error_text
from search_spaces.errors import InvalidExperiment

# What a trial function may take, by name; the first three also by place, under any name.
ARGUMENTS = (
    "architecture", "recipe", "data", "seed", "deadline", "fidelity", "learning_rate_scale",
    "micro_batches", "weights_path", "checkpoint", "checkpoint_seconds", "tokens", "inherit",
)  # fmt: skip
_BY_PLACE = 3
_IN_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def trial_function(name: str | None) -> "TrialFunction":
    """Return what trains: `run_trial`, or the function that "module:function" names.

    Raises:
        InvalidExperiment: There is no such module or function, or nothing that can be called so.
    """
    if name is None:
        from nas.training.trial import run_trial

        return TrialFunction(run_trial)
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  a module may raise whatever it likes
        words = error_text(error)
        if isinstance(error, ImportError | AttributeError | ValueError):
            words = words.partition(": ")[2]
        raise InvalidExperiment(
            f"trial_function is {name!r}, which cannot be imported: {words}. Write "
            "package.module:function, importable here and on every worker."
        ) from None
    if not callable(found):
        raise InvalidExperiment(
            f"trial_function is {name!r}, which is a {type(found).__name__} and no function."
        )
    function = TrialFunction(found)
    lacking = function.lacking
    if lacking:
        raise InvalidExperiment(
            f"trial_function is {name!r}, which takes {lacking[0]!r}, and no trial has that. It "
            f"may take any of: {', '.join(ARGUMENTS)}; give everything else a default."
        )
    return function


class TrialFunction:
    """A function, and what it takes of a trial's arguments.

    Attributes:
        lacking: Parameters that it needs and no trial has.

    Args:
        function: Takes some of `ARGUMENTS` by name. Up to three parameters at its beginning may be
            called otherwise, and get the architecture, the recipe and the data by their place.
    """

    def __init__(self, function: Callable[..., Any]):
        self._function = function
        self._places: list[str] = []
        self._names: set[str] = set()
        self.lacking: list[str] = []
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # some that are written in C say nothing
            self._places = list(ARGUMENTS[:_BY_PLACE])
            return
        for place, parameter in enumerate(parameters):
            self._enter(place, parameter)

    def _enter(self, place: int, parameter: inspect.Parameter) -> None:
        kind, name = parameter.kind, parameter.name
        needed = parameter.default is inspect.Parameter.empty
        if kind is inspect.Parameter.VAR_KEYWORD:
            self._names |= set(ARGUMENTS[len(self._places) :])
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            self._places += ARGUMENTS[len(self._places) : _BY_PLACE]
        elif (
            kind in _IN_PLACE
            and place == len(self._places) < _BY_PLACE
            and (name == ARGUMENTS[place] or (needed and name not in ARGUMENTS))
        ):
            self._places.append(ARGUMENTS[place])
        elif name in ARGUMENTS and kind is not inspect.Parameter.POSITIONAL_ONLY:
            self._names.add(name)
        elif needed:
            self.lacking.append(name)

    def takes(self, name: str) -> bool:
        """Whether the function takes the argument called `name`."""
        return name in self._names or name in self._places

    def call(self, arguments: Mapping[str, Any]) -> Any:
        """Call the function with those of `arguments` that it takes."""
        by_place = [arguments[name] for name in self._places]
        by_name = {n: v for n, v in arguments.items() if n in self._names}
        return self._function(*by_place, **by_name)
