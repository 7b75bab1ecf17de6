"""`--set KEY=VALUE`: settings by their place in a file, in mappings and lists."""

from pathlib import Path
from random import Random

import yaml

from fuzzer import values
from fuzzer.bases import EXPERIMENT
from fuzzer.cases import DOORS, SEARCH_CODES, Door, Step, after_search
from fuzzer.doors.own import rows, write
from fuzzer.trees import places

OWN = {"train": "train.csv", "name": "mine", "text": ["text"], "metrics": ["accuracy"]}
KEYS = (
    "tasks.0", "tasks.1", "tasks.-1", "tasks.²", "tasks.١", "tasks.00", "tasks." + "9" * 5000,
    "tasks.0.train", "tasks.1.metrics.0", "tasks.1.text.0", "tasks.1.text", "space.layers.0",
    "space.operations.sa.0", "recipe.finetuning", "recipe.preset", "execution", "execution.engine",
    "constraints.0", "objectives", "objectives.glue", "recipe", "a.b.c.d", "", ".", "..", "tasks.",
    "tasks.0.0", "name.x", "trials.0", "recipe.mask_rate.0", "é", "__class__", "tasks.0.__class__",
    "suites.blimp.data", "finalists", "checkpoint", "mixers", "prior",
)  # fmt: skip


def make(rng: Random, folder: Path) -> list[Step]:
    """Change one or two settings, of those that are there or not; resolve, and search."""
    write(folder / "train.csv", rows("classes"))
    settings = EXPERIMENT | {"trials": 2, "time": None, "constraints": ["parameters<2e6"]}
    settings |= {"tasks": ["sst2", OWN], "objectives": {"score": "max", "parameters": "min"}}
    space = yaml.safe_load((folder / "tiny.yaml").read_text())
    settings |= {"space": space, "policy": "random"}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(settings))
    known = [".".join(map(str, path)) for path in places(settings)]
    changes = []
    for _ in range(rng.choice((1, 1, 2))):
        key = rng.choice(KEYS) if rng.random() < 0.4 else rng.choice(known)
        kind = rng.random()
        if kind < 0.35:
            value = rng.choice(values.YAML)
        elif kind < 0.7:
            value = str(values.value(rng))[:2000]
        else:
            value = rng.choice(("3", "[1, 2]", "{a: 1}", "true", "mine", "null", "0.5", "[]"))
        changes.append(f"--set={key}={value}".replace("\x00", "0"))
    given = [text.encode("utf-8", "replace").decode() for text in changes]
    if rng.random() < 0.05:
        given[0] = given[0].replace("=", "", 2)
    search = ("search", "experiment.yaml", *given, "--run", "run", "--quiet")
    return [
        Step(("config", "experiment.yaml", *given)),
        Step(search, ("run", "weights"), SEARCH_CODES),
        *after_search(rng, "run")[: rng.choice((0, 4))],
    ]


DOORS.register("set")(Door("settings by --set", make, imports=True))
