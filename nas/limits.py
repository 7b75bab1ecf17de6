"""How many CPUs and how much memory this process may use: of its container, not of the machine.

Source: the kernel's documentation, "Control Group v2" (`cpu.max`, `memory.max`) and "Control Groups
version 1" (`cpu.cfs_quota_us`, `memory.limit_in_bytes`).
"""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
# What version 1 says where there is no limit is a number near 2**63.
_UNLIMITED = 1 << 60


def available_cpus(root: Path = ROOT) -> int:
    """Return the number of cores this process may keep busy: at least 1, in whole cores."""
    cores = machine_cpus()
    quota = cpu_quota(root)
    return cores if quota is None else max(1, min(cores, int(quota + 1e-6)))


def machine_cpus() -> int:
    """Return the number of cores this process may run on, whatever share of their time it has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota(root: Path = ROOT) -> float | None:
    """Return the cores' worth of time that the container may use, or None without a limit."""
    quotas = []
    for folder in _folders(root, "cpu"):
        text = _read(folder / "cpu.max").split()
        if not text:
            text = [_read(folder / f"cpu.cfs_{what}_us") for what in ("quota", "period")]
        try:
            quota, period = (float(part) for part in text)
        except ValueError:  # "max", or no such file
            continue
        if quota > 0 and period > 0:
            quotas.append(quota / period)
    return min(quotas, default=None)


def memory_limit(root: Path = ROOT) -> int | None:
    """Return the bytes of memory that the container may use, or None without a limit."""
    limits = []
    for folder in _folders(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(folder / name)
            if text.isdecimal() and int(text) < _UNLIMITED:
                limits.append(int(text))
    return min(limits, default=None)


def available_memory(root: Path = ROOT) -> int:
    """Return the bytes of memory that this process and all below it may use together."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(machine, memory_limit(root) or machine)


def address_space() -> int | None:
    """Return the bytes of address space this process may have (`ulimit -v`), or None."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def describe_limits(root: Path = ROOT) -> str:
    """Return in words what may be used: "1 CPU core (of 2: its container's limit), 2.0 GB…"."""
    cpus, cores = available_cpus(root), machine_cpus()
    text = f"{cpus} CPU core{'s' * (cpus != 1)}"
    if cpus < cores:
        text += f" (of {cores}: its container may use {cpu_quota(root):g})"
    text += f", {available_memory(root) / 1e9:.1f} GB memory"
    return text + (" (its container's limit)" if memory_limit(root) else "")


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control groups, from its own up to the root's."""
    mounted = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines() or ["0::/"]:
        number, _, rest = line.partition(":")
        controllers, _, own = rest.partition(":")
        if number == "0" and not controllers:
            tops = [mounted, mounted / "unified"]
        elif controller in controllers.split(","):
            tops = [mounted / controllers, mounted / controller]
        else:
            continue
        # A container sees its own group as the root, while the file may name it as the host does.
        parts = [part for part in own.split("/") if part not in ("", "..")]
        for top in tops:
            for depth in range(len(parts), -1, -1):
                yield top.joinpath(*parts[:depth])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
