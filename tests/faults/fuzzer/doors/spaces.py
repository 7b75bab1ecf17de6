"""Space files."""

from pathlib import Path
from random import Random

import yaml

from fuzzer.bases import EXPERIMENT
from fuzzer.cases import DOORS, SEARCH_CODES, Door, Step, after_search
from fuzzer.trees import changed_yaml

SPACES = (
    {
        "description": "Small encoders.",
        "layers": [1, 2],
        "layers_per_stack": 1,
        "widths": [8, 12],
        "heads": [2],
        "operations": {"sa": ["sdp", "wma"], "l": ["dft", "dct"], "c": [5, 9]},
        "feedforward_widths": [8, 12],
        "feedforward_depths": [1, 2],
    },
    {
        "layers": [2, 4],
        "layers_per_stack": 2,
        "widths": [64, 128],
        "heads": [2, 4],
        "operations": {"sa": ["sdp"], "longconv": {"filter": [64, 128]}},
        "feedforward_widths": [96, 192],
        "feedforward_depths": [1, 3],
        "feedforwards": {"mlp": {}, "glu": {"activation": ["gelu", "silu"]}},
        "residuals": {"post": {}, "pre": {}},
        "model": {"norm": {"layer": {}, "rms": {}}, "positions": {"absolute": {}, "relative": {}}},
        "recipe": {
            "mask_rate": [0.15, 0.3],
            "pretrain_learning_rate": {"from": 5.0e-4, "to": 4.0e-3, "steps": 4},
        },
    },
)
COMMANDS = (
    ("space", "show", "space.yaml"), ("space", "count", "space.yaml"),
    ("space", "sample", "space.yaml", "-n", "4", "--design", "sobol"),
    (
        "space", "sample", "space.yaml", "--design", "latin-hypercube",
        "--constraint", "parameters<1e7",
    ),
    ("space", "draw", "--space", "space.yaml", "--to", "out.svg"),
)  # fmt: skip


def make(rng: Random, folder: Path) -> list[Step]:
    """Change a small space; count, sample and draw it, and search in it by any policy."""
    (folder / "space.yaml").write_bytes(changed_yaml(rng, rng.choice(SPACES)))
    policy = rng.choice(
        ("random", "random", "evolution", "tpe", "nsga2", "local-search", "parameters")
    )
    settings = EXPERIMENT | {
        "space": "space.yaml",
        "policy": policy,
        "time": None,
        "constraints": [],
    }
    settings["execution"] = settings["execution"] | {"trial_function": "fuzzer.pretending:free"}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(settings))
    first, *_ = chosen = rng.sample(COMMANDS, 2)
    return [
        *(Step(command, ("out.svg",), after="always") for command in chosen),
        Step(
            ("search", "experiment.yaml", "--run", "run", "--quiet"), ("run",), SEARCH_CODES,
            after="always",
        ),
        *after_search(rng, "run"),
    ]  # fmt: skip


DOORS.register("space")(Door("space files", make))
