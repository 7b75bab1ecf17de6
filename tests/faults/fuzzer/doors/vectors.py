"""What an ensemble is made of: files of vectors and triples, members, exported folders."""

import gzip
from functools import cache
from pathlib import Path
from random import Random

import yaml

from fuzzer import bases, values
from fuzzer.bases import EXPERIMENT
from fuzzer.cases import DOORS, Door, Step
from fuzzer.doors.glue import WORDS
from fuzzer.doors.own import RECIPE, rows, write
from fuzzer.guard import run_command
from fuzzer.texts import change_bytes, change_file, change_lines, packed

MEMBERS = (
    "1,2", "best,2", "2", "3", "0", "-1", "10000000000", "9" * 400, "", ",", "best", "best,best",
    "knee,1", "zoo/1,zoo/2", "zoo/1,1", "zoo,1", "1,99", "1,../victim", "1,²", "1,x", ".,1",
)  # fmt: skip
KINDS = ("weighted", "stacked", "bandit", "all", "weighted,weighted", "x", "", "all,bandit", ",")


@cache
def searched() -> Path:
    """Return a run whose two encoders were really trained, and what it exported."""
    folder = bases.place() / "ensemble"
    (folder / "logs").mkdir(parents=True)
    write(folder / "train.csv", rows("classes"))
    bases.run()  # puts the space beside it
    (folder / "tiny.yaml").write_bytes((bases.GOLDEN / "tiny.yaml").read_bytes())
    settings = EXPERIMENT | {"trials": 2, "time": None, "constraints": [], "recipe": RECIPE}
    settings |= {"tasks": [{"train": "train.csv", "name": "mine"}], "objectives": {"score": "max"}}
    settings["execution"] = {"engine": "inline", "keep_weights": "all"}
    del settings["data"]
    (folder / "experiment.yaml").write_text(yaml.safe_dump(settings))
    exported = [("export", "run", "--pick", n, "--to", f"zoo/{n}") for n in "12"]
    for command in (("search", "experiment.yaml", "--run", "run", "--quiet"), *exported):
        ran = run_command([*command], folder, folder / "logs", real=True)
        assert ran.code == 0, (ran.err, ran.crash)
    return folder


def _vectors(rng: Random) -> bytes:
    """Return a file of vectors or of triples."""
    if rng.random() < 0.6:
        names = (*WORDS, "/c/en/ice_cream", "/c/de/eis", "ENTITY/A_film", "two words")
        lines = [f"{name} {rng.random():.3f} {rng.random():.3f}" for name in names]
        return "\n".join(([f"{len(names)} 2"] if rng.random() < 0.5 else []) + lines).encode()
    rng_words = [(rng.choice(WORDS), rng.choice(WORDS)) for _ in range(40)]
    return "\n".join(f"IsA\t{head}\t{tail}" for head, tail in rng_words).encode()


def make(rng: Random, folder: Path) -> list[Step]:
    """Change the vectors, or what is said of members; score an ensemble."""
    base = searched()
    bases.copy(base / "run", folder / "run")
    bases.copy(base / "zoo", folder / "zoo")
    content, name = _vectors(rng), "vectors.txt"
    members, kinds, more, kind = "zoo/1,zoo/2", "bandit", (), rng.randrange(12)
    if kind < 3:
        text = change_lines(rng, content.decode(), separator=rng.choice((" ", "\t")))
        content = text.encode("utf-8", "surrogatepass")
    elif kind < 5:
        content = change_bytes(rng, content)
    elif kind == 5:
        content = change_bytes(rng, gzip.compress(content))
    elif kind == 6:
        content = packed(rng, content)[1]
    elif kind == 7:
        odd = ("nan 1", "1 inf", "1e999 1", "1_0 2", "٣ ٤", "0x1 2", "1", "1 2 3", "1e308 -1e308")
        content += f"\nword {rng.choice(odd)}\n".encode()
    elif kind == 8:
        members = rng.choice(MEMBERS)
    elif kind == 9:
        kinds = rng.choice(KINDS)
    elif kind == 10:
        odd = ("--tasks=mine", "--tasks=x", "--tasks=", "--tasks=mine,mine", "--seed=9" + "9" * 30)
        more = (rng.choice(odd),)
    (folder / name).write_bytes(content)
    if kind == 11:
        places = [folder / name, *(p for p in (folder / "zoo").rglob("*") if p.is_file())]
        change_file(rng, rng.choice(sorted(places)))
    known = ("--vectors", name) if kinds != "weighted" and rng.random() < 0.95 else ()
    if rng.random() < 0.03:
        known = ("--vectors", rng.choice((".", "victim", "/dev/null", values.CANARY + ".py")))
    ensemble = ("ensemble", "run", f"--members={members}", f"--kind={kinds}", *known, *more)
    return [Step((*ensemble, rng.choice(("--quiet", "--json"))), (), real=True)]


DOORS.register("vectors")(Door("members and vectors of ensembles", make))
