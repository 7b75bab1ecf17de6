"""Conditions, objectives and columns, as text."""

from pathlib import Path
from random import Random

from fuzzer import bases, values
from fuzzer.cases import DOORS, SEARCH_CODES, Door, Step, after_search

WHERE = (
    "glue > 0.1", "parameters < 2e5 and glue > .3", "status == 'done'", "not (trial < 2)",
    "hash.str.len() > 3", "parameters * 2 < 1e6 or seconds > 0", "glue >= glue.mean()",
    "trial in [1, 2]",
    "`glue` > 0", "@x > 1", "index > 0", "node == device", "abs(glue) > 0", "glue == glue",
)  # fmt: skip
CONSTRAINT = (
    "parameters<2e6",
    "glue >= 0.1",
    "parameters <= 1_000_000",
    "flops<1e9",
    "parameters>0",
)
OBJECTIVE = (
    "glue:max",
    "glue:max,parameters:min",
    "parameters:min",
    "glue:max,trial:min",
    "seconds:min",
)
_INSERT = (
    "@", "@__builtins__", "__import__('os').system('x')", "().__class__", "(", ")", "[", "]", "'",
    '"', "`", "\\",
    " and ", " or ", "not ", "~", "-", "**9", "**9**9", "*10**400", "9" * 400, "1/0", "nan", "inf",
    ".", ",", ":",
    "\n", "\t", "=", "==", "!=", "<", "é", "\u202e", ";", "#", "{", "lambda: 0", " if 1 else 2",
    "!", "%", "&", "|",
    "open('victim/x','w')", "to_csv('x')", "glue.to_csv('left.csv')", "pd", "@pd.read_pickle('x')",
    "[0]", ".real",
)  # fmt: skip


def changed(rng: Random, text: str) -> str:
    """Return an expression with a piece put in, left out or doubled."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        at, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        text = rng.choice((
            text[:at] + rng.choice(_INSERT) + text[at:],
            text[:at] + rng.choice(_INSERT) + text[end:],
            text[:at] + text[end:], text[:end] + text[at:], rng.choice(_INSERT) + text,
            text + rng.choice(_INSERT),
            values.text(rng),
        ))  # fmt: skip
    return text.replace("\x00", "0")


def make(rng: Random, folder: Path) -> list[Step]:
    """Give a changed expression to a command that takes one."""
    bases.copy(bases.run(), folder / "run")
    where, constraint, objective = (
        changed(rng, rng.choice(pool)) for pool in (WHERE, CONSTRAINT, OBJECTIVE)
    )
    search = (
        "search",
        "--space",
        "flexibert-micro",
        "--policy",
        "random",
        "--trials",
        "2",
        "--run",
        "new",
        "--quiet",
    )
    commands = (
        (("trials", "run", f"--where={where}"), ()),
        (("trials", "run", f"--where={where}", "--format", "json"), ()),
        (("trials", "run", f"--sort={changed(rng, 'glue')}"), ()),
        (("pareto", "run", f"--where={constraint}"), ()),
        (("pareto", "run", f"--objective={objective}"), ()),
        (("pareto", "run", f"--x={changed(rng, 'parameters')}", f"--y={changed(rng, 'glue')}"), ()),
        (("compare", "run", "run", f"--objective={objective}"), ()),
        (("space", "sample", "flexibert-micro", f"--constraint={constraint}"), ()),
        (("resume", "run", "--trials", "+1", f"--objective={objective}", "--quiet"), ("run",)),
        (("resume", "run", "--trials", "+1", f"--constraint={constraint}", "--quiet"), ("run",)),
        ((*search[:1], "experiment.yaml", *search[1:], f"--objective={objective}"), ("new",)),
        ((*search[:1], "experiment.yaml", *search[1:], f"--constraint={constraint}"), ("new",)),
        (("resume", "run", f"--trials={changed(rng, '+1')}", "--time", "2s", "--quiet"), ("run",)),
        (("resume", "run", "--trials", "+1", f"--time={changed(rng, '2s')}", "--quiet"), ("run",)),
        (("why", "run", changed(rng, "1")), ()),
        (("export", "run", f"--pick={changed(rng, 'best')}", "--to", "out"), ("out",)),
    )  # fmt: skip
    arguments, writes = rng.choice(commands)
    (folder / "experiment.yaml").write_text((bases.place() / "experiment.yaml").read_text())
    first = Step(arguments, writes, SEARCH_CODES if writes else (0, 2))
    return [first, *(after_search(rng, writes[0])[1:] if writes and writes != ("out",) else ())]


DOORS.register("expression")(Door("conditions, objectives", make))
