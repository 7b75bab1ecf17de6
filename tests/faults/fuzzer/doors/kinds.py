"""Kinds and their settings: in architectures, and in what a recipe says of training."""

import json
import re
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from fuzzer import values
from fuzzer.bases import EXPERIMENT
from fuzzer.cases import DOORS, SEARCH_CODES, Door, Step, after_search
from fuzzer.doors.glue import WORDS
from fuzzer.doors.own import RECIPE, rows, write

ODD_SETTINGS = (
    "0", "1", "2", "3", "-1", "0.5", "1e9", "1e308", "1e-300", "nan", "inf", "x", "true", "9" * 30,
    "٣", "1_0", "0x1", "mlm", "f(", "a=b", "4096", "1e999", "", " 2 ", "2.0", "plain", "none",
)  # fmt: skip
# Of a recipe, that is no kind: setting -> values that may or may not be.
NUMBERS = {
    "mask_rate": (0, 1, 0.99, "0.1 > 0.3", "0.3>", [0.1, 0.3], -1, "x", 1e-300, True),
    "block_length": (1, 2, 0, 10**9, 16.0, "16", [8, 16], "8 > 16", 3.5),
    "max_length": (1, 2, 3, 4, 10**9, "x", 16.5, None),
    "pretrain_learning_rate": (0, 1e308, 1e-320, "1e-3", -1, 10**400, float("nan")),
    "finetune_learning_rate": (0, 1e308, 1e-320, "x", float("inf"), [1e-3]),
    "finetune_epochs": (0, 1, 10**12, 1.5, "1", True, -1),
    "dropout": (0, 1, 0.999, -0.1, "x", 1.5, True),
    "vocabulary_size": (5, 6, 0, 70, 10**12, 300.0, "300"),
    "pretrain_tokens": (0, 1, 10**18, 1e3, "2e3", -5, 100),
    "threads": (0, 1, 10**6, "auto", 1.5, -1),
    "precision": ("fp32", "bf16", "fp16", "fp8", 32, None),
    "pooling": ("first", "mean", "x", None, "max"),
    "finetune_seeds": (1, 2, 0, 10**6, "2", True),
    "inherit_tokens": (0, 1, 0.5, 2, "x"),
    "batch_size": (1, 0, 10**9, 2.5, "8"),
    "selection": ("dev", "train-part", "x", None, 3),
    "z_loss": (0, 1e308, -1, "x", 1e-4),
    "teacher": ("", "nowhere", "hub:a/b", ".", None, 3),
}


@cache
def kinds_of(slot: str) -> tuple[str, ...]:
    """Return the kinds of a slot of this project."""
    from search_spaces.kinds import SLOTS

    return tuple(sorted(SLOTS[slot].kinds))


def a_part(rng: Random, slot: str) -> str:
    """Return the text of a kind with settings that it has, mostly with values that it allows."""
    from search_spaces.kinds import SLOTS

    name = rng.choice(kinds_of(slot))
    known = SLOTS[slot].kinds[name].settings
    given = []
    for setting in rng.sample(sorted(known), min(len(known), rng.choice((0, 1, 1, 2)))):
        about = known[setting]
        if rng.random() < 0.3:
            value = rng.choice(ODD_SETTINGS)
        elif about.allowed:
            value = str(rng.choice(about.allowed))
        elif isinstance(about.default, int | float):
            near = (about.least, about.most, about.default * 2, about.default / 2, 1, 2, 64)
            number = rng.choice(near)
            whole = isinstance(about.default, int) and abs(number) < 2**53
            value = str(int(number) if whole else number)
        else:
            value = str(about.default)
        given.append(f"{setting}={value}")
    text = f"{name}({','.join(given)})" if given else name
    kind = rng.randrange(30)
    if kind == 0:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice("(),=+> ~;\x1b'\"") + text[at:]
    elif kind == 1:
        text = values.text(rng)
    return text


def architecture(rng: Random) -> dict[str, Any]:
    """Return an architecture with kinds in some of its slots."""
    from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS

    heads = rng.choice((["sa_sdp_8", "sa_sdp_8"], ["c_3_8", "sa_wma_8"], ["l_dft_16"], None))
    layers = rng.choice((1, 2, 2))
    mixer = a_part(rng, "mixer")
    if heads is None:
        heads = [f"{mixer}_{rng.choice((8, 16))}"] * rng.choice((1, 2))
    parts = [
        {slot: a_part(rng, slot) for slot in LAYER_SLOTS if rng.random() < 0.35}
        for _ in range(layers)
    ]
    model = {slot: a_part(rng, slot) for slot in MODEL_SLOTS if rng.random() < 0.3}
    width = rng.choice((16, 16, 32, 8))
    stack = [rng.choice((24, 16, 1, 8))] * rng.choice((1, 1, 2))
    return {
        "l": layers, "o": [heads] * layers, "h": [width] * layers, "f": [stack] * layers,
        "parts": parts, "model": model,
    }  # fmt: skip


def recipe(rng: Random) -> dict[str, Any]:
    """Return changes of a recipe: kinds in its slots, and other settings."""
    from search_spaces.kinds import RECIPE_SLOTS, SLOTS

    found: dict[str, Any] = {}
    for _ in range(rng.choice((1, 1, 2))):
        slot = rng.choice(RECIPE_SLOTS)
        text = a_part(rng, slot)
        if SLOTS[slot].ordered and rng.random() < 0.4:
            text = f"{text}{rng.choice(('+', ' > ', '>', '++', ' + '))}{a_part(rng, slot)}"
        found[slot] = text
    if rng.random() < 0.3:
        name = rng.choice(list(NUMBERS))
        found[name] = rng.choice(NUMBERS[name])
    return found


def large(changes: object) -> bool:
    """Whether a number of thousands is asked for, whose time and memory are asked for, too."""
    return re.search(r"\d{4}", json.dumps(changes)) is not None


def trained(folder: Path, changes: dict[str, Any], named: str) -> Step:
    """Return a training of a moment, of the architecture that is named, really trained."""
    write(folder / "train.csv", rows("classes"))
    (folder / "corpus.txt").write_text("\n".join(" ".join(WORDS) for _ in range(60)))
    settings = {
        "tasks": [{"train": "train.csv", "name": "mine"}],
        "corpus": ["corpus.txt"],
        "recipe": {**RECIPE, "preset": "glue-mini", "max_length": 24, "threads": 1, **changes},
    }
    (folder / "plan.yaml").write_text(yaml.safe_dump(settings))
    train = ("train", named, "--experiment", "plan.yaml", "--to", "out", "--quiet")
    return Step(train, ("out", "runs"), real=True)


def in_architectures(rng: Random, folder: Path) -> list[Step]:
    """Put kinds into an architecture; check and draw it, and train some."""
    found = architecture(rng)
    (folder / "a.json").write_text(json.dumps(found))
    return [
        Step(("space", "check", "a.json")),
        Step(("space", "draw", "a.json", "--to", "out.svg"), ("out.svg",)),
        *([trained(folder, {}, "a.json")] if rng.random() < 0.5 and not large(found) else []),
    ]


def in_recipes(rng: Random, folder: Path) -> list[Step]:
    """Put kinds into a recipe; resolve it, search by it, and train some."""
    changes = recipe(rng)
    settings = EXPERIMENT | {"trials": 2, "time": None, "constraints": [], "tasks": ["sst2"]}
    settings["recipe"] = {**settings["recipe"], "max_train_examples": 32, **changes}
    settings["execution"] = {"engine": "inline"}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(settings))
    (folder / "a.json").write_text('{"l": 1, "o": [["sa_sdp_8"]], "h": [16], "f": [[24]]}')
    search = ("search", "experiment.yaml", "--run", "run", "--quiet")
    searched = [Step(search, ("run",), SEARCH_CODES), *after_search(rng, "run")[:2]]
    return [
        Step(("config", "experiment.yaml")),
        *(
            searched
            if rng.random() < 0.3 or large(changes)
            else [trained(folder, changes, "a.json")]
        ),
    ]


DOORS.register("kind")(Door("kinds in architectures", in_architectures))
DOORS.register("recipe")(Door("kinds in recipes", in_recipes))
