"""Tables of trained architectures, for `nas benchmark policies`."""

import json
from pathlib import Path
from random import Random

from fuzzer.cases import DOORS, Door, Step
from fuzzer.texts import change_bytes
from fuzzer.trees import change_tree


def make(rng: Random, folder: Path) -> list[Step]:
    """Change a row or the bytes of a table; run two policies on it."""
    from search_spaces import load_space

    rows = [
        {
            "architecture": a.to_dict(),
            "scores": {"glue": 0.1 + i / 100, "sst2": 0.5},
            "seconds": 1.0 + i,
        }
        for i, a in enumerate(load_space("flexibert-micro").sample(14, seed=2))
    ]
    kind = rng.randrange(10)
    if kind < 6:
        at = rng.randrange(len(rows))
        rows[at] = change_tree(rng, rows[at])
    elif kind == 6:
        name = rng.choice(("seconds", "architecture", "scores"))
        rows = [{k: v for k, v in row.items() if k != name} for row in rows]
    content = "\n".join(map(json.dumps, rows)).encode()
    (folder / "table.jsonl").write_bytes(content if kind < 7 else change_bytes(rng, content))
    more = rng.choice(
        (
            (),
            ("--objective", "glue:max,parameters:min"),
            ("--durations", "seconds", "--simulate", "2"),
        )
    )
    return [
        Step(
            (
                "benchmark", "policies", "--table", "table.jsonl", "--seeds", "2", "--batch", "2",
                "--budget", "8",
                "--initial", "3", "--policies", "random,evolution", "--simulated-seeds", "1",
                "--to", "out", *more,
            ),
            ("out",),
        )
    ]  # fmt: skip


DOORS.register("table")(Door("tables of architectures", make))
