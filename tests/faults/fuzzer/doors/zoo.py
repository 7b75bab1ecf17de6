"""Folders of exported models that somebody else made."""

import hashlib
import json
from pathlib import Path
from random import Random

from fuzzer import bases
from fuzzer.cases import DOORS, Door, Step
from fuzzer.texts import change_file
from fuzzer.trees import changed_json

COMMANDS = (
    ("zoo", "show", "zoo/model"), ("zoo", "show", "zoo/model", "--json"), ("zoo", "list", "zoo"),
    ("zoo", "list", "zoo", "--format", "json"),
    ("zoo", "push", "zoo/model", "--repo", "a/b", "--dry-run"),
    ("predict", "zoo/model", "--task", "sst2", "in.tsv"),
    ("evaluate", "zoo/model", "--tasks", "sst2", "--quiet"),
)  # fmt: skip


def make(rng: Random, folder: Path) -> list[Step]:
    """Change a file of an exported folder, with checksums that agree or not; show and use it."""
    kind = rng.choice(("absolute", "relative"))
    model = bases.copy(bases.GOLDEN / "old_models" / kind, folder / "zoo" / "model")
    (folder / "in.tsv").write_text("sentence\nan inglorious film\nfine\n")
    files = sorted(p for p in model.rglob("*") if p.is_file() and not p.is_symlink())
    small = [p for p in files if p.suffix == ".json"]
    path = rng.choice(small if rng.random() < 0.6 else files)
    if path.suffix == ".json" and rng.random() < 0.75:
        path.write_bytes(changed_json(rng, json.loads(path.read_text())))
    else:
        change_file(rng, path)
    if rng.random() < 0.85 and path.name != "checksums.json":
        _agree(path, model)
    chosen = rng.sample(COMMANDS, 4)
    return [
        Step(("zoo", "check", "zoo/model"), codes=(0, 1, 2), after="always"),
        *(Step(a, ("zoo/results.csv",), after="always") for a in chosen),
    ]


def _agree(path: Path, model: Path) -> None:
    """Write the changed file's checksum, as whoever changed it on purpose would."""
    for folder in (path.parent, model):
        sums, name = folder / "checksums.json", path.relative_to(folder).as_posix()
        if not sums.is_file() or not path.is_file():
            continue
        known = json.loads(sums.read_text())
        content = path.read_bytes()
        if name in known:
            known[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        sums.write_text(json.dumps(known))


DOORS.register("zoo")(Door("exported folders", make))
