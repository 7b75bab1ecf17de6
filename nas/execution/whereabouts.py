"""Where a trial runs: what its worker says before it begins, and whether the GPU is the right one.

A worker that dies cannot say where it was, so it says so first.
"""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from search_spaces.errors import TrialError

# Where Linux counts the processes that it killed for memory: of this container, of the machine.
_OOM_COUNTERS = (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat"))


@dataclass(frozen=True)
class Whereabouts:
    """What a worker knows about itself.

    Attributes:
        node_id: Ray's id of the node.
        node: Name of the machine.
        pid: Its process.
        gpus: Ids of the GPUs that Ray gave it.
        output: Path of its file of printed errors on the node, or "".
        oom_kills: Processes that Linux had killed for memory on the node so far.
    """

    node_id: str
    node: str
    pid: int
    gpus: tuple[str, ...]
    output: str
    oom_kills: int


def whereabouts() -> Whereabouts:
    """Return where this Ray worker is."""
    import ray

    context = ray.get_runtime_context()
    return Whereabouts(
        node_id=context.get_node_id(),
        node=platform.node(),
        pid=os.getpid(),
        gpus=tuple(context.get_accelerator_ids().get("GPU", ())),
        output=_output_file(),
        oom_kills=oom_kills(),
    )


@cache
def _output_file() -> str:
    """Return the file that Ray sends this process's errors to."""
    try:
        return os.readlink("/proc/self/fd/2")
    except OSError:
        return ""


def oom_kills() -> int:
    """Return how many processes Linux has killed for memory here, or 0 where it does not say."""
    most = 0
    for path in _OOM_COUNTERS:
        try:
            text = path.read_text(encoding="ascii", errors="replace")
        except OSError:
            continue
        number = f"\n{text}".partition("\noom_kill ")[2].partition("\n")[0]
        most = max(most, int(number) if number.isdecimal() else 0)
    return most


def tail(path: str, lines: int = 50) -> str:
    """Return the last lines of a file, or "" if there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 20_000))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    # Ray marks each task in its files with a line of its own, which says nothing to people.
    kept = [line for line in text.splitlines() if not line.startswith(":")]
    return "\n".join(kept[-lines:])


def verify_device(promised: float, gpus: Sequence[str], *, torch_needs_it: bool) -> None:
    """Check that this process sees the GPUs it was given, and no other.

    Args:
        promised: GPUs, or the share of one, that the trial reserved.
        gpus: Ids of the GPUs that Ray gave this process.
        torch_needs_it: The trial trains with torch, which must see the GPU too.

    Raises:
        TrialError: The trial would run elsewhere than where its place was reserved.
    """
    visible = [part for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part]
    if promised > 0 and (not gpus or visible != list(gpus)):
        raise TrialError(
            f"The trial reserved GPU {', '.join(gpus) or '(none given)'}, but its worker sees "
            f"CUDA_VISIBLE_DEVICES={','.join(visible)!r}. Unset CUDA_VISIBLE_DEVICES and "
            "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES where Ray is started."
        )
    if promised > 0 and torch_needs_it:
        import torch

        if torch.cuda.device_count() < len(gpus):
            raise TrialError(
                f"The trial reserved GPU {', '.join(gpus)}, but torch sees "
                f"{torch.cuda.device_count()} GPUs on {platform.node()}. Install a torch built "
                "for CUDA there, check its driver with nvidia-smi, or set gpus_per_trial to 0."
            )


def hide_gpus() -> None:
    """Let a trial that reserved no GPU see none, also where Ray was started without that wish."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
