"""How long a policy takes to fit and to propose; prints a table of seconds.

    OMP_NUM_THREADS=1 python experiments/policy_speed.py --policies boshnas,gp-hamming
    OMP_NUM_THREADS=2 python experiments/policy_speed.py --candidates 1000000
    OMP_NUM_THREADS=1 python experiments/policy_speed.py --many 300 1000

Architectures are drawn from the paper's space with layers that differ freely, their scores made up
from depth and width; what is fitted does not change how long it takes. Each time is the shortest
of three, but for a million candidates, which are proposed from once. With `--many`, seconds of the
processor for asks with two measured objectives in flexibert-micro after so many results: the first,
which learns hyper-parameters, and the shortest of three later ones.
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


def many_results(name: str, rows: int, proposals: int) -> tuple[float, float]:
    """Return the processor's seconds of the first ask, and of a later one, after many results."""
    space, rng = load_space("flexibert-micro"), np.random.default_rng(0)
    policy = make_policy(name, space, {"glue": "max", "latency_ms": "min"}, seed=0)
    for architecture in space.sample(rows, seed=1):
        noise = 1 + 0.05 * rng.standard_normal()
        latency = sum(layer.width for layer in architecture.layers) / 500 * noise
        glue = score(architecture) + 0.01 * rng.standard_normal()
        policy.tell(architecture, {"glue": glue, "latency_ms": latency})
    seconds = []
    for _ in range(4):
        begun = time.process_time()
        policy.ask(proposals)
        seconds.append(time.process_time() - begun)
    return seconds[0], min(seconds[1:])


def print_many(names: list[str], counts: list[int]) -> None:
    print(f"{'policy':<16}{'told':>8}{'ask':>6}{'first':>9}{'later':>9}")
    for name in names:
        many_results(name, 20, 4)  # load what is imported once
        for rows in counts:
            for proposals in (1, 16, 64):
                first, later = many_results(name, rows, proposals)
                print(f"{name:<16}{rows:>8}{proposals:>6}{first:>9.2f}{later:>9.2f}", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--policies", default="boshnas")
    options.add_argument("--candidates", type=int, nargs="*", default=CANDIDATES)
    options.add_argument("--many", type=int, nargs="*", help="results told, such as 300 1000")
    chosen = options.parse_args()
    if chosen.many:
        print_many(chosen.policies.split(","), chosen.many)
        return
    drawn = load_space("flexibert-test-fine").sample(max(*chosen.candidates, 1000), seed=0)
    print(f"{'policy':<16}{'what':<44}{'seconds':>9}")
    for name in chosen.policies.split(","):
        small = FiniteSpace(drawn[:1000])
        for rows in ROWS:
            # a policy remembers a fit, so each is fitted once
            fresh = iter([told_policy(name, small, drawn[:rows]) for _ in range(3)])
            seconds = shortest(lambda f=fresh: next(f).predict(drawn[:1]), 3)
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
