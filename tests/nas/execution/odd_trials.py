"""Trial functions that answer in odd ways; the environment variable ODD says which."""

import os
import sys
from fractions import Fraction

import numpy as np
import torch


class NoText(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def scored(value, **more):
    return {"scores": {"score": value, **more}, "costs": {"latency_ms": 3.0}}


def costing(**costs):
    return {"scores": {"score": 0.5}, "costs": {"latency_ms": 3.0, **costs}}


def raising(error):
    raise error


def itself():
    found = {}
    found["found"] = found
    return found


NUMBERS = {
    "int": lambda: scored(1),
    "numpy float32": lambda: scored(np.float32(0.5)),
    "numpy int64": lambda: scored(np.int64(1)),
    "numpy without dimensions": lambda: scored(np.array(0.5)),
    "torch": lambda: scored(torch.tensor(0.5, requires_grad=True)),
    "torch bfloat16": lambda: scored(torch.tensor(0.5, dtype=torch.bfloat16)),
    "fraction": lambda: scored(Fraction(1, 2)),
    "odd details": lambda: scored(0.5) | {"details": {"a": object(), 5: np.arange(3), "\ud800": 1}},
    "whole parameters": lambda: costing(parameters=1200.0),
}
# name -> (answer, cause, what the message says)
FAILURES = {
    "None": (lambda: None, "error", "None"),
    "text": (lambda: "oops", "error", "'oops'"),
    "list": (lambda: [1, 2], "error", "[1, 2]"),
    "True": (lambda: True, "error", "True"),
    "no costs": (lambda: {"scores": {"score": 0.5}}, "error", "two mappings"),
    "scores are a list": (lambda: {"scores": [1], "costs": {}}, "error", "[1] as its scores"),
    "score None": (lambda: scored(None), "error", "NoneType"),
    "score text": (lambda: scored("0.5"), "error", "str"),
    "score True": (lambda: scored(True), "error", "bool"),  # noqa: FBT003
    "score numpy True": (lambda: scored(np.bool_(1)), "error", "bool"),
    "score 10**400": (lambda: scored(10**400), "error", "too large"),
    "score 1e308": (lambda: scored(1e308), "error", "too large"),
    "score -1.7e308": (lambda: scored(-1.7e308), "error", "too large"),
    "score nan": (lambda: scored(float("nan")), "nan", "nan"),
    "score inf": (lambda: scored(np.float32("inf")), "nan", "inf"),
    "score array": (lambda: scored(np.array([0.5])), "error", "ndarray"),
    "score tensor": (lambda: scored(torch.zeros(2)), "error", "Tensor"),
    "score complex": (lambda: scored(1j), "error", "complex"),
    "called trial": (lambda: scored(0.5, trial=1.0), "error", "'trial'"),
    "called status": (lambda: costing(status=1.0), "error", "'status'"),
    "called recipe.x": (lambda: scored(0.5, **{"recipe.x": 1.0}), "error", "'recipe.x'"),
    "called 5": (lambda: {"scores": {"score": 0.5, 5: 1.0}, "costs": {}}, "error", "5 as a name"),
    "called markup": (lambda: scored(0.5, **{"[/b]\x1b[31m": 1}), "error", "[/b]"),
    "parameters 1.5": (lambda: costing(parameters=1.5), "error", "whole"),
    "parameters -1": (lambda: costing(parameters=-1), "error", "whole"),
    "parameters 1e30": (lambda: costing(parameters=10**30), "error", "whole"),
    "details are a list": (lambda: scored(0.5) | {"details": [1]}, "error", "details"),
    "details hold themselves": (lambda: scored(0.5) | {"details": itself()}, "error", "nested"),
    "budget_seconds text": (
        lambda: scored(0.5) | {"details": {"budget_seconds": "x"}}, "error", "budget_seconds",
    ),
    "markup": (lambda: raising(RuntimeError("no [/usr/lib/cuda] [bold]")), "error", "[/usr/lib"),
    "title": (lambda: raising(RuntimeError("\x1b]0;mine\x07\x9b31m")), "error", r"\x1b]0;mine\x07"),
    "surrogate": (lambda: raising(RuntimeError("\udcff \ud800")), "error", r"\udcff \ud800"),
    "long": (lambda: raising(RuntimeError("x" * 3_000_000)), "error", "left out"),
    "no text": (lambda: raising(NoText()), "error", "NoText"),
    "exit": (lambda: sys.exit(3), "error", "SystemExit: 3"),
    "interrupt": (lambda: raising(KeyboardInterrupt()), "error", "KeyboardInterrupt"),
    "base": (lambda: raising(BaseException("x")), "error", "BaseException: x"),
}  # fmt: skip


def every_second(architecture):
    """Answer oddly for about half of the architectures."""
    if int(architecture.hash[:2], 16) % 2:
        name = os.environ["ODD"]
        return NUMBERS[name]() if name in NUMBERS else FAILURES[name][0]()
    return scored(0.4)


def nothing():
    return scored(0.5)


def only_seed(seed):
    return scored(seed % 7)


def turned(recipe, architecture):
    assert architecture.layers
    return scored(len(recipe.tasks))


def renamed(what, how, *, fidelity):
    assert what.layers
    assert how.tasks
    return scored(fidelity)


def keywords(**given):
    assert given["architecture"].layers
    return scored(given["fidelity"])


def places(*given):
    assert given[0].layers
    return scored(len(given))


def unknown(architecture, *, flavour):
    return scored(0.5)


no_function = 5
