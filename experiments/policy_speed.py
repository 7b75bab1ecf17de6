"""How long a policy takes to fit and to propose; prints a table of seconds.

    OMP_NUM_THREADS=1 python experiments/policy_speed.py --policies boshnas,gp-hamming
    OMP_NUM_THREADS=2 python experiments/policy_speed.py --candidates 1000000

Architectures are drawn from the paper's space with layers that differ freely, their scores made up
from depth and width; what is fitted does not change how long it takes. Each time is the shortest
of three, but for a million candidates, which are proposed from once.
"""

import argparse
import time

import numpy as np

from search_spaces import Architecture, FiniteSpace, load_space
from surrogates import make_policy

ROWS, CANDIDATES, PROPOSALS = (50, 100, 200), (10_000,), 10


def score(architecture: Architecture) -> float:
    layers = architecture.layers
    return 0.1 * np.log2(len(layers)) + 0.03 * np.log2(np.mean([x.width for x in layers]))


def told_policy(name: str, space, rows: list[Architecture]):
    policy, rng = make_policy(name, space, seed=0), np.random.default_rng(0)
    for architecture in rows:
        policy.tell(architecture, {"glue": score(architecture) + 0.01 * rng.standard_normal()})
    return policy


def shortest(run, repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--policies", default="boshnas")
    options.add_argument("--candidates", type=int, nargs="*", default=CANDIDATES)
    chosen = options.parse_args()
    drawn = load_space("flexibert-test-fine").sample(max(*chosen.candidates, 1000), seed=0)
    print(f"{'policy':<16}{'what':<44}{'seconds':>9}")
    for name in chosen.policies.split(","):
        small = FiniteSpace(drawn[:1000])
        for rows in ROWS:
            policy = told_policy(name, small, drawn[:rows])
            seconds = shortest(lambda p=policy: p.predict(drawn[:1]), 3)
            print(f"{name:<16}{f'fit {rows} rows':<44}{seconds:>9.2f}", flush=True)
        for count in chosen.candidates:
            space = FiniteSpace(drawn[:count])
            policies = [
                told_policy(name, space, drawn[:100]) for _ in range(3 if count < 10**6 else 1)
            ]
            each = iter(policies)
            asked: list[Architecture] = []
            seconds = shortest(
                lambda e=each, a=asked: a.extend(next(e).ask(PROPOSALS)), len(policies)
            )
            distinct = len({a.hash for a in asked[:PROPOSALS]})
            what = f"propose {PROPOSALS} ({distinct} distinct) of {count:,}, 100 rows"
            print(f"{name:<16}{what:<44}{seconds:>9.2f}", flush=True)


if __name__ == "__main__":
    main()
