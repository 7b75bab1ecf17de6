"""Texts to pre-train on, plain and packed."""

from pathlib import Path
from random import Random

import yaml

from fuzzer import values
from fuzzer.bases import EXPERIMENT
from fuzzer.cases import DOORS, SEARCH_CODES, Door, Step, after_search
from fuzzer.doors.glue import WORDS
from fuzzer.texts import change_bytes, change_file, change_lines, packed


def make(rng: Random, folder: Path) -> list[Step]:
    """Change a text, pack it or break its packing; search with it as the corpus."""
    rows = [" ".join(rng.choices(WORDS, k=12)) for _ in range(200)]
    content = "\n".join(rows).encode()
    path, kind = folder / "corpus.txt", rng.randrange(10)
    if kind < 3:
        content = change_lines(rng, content.decode(), separator=" ").encode(
            "utf-8", "surrogatepass"
        )
    elif kind < 5:
        content = change_bytes(rng, content)
    elif kind == 5:
        content = rng.choice(
            (b"x" * 30_000_000, b" " * 3_000_000, b"\n" * 1_000_000, b"\xc3\xa9" * 10**6)
        )
    elif kind < 9:
        ending, content = packed(rng, content)
        path = folder / f"corpus.txt{ending}"
    path.write_bytes(content)
    if kind == 9:
        change_file(rng, path)
    settings = EXPERIMENT | {"trials": 2, "time": None, "tasks": ["sst2"], "constraints": []}
    settings["execution"] = {"engine": "inline"}
    settings["recipe"] = settings["recipe"] | {"max_train_examples": 64, "max_dev_examples": 60}
    (folder / "experiment.yaml").write_text(yaml.safe_dump(settings))
    more = (values.text(rng),) if rng.random() < 0.05 else ()
    more = tuple(name for name in more if "\x00" not in name)
    search = ("search", "experiment.yaml", "--corpus", path.name, *more, "--run", "run", "--quiet")
    return [
        Step(search, ("run",), SEARCH_CODES),
        *after_search(rng, "run")[: rng.choice((0, 0, 3))],
    ]


DOORS.register("corpus")(Door("corpora", make))
