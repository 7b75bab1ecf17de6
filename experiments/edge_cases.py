"""The clauses of `edges.py` that a command shows in a moment: lines 1, 2, 4, 5, 7 and 8."""

import gzip
import hashlib
import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import yaml
from edges import ROOT, Edge, Told

GOLDEN = ROOT / "tests" / "golden"
WORDS = "the a film was good bad fine dull and or not very it she he story actors long".split()  # noqa: SIM905
TRIVIAL = "nas.benchmarks.trivial_trial:measure"
PLAN = {
    "space": "flexibert-micro", "policy": "random", "trials": 3,
    "objectives": {"glue": "max", "parameters": "min"},
    "execution": {"engine": "inline", "trial_function": TRIVIAL},
}  # fmt: skip
# What `tests/nas/execution/odd_trials.py` answers for every second architecture.
ANSWERS = (
    "None", "text", "list", "True", "score 10**400", "score 1e308", "score nan", "numpy float32",
    "torch", "called trial", "parameters 1.5", "markup", "title", "surrogate", "no text", "exit",
)  # fmt: skip


def plan(**changes: object) -> str:
    """Return an experiment file of trials that take no time."""
    return yaml.safe_dump({**PLAN, **changes})


def odd(function: str) -> str:
    """Return one whose trial function answers oddly."""
    return plan(
        trials=6,
        objectives={"score": "max", "latency_ms": "min"},
        execution={"engine": "inline", "trial_function": function},
    )


SEARCH = Told("search plan.yaml --run run --quiet", 0)
REST = (
    Told("resume run --trials +1 --quiet", 0),
    Told("replay run", 0, "0 differences"),
    Told("report run", 0),
    Told("trials run", 0),
)


def old_run(folder: Path) -> None:
    """Put a run of an earlier version there."""
    shutil.copytree(GOLDEN / "old_run", folder / "run")


def sql(statement: str):
    """Return what puts a run there and changes its record."""

    def prepare(folder: Path) -> None:
        old_run(folder)
        with closing(sqlite3.connect(folder / "run" / "run.db")) as db, db:
            db.executescript(statement)

    return prepare


def renamed_space(folder: Path) -> None:
    """Put a run there whose space is a class of a module that lies beside it."""
    old_run(folder)
    path = folder / "run" / "experiment.yaml"
    settings = yaml.safe_load(path.read_text()) | {"space": "canary:Space"}
    path.write_text(yaml.safe_dump(settings))
    (folder / "canary.py").write_text("open('imported', 'w').close()\nclass Space: ...\n")


def not_imported(folder: Path) -> str:
    return "the module was imported" if (folder / "imported").exists() else ""


def damaged(number: int):
    """Return what puts a run there whose database has been damaged in one of several ways."""

    def prepare(folder: Path) -> None:
        old_run(folder)
        path = folder / "run" / "run.db"
        content, rng = bytearray(path.read_bytes()), random.Random(number)
        if number == 0:
            content = content[: len(content) // 3]
        elif number == 1:
            content = bytearray(b"no database at all")
        else:
            for _ in range(400):
                content[rng.randrange(100, len(content))] = rng.randrange(256)
        path.write_bytes(content)

    return prepare


def zoo(file: str, change):
    """Return what puts an exported folder there, one file of it changed, with right checksums."""

    def prepare(folder: Path) -> None:
        model = folder / "zoo" / "model"
        shutil.copytree(GOLDEN / "old_models" / "absolute", model)
        path = model / file
        content = change(path.read_bytes())
        path.write_bytes(content)
        known = json.loads((model / "checksums.json").read_text())
        known[file] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        (model / "checksums.json").write_text(json.dumps(known))

    return prepare


def linked(folder: Path) -> None:
    zoo("config.json", lambda content: content)(folder)
    path = folder / "zoo" / "model" / "tokenizer.json"
    path.unlink()
    path.symlink_to("/etc/passwd")


def without_dot(folder: Path) -> None:
    zoo("config.json", lambda content: content)(folder)
    (folder / "zoo" / "model" / "payload").write_bytes(b"\x7fELF")


def keyed(content: bytes) -> bytes:
    return json.dumps({**json.loads(content), "auto_map_of_mine": "x.Y"}).encode()


def tables(name: str, text: str):
    """Return files of a task of one's own, one of them odd."""
    rows = [f"{' '.join(random.Random(i).choices(WORDS, k=6))}\t{i % 2}" for i in range(60)]
    good = "\n".join(["sentence\tlabel", *rows]) + "\n"
    found = {"glue/SST-2/train.tsv": good, "glue/SST-2/dev.tsv": good}
    return {**found, name: found[name].replace("sentence\tlabel\n", f"sentence\tlabel\n{text}", 1)}


def data_plan(**changes: object) -> str:
    recipe = {"preset": "glue-mini", "vocabulary_size": 300, "pretrain_tokens": 500}
    return yaml.safe_dump({
        "space": "flexibert-micro", "policy": "random", "trials": 1, "tasks": ["sst2"],
        "execution": {"engine": "inline"}, "recipe": recipe, **changes,
    })  # fmt: skip


def bomb() -> bytes:
    """Return a file of 2 MB that unfolds to one line of 2 GB."""
    piece = gzip.compress(b"x" * 50_000_000)
    return piece * 40


QQP = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
PAIRS = "".join(f"{i}\t2\t3\ta good film {i % 5}\tit was fine\t{i % 2}\n" for i in range(60))
READ = (Told("status run", 2), Told("report run", 2), Told("replay run", 2))
LAYERS = {"layers": [40], "widths": [64], "heads": [2], "operations": {"sa": ["sdp"]}}
WIDE = {**LAYERS, "feedforward_widths": [96, 192], "feedforward_depths": [40]}
MIXED = {
    **LAYERS, "layers": [2], "heads": [64], "widths": [512], "operations": {"c": [3, 5, 7, 9]},
    "heads_in_layer": "mixed", "feedforward_widths": [96], "feedforward_depths": [1],
}  # fmt: skip
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def text(line: str) -> dict[str, str]:
    """Return a plan with a line more."""
    return {"plan.yaml": plan() + line}


def refused(clause: str, settings: str, says: str) -> Edge:
    return Edge(4, clause, (Told("search plan.yaml --run run", 2, says),), text(settings))


EDGES: tuple[Edge, ...] = (
    *(
        Edge(
            1, f"answers {name}", (SEARCH, *REST),
            {"plan.yaml": odd("odd_trials:every_second")}, environment={"ODD": name},
        )
        for name in ANSWERS
    ),
    Edge(
        1, "a function of some arguments", (SEARCH, *REST),
        {"plan.yaml": plan(execution={"engine": "inline", "trial_function": "mine:only"}),
         "mine.py": "def only(seed):\n    return {'scores': {'glue': seed % 7 / 7}, 'costs': "
         "{'parameters': 5}}\n"},
    ),
    Edge(
        1, "no such function", (Told("search plan.yaml --run run", 2, "no_such"),),
        {"plan.yaml": plan(execution={"engine": "inline", "trial_function": "no_such:f"})},
    ),
    Edge(
        1, "a constraint that nothing meets",
        (Told("search plan.yaml --run run", 2, "parameters"),),
        {"plan.yaml": plan(constraints=["parameters<1"])},
    ),
    Edge(
        2, "a hash that is a path", (*READ, Told("resume run --trials +1", 2, "hash")),
        prepare=sql("UPDATE trials SET hash='../../victim'"),
    ),
    Edge(
        2, "a space that is module:Name",
        (Told("report run", 0), Told("replay run", 2, "--trust"),
         Told("resume run --trials +1", 2, "--trust")),
        prepare=renamed_space, after=not_imported,
    ),
    Edge(2, "a truncated record", READ, prepare=damaged(0)),
    Edge(2, "a record that is no database", READ, prepare=damaged(1)),
    Edge(2, "a record with damaged bytes", READ, prepare=damaged(2)),
    Edge(2, "a table that is missing", READ, prepare=sql("DROP TABLE events")),
    Edge(2, "a column of another name", READ,
         prepare=sql("ALTER TABLE trials RENAME COLUMN costs TO cost")),
    Edge(2, "a zoo folder's config with a key of its own",
         (Told("zoo check zoo/model", 2, "auto_map_of_mine"),
          Told("predict zoo/model --task sst2 in.txt", 2, "auto_map_of_mine")),
         {"in.txt": "a film\n"}, zoo("config.json", keyed)),
    Edge(2, "a junk tokenizer with right checksums",
         (Told("zoo check zoo/model", 2, "tokenizer"),
          Told("predict zoo/model --task sst2 in.txt", 2, "tokenizer")),
         {"in.txt": "a film\n"}, zoo("tokenizer.json", lambda content: b"junk")),
    Edge(2, "a link out of a folder", (Told("zoo check zoo/model", 2, "link"),), prepare=linked),
    Edge(2, "a name without a dot", (Told("zoo check zoo/model", 2, "payload"),),
         prepare=without_dot),
    refused("time: 10**30", "time: 1000000000000000000000000000000\n", "time"),
    refused("duplicate keys", "recipe: {a: 1}\nrecipe: {b: 2}\n", r"line \d+.*line \d+"),
    refused("an alias bomb", BOMB, "more than 200,000 values"),
    refused("deep nesting", "name: " + "[" * 5000, "nest"),
    refused("a number of 5,000 digits", "seed: " + "9" * 5000 + "\n", "digits"),
    Edge(4, "no UTF-8", (Told("search plan.yaml --run run", 2, "UTF-8"),),
         {"plan.yaml": b"name: \xff\xfe\n"}),
    Edge(4, "execution: 2.5", (Told("search plan.yaml --run run", 2, "execution"),),
         {"plan.yaml": plan(execution=2.5)}),
    Edge(4, "cpus_per_trial: 1e999", (Told("search plan.yaml --run run", 2, "cpus_per_trial"),),
         {"plan.yaml": "execution: {cpus_per_trial: 1e999}\n"}),
    Edge(4, "preset: []", (Told("search plan.yaml --run run", 2, r"recipe is called \[\]"),),
         {"plan.yaml": plan(recipe={"preset": []})}),
    Edge(4, "--plot nodir/x.png", (Told("pareto run --plot nodir/x.png", 2, "nodir"),),
         prepare=old_run),
    Edge(4, "space sample --seed -1", (Told("space sample flexibert-micro --seed -1", 2, "-1"),)),
    Edge(4, "40 feed-forward maps, heterogeneous",
         (Told("space count wide.yaml", 0, "1099511627776"),),
         {"wide.yaml": yaml.safe_dump(WIDE)}),
    Edge(4, "64 mixed heads", (Told("space count mixed.yaml", 0, r"\d"),),
         {"mixed.yaml": yaml.safe_dump(MIXED)}),
    Edge(5, "NUL in a TSV", (Told("search plan.yaml --run run --quiet", 2, "NUL"),),
         tables("glue/SST-2/train.tsv", "a \0 film\t1\n") | {"plan.yaml": data_plan(data="glue")}),
    Edge(5, "a broken row of the development file",
         (Told("search plan.yaml --run run --quiet", 2, r"dev.tsv.*line 2"),),
         tables("glue/SST-2/dev.tsv", "no label here\n") | {"plan.yaml": data_plan(data="glue")}),
    Edge(5, "a broken row of QQP's training file is skipped",
         (Told("search plan.yaml --run run --quiet", 0),),
         {"plan.yaml": data_plan(data="glue", tasks=["qqp"]),
          "glue/QQP/train.tsv": QQP + "1\t2\t3\ta broken\n" + PAIRS,
          "glue/QQP/dev.tsv": QQP + PAIRS}),
    Edge(5, "a word of 5 MB", (Told("search plan.yaml --run run --quiet", 0),),
         {"plan.yaml": data_plan(corpus=["c.txt"]),
          "c.txt": "a film\n" * 50 + "x" * 5_000_000 + "\nit was good\n" * 50}),
    Edge(5, "a .gz with one line of 2 GB", (Told("search plan.yaml --run run --quiet", 2, "c.gz"),),
         {"plan.yaml": data_plan(corpus=["c.gz"]), "c.gz": bomb()}),
    Edge(7, "boshnas-paper with asha", (SEARCH, REST[1]),
         {"plan.yaml": plan(policy="boshnas-paper", fidelity="asha", trials=8, reduction=2.0,
                            objectives={"glue": "max"}, policy_options={"initial": 4})}),
    Edge(7, "qlognehvi of partial results", (SEARCH, REST[1]),
         {"plan.yaml": plan(policy="qlognehvi", fidelity="asha", trials=10,
                            policy_options={"initial": 4})}),
    Edge(7, "a score of 1.7e308 told to reinforce", (SEARCH, REST[1]),
         {"plan.yaml": odd("odd_trials:every_second").replace("random", "reinforce")},
         environment={"ODD": "score -1.7e308"}),
    Edge(8, "glue:max,seconds:min",
         (Told("search plan.yaml --run run", 0, "seconds down.*of 3"),),
         {"plan.yaml": plan(objectives="glue:max,seconds:min")}),
    Edge(8, "status under promotions",
         (SEARCH, Told("status run --json", 0, '"planned": 6, "promotions": 3, "done": 9')),
         {"plan.yaml": plan(fidelity="asha", trials=6)}),
    Edge(8, "--address with engine: inline",
         (Told("search plan.yaml --run run --address auto", 2, "address"),),
         {"plan.yaml": plan()}),
)  # fmt: skip
