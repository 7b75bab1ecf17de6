"""A search on two nodes of which one dies: trials spread, share GPUs, and continue on the other.

A third node joins afterwards, and gets trials too.

Both nodes are Ray nodes on this machine, with GPUs that only Ray believes in; the trials train
nothing but keep checkpoints as real ones do. Prints what each node did, and checks it.

    python experiments/two_nodes.py [--run DIR]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

from faults import kill_a_node  # beside this file

from nas.benchmarks.pretend_trials import LOG_VARIABLE, SECONDS_VARIABLE, STEPS


def read_steps(log):
    """Return every step that any trial took, as dictionaries."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def kill_when_busy(cluster, node, log, killed):
    """Kill `node` and its workers with signal 9 once a trial is in its midst there."""
    while True:
        time.sleep(0.05)
        steps = read_steps(log) if log.exists() else []
        inside = [s for s in steps[-8:] if s["node"] == node.node_id and 3 <= s["step"] < STEPS - 3]
        if len({s["hash"] for s in steps}) >= 6 and inside:
            break
    killed["at"] = time.time()
    kill_a_node(node)
    killed["joined"] = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus", "2",
         "--num-gpus", "1", "--address", cluster.address],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def main(directory):
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "1"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ[SECONDS_VARIABLE] = "1.5"
    log = directory.parent / f"{directory.name}-steps.jsonl"
    os.environ[LOG_VARIABLE] = str(log)

    import ray
    from ray.cluster_utils import Cluster

    from nas.config import make_experiment
    from nas.search.driver import start

    head = {"num_cpus": 2, "num_gpus": 2, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    second = cluster.add_node(num_cpus=2, num_gpus=1)
    experiment = make_experiment(
        {
            "policy": "random",
            "trials": 24,
            "execution": {
                "address": cluster.address,
                "gpus_per_trial": 0.5,
                "trial_function": "nas.benchmarks.pretend_trials:stepwise",
                "checkpoint_seconds": 1,
            },
        }
    )
    killed = {}
    killer = threading.Thread(
        target=kill_when_busy, args=(cluster, second, log, killed), daemon=True
    )
    killer.start()
    try:
        run, reason = start(experiment, directory, say=print)
    finally:
        ray.shutdown()
        names = {cluster.head_node.node_id: "head", second.node_id: "second"}
        if "joined" in killed:
            killed["joined"].terminate()
            killed["joined"].wait(60)
        cluster.shutdown()
    return check(run, reason, read_steps(log), names, killed["at"])


def check(run, reason, steps, names, killed_at):
    """Print what happened; raise AssertionError where it is not what was promised."""
    records = run.journal.trials()
    assert reason == "trials"
    assert all(record["status"] == "done" for record in records)
    by_node, gpus, places = Counter(), defaultdict(set), defaultdict(dict)
    for step in steps:
        node = names.get(step["node"], "third")
        by_node[node] += 1
        gpus[node].add(step["gpus"])
        places[step["hash"]].setdefault(node, []).append(step["step"])
    print("steps by node:          ", dict(by_node))
    print("CUDA_VISIBLE_DEVICES:   ", {node: sorted(seen) for node, seen in gpus.items()})
    assert gpus["head"] <= {"0", "1"}
    assert gpus["second"] == gpus["third"] == {"0"}, "also the one that joined has trials"
    print("workers:                ", [workers for _, workers in run.journal.capacities()])
    together = busiest(steps)
    print("trials at once on a GPU:", together)
    assert max(together.values()) == 2, "half a GPU each, so two share one"
    moved = {h: where for h, where in places.items() if "second" in where and len(where) > 1}
    print(f"moved when the second node was killed: {len(moved)}")
    assert moved
    for digest, where in moved.items():
        (then,) = where.keys() - {"second"}
        print(f"  {digest[:10]}  second: steps {where['second']}  then {then}: {where[then]}")
        assert where[then][0] >= where["second"][-1], "it continued from its checkpoint"
        assert where[then][-1] == STEPS - 1
    counts = Counter((s["hash"], s["step"]) for s in steps)
    print("steps taken twice:      ", sum(n - 1 for n in counts.values()), "of", len(counts))
    retried = [r for r in records if r["attempts"] > 1]
    print("trials with two attempts:", [r["trial"] for r in retried], "none of them failed")
    late = [s for s in steps if s["at"] > killed_at + 5]
    assert not [s for s in late if names.get(s["node"]) == "second"]
    print(f"run: {run.directory}")
    run.close()


def busiest(steps):
    """Return the most trials that were under way at one time on each GPU of each node."""
    spans = defaultdict(dict)
    for step in steps:
        first, _ = spans[step["node"][:6], step["gpus"]].get(step["hash"], (step["at"], None))
        spans[step["node"][:6], step["gpus"]][step["hash"]] = (first, step["at"])
    return {
        f"{node}/{gpu}": max(
            sum(a <= start < b for a, b in trials.values()) for start, _ in trials.values()
        )
        for (node, gpu), trials in spans.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path)
    chosen = parser.parse_args().run
    with tempfile.TemporaryDirectory(prefix="nas-two-nodes-") as folder:
        main(chosen or Path(folder) / "run")
