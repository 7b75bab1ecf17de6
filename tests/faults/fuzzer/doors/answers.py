"""What a trial function returns, raises, prints and does."""

import os
import sys
from pathlib import Path
from random import Random
from typing import Any

import yaml

from fuzzer import values
from fuzzer.bases import EXPERIMENT
from fuzzer.cases import DOORS, Door, Step, after_search

FUNCTION = "fuzzer.doors.answers:answer"


class Unprintable(Exception):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no text")


def _odd(rng: Random) -> Any:
    import numpy as np
    import torch

    kinds = (
        lambda: values.value(rng), lambda: values.number(rng), lambda: np.float32(0.5),
        lambda: np.int64(3),
        lambda: np.array(0.25), lambda: np.array([1.0, 2.0]), lambda: torch.tensor(0.5),
        lambda: torch.ones(3),
        lambda: torch.tensor(0.5, requires_grad=True), lambda: np.float64("nan"), lambda: 1 + 2j,
        lambda: b"x",
        lambda: {1, 2}, lambda: object(), lambda: np.datetime64("2020-01-01"),
        lambda: np.bool_(True),  # noqa: FBT003
        lambda: (x for x in ()), lambda: "\ud800", lambda: np.str_("x"), lambda: np.float16(0.5),
    )  # fmt: skip
    return rng.choice(kinds)()


def _raise(rng: Random) -> None:
    text = rng.choice(
        (
            *values.TEXTS,
            "\ud800",
            "[/usr/lib/cuda]",
            "[bold]x[/nothing]",
            "\x1b[2J\x1b]0;x\x07",
            "x" * 10**6,
        )
    )
    # not ENOSPC: a search waits for room, and says so
    errors = (
        ValueError(text), RuntimeError(text), Unprintable(), KeyError(text), MemoryError(),
        StopIteration(text),
        OSError(5, text), OSError(text), SystemExit(3), SystemExit(text), SystemExit(0),
        GeneratorExit(),
        RecursionError(text), AssertionError(), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"),
        Exception(),
        ExceptionGroup(text, [ValueError(text)]), TimeoutError(text), BaseException(text),
        EOFError(),
        type(text[:20] or "E", (Exception,), {})(text),
    )  # fmt: skip
    raise rng.choice(errors)


def answer(architecture: Any, recipe: Any = None, data: Any = None, *, seed: int) -> Any:
    """Be a trial function: odd in the way of the case's seed, for all trials or for some."""
    rng = Random(int(os.environ["FUZZ_SEED"]))
    sometimes = rng.random() < 0.6
    plain = {"scores": {"glue": (seed % 97) / 97}, "costs": {"parameters": 1e5}}
    if sometimes and seed % 3:
        return plain
    kind = rng.randrange(16)
    odd = _odd(rng)
    name = rng.choice(
        (*values.TEXTS[:40], "trial", "status", "seconds", "hash", 1, None, ("a",), 2.5, "\ud800")
    )
    if kind < 4:
        _raise(rng)
    if kind == 4:
        sys.stdout.write("\x1b]0;x\x07" + "x" * 100_000)
        os.write(1, b"\xff\xfe[/x]\n")
        raise ValueError("after printing")
    if kind == 5:
        return odd
    where = rng.choice(("scores", "costs", "details"))
    if kind == 6:
        return plain | {where: odd}
    if kind == 7:
        return {k: v for k, v in plain.items() if k != where}
    if kind == 8:
        return plain | {str(name): odd}
    if kind == 9:
        return plain | {"weights": odd, "seconds": odd}
    inner = rng.choice(("glue", "parameters", name, name))
    return plain | {where: plain.get(where, {}) | {inner: odd}}


def make(rng: Random, folder: Path) -> list[Step]:
    """Search with a function that answers oddly; look at the run in every way, and go on."""
    policy = rng.choice(
        ("random", "random", "evolution", "tpe", "nsga2", "local-search", "reinforce")
    )
    settings = EXPERIMENT | {"policy": policy, "time": None, "trials": 4, "constraints": []}
    settings["execution"] = settings["execution"] | {"trial_function": FUNCTION}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(settings))
    search = ("search", "experiment.yaml", "--run", "run", *rng.choice(((), ("--quiet",))))
    looks = (
        ("why", "run", "1"),
        ("trials", "run", "--to", "out.parquet"),
        ("trials", "run", "--format", "json"),
    )
    return [
        Step(search, ("run",), (0, 5)),
        *after_search(rng, "run"),
        Step(rng.choice(looks), ("out.parquet",), codes=(0,)),
    ]


DOORS.register("answers")(Door("trial functions' answers", make, imports=True))
