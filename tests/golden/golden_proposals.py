"""What every policy proposes and predicts, given results that follow from the architecture alone.

A case is a policy, a space, a batch size and a seed, which also decides the objectives. Each begins
with the policy's own initial design, is told sixteen results it did not ask for, so that every
policy has left that design, and asks again.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from golden_files import HERE

from search_spaces import load_space
from search_spaces.errors import PolicyError
from surrogates import list_policies, make_policy

SPACES = ("flexibert-micro", "mixed")
BATCHES = {1: (6, 1), 4: (2, 1)}  # batch size: asks before and after the results from elsewhere
TOLD, FOREIGN_SEED, PREDICTED_SEED = 16, 9, 77
SEEDS = {
    0: ({"glue": "max"}, ()),
    1: ({"glue": "max", "latency_ms": "min"}, ()),
    2: ({"glue": "max", "parameters": "min"}, ("latency_ms<=7.5",)),
}
OPTIONS = {  # the published algorithm as it is takes ten seconds an ask
    ("boshnas-paper", 1): {"restarts": 2, "heteroscedastic": False},
    ("boshnas-paper", 2): {"restarts": 2, "heteroscedastic": False, "second_order": False},
}


class Case(NamedTuple):
    """One recorded search."""

    policy: str
    space: str
    batch: int
    seed: int

    def __str__(self) -> str:
        return f"{self.policy} {self.space} {self.batch} {self.seed}"


def cases() -> Iterator[Case]:
    """List every case."""
    for policy in list_policies():
        for space in SPACES:
            for batch in BATCHES:
                for seed in SEEDS:
                    yield Case(policy, space, batch, seed)


@cache
def space_called(name: str):
    """Return a shipped space, or the one beside this file."""
    return load_space(HERE / "mixed.yaml" if name == "mixed" else name)


def noise(architecture, salt: str) -> float:
    """Return a number from 0 to 1 that differs between architectures without any pattern."""
    text = f"{salt} {architecture.hash}"
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


def outcome(architecture) -> dict[str, float]:
    """Return made-up scores: depth, width, convolutions and deep feed-forwards help, with noise."""
    layers = architecture.layers
    depth, width = len(layers), sum(layer.width for layer in layers) / len(layers)
    convolutions = sum(
        sum(head.operation == "c" for head in layer.heads) / len(layer.heads) for layer in layers
    )
    maps = sum(len(layer.feedforward) for layer in layers)
    score = 0.4 + 0.02 * depth + 0.0008 * width + (0.05 * convolutions + 0.01 * maps) / depth
    latency = 1.5 * depth + width / 64 + 0.3 * maps / depth
    return {
        "glue": score + 0.03 * noise(architecture, "score"),
        "latency_ms": latency + 0.5 * noise(architecture, "latency"),
    }


def tell(policy, architecture) -> None:
    """Tell what the architecture got; about one in twelve fails."""
    if noise(architecture, "failure") < 1 / 12:
        policy.tell(architecture, error="out of memory", cost=1.0)
    else:
        policy.tell(architecture, outcome(architecture), cost=10 * len(architecture.layers))


def policy_of(case: Case):
    """Build the policy of a case."""
    objectives, constraints = SEEDS[case.seed]
    return make_policy(
        case.policy, space_called(case.space), objectives, seed=case.seed, constraints=constraints,
        options=OPTIONS.get((case.policy, case.seed), {}),
    )  # fmt: skip


def search(case: Case) -> tuple[object, list[list[str]]]:
    """Run a case; return its policy, and what each ask proposed."""
    policy, asked = policy_of(case), []

    def ask(times: int) -> None:
        for _ in range(times):
            batch = policy.ask(case.batch)
            asked.append([architecture.short for architecture in batch])
            for architecture in batch:
                tell(policy, architecture)

    before, after = BATCHES[case.batch]
    ask(before)
    for architecture in policy.space.sample(TOLD, seed=FOREIGN_SEED):
        if architecture.hash not in policy.seen():
            tell(policy, architecture)
    ask(after)
    return policy, asked


def predictions(policy) -> dict[str, list[list[float]]] | None:
    """Return by objective what the policy predicts of three architectures; None without a model."""
    try:
        found = policy.predict(policy.space.sample(3, seed=PREDICTED_SEED))
    except PolicyError:
        return None
    return {
        name: [np.asarray(part, float).tolist() for part in (p.mean, p.epistemic, p.aleatoric)]
        for name, p in found.items()
    }


def measured(case: Case) -> dict:
    """Return everything that is recorded of a case, and the seconds of the processor it took."""
    start = time.process_time()
    policy, asked = search(case)
    found = {"asked": asked, "predicted": predictions(policy)}
    found["seconds"] = round(time.process_time() - start, 2)
    return found


def saved(policy: str) -> dict:
    """Return the state of a policy after a search, and what it asks next."""
    searched, _ = search(Case(policy, "mixed", 4, 1))
    state = json.loads(json.dumps(searched.state_dict()))
    return {"state": state, "next": [architecture.short for architecture in searched.ask(4)]}


def continued(policy: str, state: dict) -> list[str]:
    """Return what a policy that was given a saved state asks next."""
    again = policy_of(Case(policy, "mixed", 4, 1))
    again.load_state_dict(state)
    return [architecture.short for architecture in again.ask(4)]
