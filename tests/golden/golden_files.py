"""Where the recorded numbers lie, and how strictly this machine can be held to them.

Last digits of floating-point results depend on the processor and on the versions of libraries.
Every file carries the fingerprint of the machine that wrote it: where this one computes the same
bytes, everything must be equal to the last digit; elsewhere what was equal under other instruction
sets must be, and numbers to `CLOSE`.
"""

import hashlib
import json
import math
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
CLOSE, NEAR = 1e-6, 1e-5  # relative; the second for distances in embeddings, which are float32
LIBRARIES = ("numpy", "scipy", "torch", "scikit-learn", "gpytorch", "botorch", "optuna")


@cache
def fingerprint() -> str:
    """Return a digest of what a few products, factors and exponentials come to on this machine."""
    import scipy.linalg
    import torch
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    total = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in LIBRARIES).encode())
    with threadpool_limits(1):
        for n in (7, 40, 129):
            square, line = rng.normal(size=(n, n)), rng.normal(size=n)
            positive = square @ square.T + n * np.eye(n)
            lower = np.linalg.cholesky(positive)
            results = [
                square @ line, lower, scipy.linalg.cho_solve((lower, True), line),
                np.linalg.eigvalsh(positive), np.exp(line), np.log2(np.abs(line)), np.sin(square),
                square.sum(axis=0), np.linalg.norm(square, axis=1),
            ]  # fmt: skip
            for dtype in (torch.float32, torch.float64):
                tensor = torch.as_tensor(positive / n, dtype=dtype)
                results += [
                    r.numpy()
                    for r in (tensor @ tensor, tensor.exp(), tensor.tanh(), tensor.softmax(-1),
                              torch.linalg.cholesky(tensor), tensor.sum(0))
                ]  # fmt: skip
            for result in results:
                total.update(np.ascontiguousarray(result).tobytes())
    return total.hexdigest()[:16]


def digest(value: object) -> str:
    """Return sixteen hexadecimal digits of an array's exact bytes, a text, or plain JSON."""
    if isinstance(value, np.ndarray):
        content = f"{value.dtype} {value.shape} ".encode() + np.ascontiguousarray(value).tobytes()
    elif isinstance(value, str):
        content = value.encode()
    else:
        content = json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def differences(
    recorded: object, found: object, *, close: float | None = None, where: str = ""
) -> list[str]:
    """Return where two pieces of plain JSON differ, and how.

    With `close`, floating-point numbers may differ by that share, and digests of them (the key
    "digest") are not looked at; None wants the last digit.
    """
    if isinstance(recorded, dict) and isinstance(found, dict) and set(recorded) == set(found):
        pairs = [(f"{where}/{key}", recorded[key], found[key]) for key in recorded]
        pairs = [p for p in pairs if close is None or not p[0].endswith("/digest")]
    elif isinstance(recorded, list) and isinstance(found, list) and len(recorded) == len(found):
        pairs = [(f"{where}/{i}", *p) for i, p in enumerate(zip(recorded, found, strict=True))]
    else:
        same = type(recorded) is type(found) and recorded == found
        if isinstance(recorded, float) and isinstance(found, float) and close is not None:
            same = math.isclose(recorded, found, rel_tol=close, abs_tol=1e-9)
        return [] if same else [f"{where}: recorded {recorded!r}, now {found!r}"]
    return [d for place, a, b in pairs for d in differences(a, b, close=close, where=place)]


def read(name: str) -> dict:
    """Return the content of a recorded file."""
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def write(name: str, content: dict) -> None:
    """Write a recorded file with this machine's fingerprint, one entry on a line."""
    content = {"fingerprint": fingerprint(), "python": sys.version.split()[0], **content}
    lines = []
    for key, value in content.items():
        if isinstance(value, dict):
            inner = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            lines.append(f"{json.dumps(key)}: {{\n{inner}\n}}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    (HERE / name).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
