"""Architecture dictionaries."""

from functools import cache
from pathlib import Path
from random import Random

from fuzzer.cases import DOORS, Door, Step
from fuzzer.trees import changed_json

PUBLISHED = (
    {
        "l": 2, "o": ["sa", "l"], "p": ["sdp", "dft"], "h": [128, 64], "n": [2, 2],
        "f": [[96], [96, 96, 96]],
    },
    {"l": 1, "o": [["sa_sdp_64", "c_5_64"]], "h": [128], "f": [[512]]},
    {
        "l": 1, "o": ["sa"], "p": ["wma"], "h": [64], "n": [2], "f": [[96]],
        "parts": [{"feedforward": "glu"}],
        "model": {"norm": "rms"}, "recipe": {"mask_rate": "0.15"},
    },
)  # fmt: skip


@cache
def samples() -> list[dict]:
    """Return valid dictionaries of both formats, with and without parts."""
    from search_spaces import load_space

    found = [
        a.to_dict()
        for name in ("flexibert-micro", "flexibert-2", "bert")
        for a in load_space(name).sample(4, seed=1)
    ]
    return [*found, *PUBLISHED]


def make(rng: Random, folder: Path) -> list[Step]:
    """Change a dictionary; check and draw it, and look for it in a space."""
    (folder / "a.json").write_bytes(changed_json(rng, rng.choice(samples())))
    return [
        Step(("space", "check", "a.json", "--space", "flexibert-micro")),
        Step(("space", "draw", "a.json", "--to", "out.svg"), ("out.svg",)),
        Step(
            (
                "train", "a.json", "--data", "glue-mini", "--tasks", "sst2", "--tokens", "200",
                "--to", "out",
                "--set", "max_train_examples=16", "--set", "max_dev_examples=16", "--set",
                "vocabulary_size=90",
                "--quiet",
            ),
            ("out", "runs"),
        )
        if rng.random() < 0.15
        else Step(
            ("space", "draw", "a.json", "--to", "right.png", "--direction", "right"), ("right.png",)
        ),
    ]  # fmt: skip


DOORS.register("architecture")(Door("architecture files", make))
