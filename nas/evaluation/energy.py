"""Energy of a forward pass, where the machine counts it: RAPL for processors, NVML for GPUs."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

Counter = Callable[[], float]

_POWERCAP = Path("/sys/class/powercap")


def energy_counters(device: torch.device, powercap: Path = _POWERCAP) -> list[Counter]:
    """Return functions that give joules spent so far; none where nothing is counted.

    Args:
        device: A GPU is counted by NVML, a processor by RAPL.
        powercap: Where Linux shows RAPL.
    """
    return _gpu_counters(device) if device.type == "cuda" else _processor_counters(powercap)


def measure_energy(
    encoder: nn.Module,
    *,
    batch: int = 1,
    length: int = 32,
    seconds: float = 0.5,
    counters: list[Counter] | None = None,
) -> float | None:
    """Return the joules of one forward pass of one batch; None where the machine does not tell.

    Counters count the whole processor or GPU, idle power and other programs included.

    Args:
        encoder: The model; called with tokens, `(batch, length)`.
        batch: Sequences at once.
        length: Tokens of a sequence.
        seconds: Passes are repeated for so long, because counters move only every few ms.
        counters: What to read; None takes those of the encoder's device.
    """
    device = next(encoder.parameters()).device
    counters = energy_counters(device) if counters is None else counters
    if not counters:
        return None
    tokens = torch.full((batch, length), 5, dtype=torch.int64, device=device)
    was_training = encoder.training
    encoder.eval()
    passes, end = 0, time.perf_counter() + seconds
    try:
        with torch.inference_mode():
            before = [counter() for counter in counters]
            while passes == 0 or time.perf_counter() < end:
                encoder(tokens)
                passes += 1
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            after = [counter() for counter in counters]
    finally:
        encoder.train(was_training)
    return sum(b - a for a, b in zip(before, after, strict=True)) / passes


def _processor_counters(powercap: Path) -> list[Counter]:
    # a name with one colon is a whole processor; parts of it, which it contains, have two
    folders = [p for p in sorted(powercap.glob("intel-rapl:*")) if p.name.count(":") == 1]
    found = []
    for folder in folders:
        try:
            found.append(_Rapl(folder))
        except (OSError, ValueError):  # since 2020 only an administrator may read them
            continue
    return found


class _Rapl:
    """Joules of one processor since this was made; its counter starts again at a limit."""

    def __init__(self, folder: Path):
        self._file = folder / "energy_uj"
        self._limit = int((folder / "max_energy_range_uj").read_text())
        self._last, self._spent = self._read(), 0

    def __call__(self) -> float:
        now = self._read()
        self._spent += (now - self._last) % (self._limit + 1)
        self._last = now
        return self._spent / 1e6

    def _read(self) -> int:
        return int(self._file.read_text())


def _gpu_counters(device: torch.device) -> list[Counter]:
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(
            f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        )
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # not installed, or the card does not count; the library has many errors
        return []
    return [lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3]
