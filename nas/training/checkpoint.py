"""The state of a trial in a folder, so that a trial that was cut off continues where it was.

Each state is one safetensors file, with everything that is no tensor as JSON in its header; it is
written beside its place and renamed, so that it is there complete or not at all.
"""

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nas.training.loop import Loop
from nas.whole_files import whole_file

_FORMAT = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """What one file holds.

    Attributes:
        tensors: Name -> tensor, on the CPU.
        values: Everything else, as JSON types.
    """

    tensors: dict[str, Tensor]
    values: dict[str, Any]


class Checkpoint:
    """The states of one trial.

    Args:
        folder: Where they are; None keeps nothing.
        identity: What makes this trial another than others: a state with another identity is not
            used.
        every: Seconds between two states of the same stage.
    """

    def __init__(self, folder: Path | None, identity: Mapping[str, Any], every: float = 60.0):
        self._folder = None if folder is None else Path(folder)
        self._identity = json.loads(json.dumps({"format": _FORMAT, **identity}))
        self._every = every
        self._saved = time.monotonic()

    @property
    def kept(self) -> bool:
        """Whether anything is kept."""
        return self._folder is not None

    @property
    def due(self) -> bool:
        """Whether so much time has passed that a state should be saved."""
        return self.kept and time.monotonic() - self._saved >= self._every

    def save(
        self, name: str, tensors: Mapping[str, Tensor], values: Mapping[str, Any] | None = None
    ) -> None:
        """Replace the state called `name`."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        # clones, because the file format refuses tensors that share memory
        kept = {key: value.detach().cpu().clone() for key, value in tensors.items()}
        header = {"identity": self._identity, "values": values or {}, "digest": _digest(kept)}
        path = self._path(name)
        with whole_file(path) as partial:
            save_file(kept, partial, metadata={"nas": json.dumps(header)})
        self._saved = time.monotonic()

    def load(self, name: str) -> State | None:
        """Return the state called `name`; None where there is none that can be used.

        A damaged state, or one of another trial, is ignored with a line in the log.
        """
        if self._folder is None or not self._path(name).is_file():
            return None
        path = self._path(name)
        try:
            with safe_open(path, "pt") as file:
                header = json.loads((file.metadata() or {})["nas"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            identity, values = header["identity"], header["values"]
            intact = header["digest"] == _digest(tensors)
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("The checkpoint %s is damaged (%s): starting afresh.", path, error)
            return None
        if not intact:
            _log.warning("The checkpoint %s is damaged (bytes changed): starting afresh.", path)
            return None
        if identity != self._identity:
            changed = [k for k, v in self._identity.items() if identity.get(k) != v]
            _log.warning(
                "The checkpoint %s is of another trial (%s): starting afresh.",
                path,
                ", ".join(changed) or "more settings",
            )
            return None
        return State(tensors, values)

    def remove(self, name: str) -> None:
        """Delete the state called `name`, if there is one."""
        if self._folder is not None:
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{name}.safetensors"


def training_state(loop: Loop, modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Return everything that the next step depends on, as tensors.

    Raises:
        TrialError: A loss since the last look was not finite: such a state is not worth keeping.
    """
    tensors = {f"loop.{key}": value for key, value in loop.state().items()}
    for name, module in modules.items():
        tensors.update({f"{name}.{key}": value for key, value in module.state_dict().items()})
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    return tensors


def restore_training(
    tensors: Mapping[str, Tensor], loop: Loop, modules: Mapping[str, nn.Module]
) -> None:
    """Put `loop`, `modules` and torch's generators to where `training_state` saw them."""
    for name, module in modules.items():
        module.load_state_dict(part(tensors, name))
    loop.restore(part(tensors, "loop"))
    torch.set_rng_state(tensors["random.cpu"])
    if torch.cuda.is_available() and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"])


def part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors called "<name>.…", without that prefix."""
    prefix = f"{name}."
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        # bytes, whatever the type: NumPy knows no bfloat16; a view needs at least one dimension
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
