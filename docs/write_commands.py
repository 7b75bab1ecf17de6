"""Write commands.md: each command, run on a real search, with what it printed.

python docs/write_commands.py RUN OTHER_RUN
python docs/write_commands.py             only its last section: all commands and their options

RUN is a finished run of the default space with seven trials or more (`nas search`), OTHER_RUN one
to compare with, by the same recipe. Without runs only the last section is written anew.
The commands are run in an empty directory on copies of them, called runs/search-1 and
runs/search-2, so that the page does not depend on where they lie and they stay as they are. What
trains does so by the settings of SMALL. Exit status 1 if a command did not end as expected.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "commands.md"
WIDTH = 120
MOST_LINES = 36  # of one command's output; the middle of a longer one is left out
TIME_OUT = 1800.0  # seconds; a busy machine takes minutes for what is seconds otherwise

SMALL = """\
policy: random
objectives: glue:max,parameters:min
tasks: [sst2, stsb]
trials: 2
execution: {engine: inline}
recipe: {vocabulary_size: 300, pretrain_tokens: 4000, finetune_epochs: 1,
         max_train_examples: 128, max_dev_examples: 128}
"""
REVIEWS = "the film was good\nthe song was bad\n"

# (heading, what it is for, command, exit code)
COMMANDS = [
    ("search", "Here one that takes seconds, by the settings in `small.yaml`; `nas search` is "
     "the default search. This is what a program reads; a terminal shows it live.",
     "cat small.yaml; nas search small.yaml --run runs/small", 0),
    ("config", "What an experiment resolves to, itself an experiment file; `--defaults` writes out "
     "every setting with its meaning, `--set` changes any (of `search` and `train`, too).",
     "nas config small.yaml --set recipe.max_length=32 | head -n 12; "
     "nas config --defaults | head -n 12", 0),
    ("resume", "Continues, extends or redirects a run.",
     "nas resume runs/small --trials +1 --quiet 2>&1 | grep -v '^{'", 0),
    ("status", "How far a run is, at once: it loads neither torch nor pandas.",
     "nas status runs/search-1", 0),
    ("watch", "Live in a terminal; without one, as here, one line of JSON for each change.",
     "nas watch runs/search-1", 0),
    ("trials", "Every trial, sorted and filtered. `--format csv|json|parquet` or `--to FILE` for "
     "other tools.", 'nas trials runs/search-1 --sort glue --where "parameters < 3e5"', 0),
    ("pareto", "What no other trial beats. `--x` and `--y` name two columns, `-o` any number.",
     "nas pareto runs/search-1 --x latency_ms --y glue --plot front.png", 0),
    ("why", "One trial, from the proposal to the outcome.", "nas why runs/search-1 7", 0),
    ("compare", "Runs beside each other, by one reference, and the settings that differ.",
     "nas compare runs/search-1 runs/search-2", 0),
    ("replay", "Repeats every decision from the record; exit code 1 at a difference.",
     "nas replay runs/search-1", 0),
    ("report", "One HTML file that opens without a network.",
     "nas report runs/search-1 --to report.html", 0),
    ("confirm", "Trains the front again with fresh seeds and measures its latency here.",
     "nas confirm runs/small --top 1 --seeds 3", 0),
    ("ensemble", "Several found models as one, cross-fitted, with what that costs; see "
     "[ensembles.md](ensembles.md).", "nas ensemble runs/small --members 2 --kind all", 0),
    ("export", "A trained model as a folder that transformers loads; `--onnx`, `--torch-export` "
     "and `--quantize int8` add other formats, each compared with torch.",
     "nas export runs/search-1 --pick knee --to zoo/small --tasks sst2,rte", 0),
    ("train", "One architecture without a search.",
     "nas train runs/small/best --experiment small.yaml --to zoo/alone", 0),
    ("evaluate", "An exported model's scores; `--finetune` fine-tunes it anew, `--submission DIR` "
     "writes what the GLUE server takes.", "nas evaluate zoo/small --tasks sst2", 0),
    ("predict", "An exported model's answers.",
     "cat reviews.txt; nas predict zoo/small --task sst2 reviews.txt", 0),
    ("zoo", "Exported models, best first.", "nas zoo list zoo", 0),
    ("zoo show", "A model card.", "nas zoo show zoo/small", 0),
    ("zoo check", "Every file by its checksum, the card, and an answer of every model.",
     "nas zoo check zoo/small", 0),
    ("zoo push", "To the Hugging Face hub; `--dry-run` sends nothing.",
     "nas zoo push zoo/small --repo me/small --dry-run", 0),
    ("space", "What may be built.", "nas space list; nas space show flexibert-micro", 0),
    ("space sample, check, count", "",
     "nas space sample flexibert-micro -n 1 > one.json; cat one.json; "
     "nas space check one.json; nas space count flexibert-micro", 0),
    ("benchmark", "Parts of it beside their peers. `--quick` shows that it runs here; figures "
     "that mean something are in [experiments](../experiments/README.md).",
     "nas benchmark --help; nas benchmark scheduler --quick --part size", 0),
    ("doctor", "Is this machine ready?", "nas doctor", 0),
    ("bad input", "A message that names what is near, and exit code 2.",
     "nas trials runs/search-1 --where 'paramters < 2e5'", 2),
    ("an existing folder", "Nothing is written over.",
     "nas export runs/search-1 --to zoo/small", 2),
    ("a changed weight file", "",
     "printf x >> zoo/alone/model.safetensors; nas zoo check zoo/alone", 2),
    ("completion", "In `~/.bashrc`: `eval \"$(nas completion bash)\"`; zsh alike; fish: "
     "`nas completion fish | source`.", "nas completion bash | head -n 3", 0),
]  # fmt: skip

HEAD = """# The commands, with their output

Written by `python docs/write_commands.py RUN OTHER_RUN` from real runs of the default space on
`glue-mini`; `runs/search-2` is the shorter one. Here both were trained for a fraction of the usual
time on a busy machine, and what trains on this page does so for seconds (`small.yaml`): the scores
say nothing, and times and latencies are long. `nas COMMAND --help` explains the options of each.

`nas search` and `nas resume` end with a front and the exit code 0 (done), 2 (bad input, or no
trial meets the constraints), 3 (a budget is reached), 4 (interrupted or Ray ended, resumable) or 5
(too many failures, or a full disk). Where standard output is no terminal it gets one JSON object a
line, and the summary for people goes to standard error.
"""


TREE = "## All commands and their options\n"


def tree() -> str:
    """Return the last section: every command with its arguments and its options."""
    from nas.cli.main import cli

    lines = []
    for words, command in commands(cli, ("nas",)):
        taken = [p.make_metavar(click.Context(command)) for p in command.params if is_argument(p)]
        lines.append(" ".join([*words, *taken]))
        options = [max(p.opts, key=len) for p in command.params if not is_argument(p)]
        indent = " " * 4
        lines += textwrap.wrap(
            " ".join(options), WIDTH, initial_indent=indent, subsequent_indent=indent,
            break_on_hyphens=False, break_long_words=False,
        )  # fmt: skip
    return "\n".join([TREE, "```", *lines, "```"]) + "\n"


def commands(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the words of each command below a group, and the command."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, (*words, name))
        else:
            yield (*words, name), found


def is_argument(parameter: click.Parameter) -> bool:
    """Whether it has no name of its own on a command line."""
    return isinstance(parameter, click.Argument)


def write_tree() -> None:
    """Write the last section anew; the others stay."""
    before = PAGE.read_text(encoding="utf-8").partition(TREE)[0].rstrip("\n")
    PAGE.write_text(f"{before}\n\n{tree()}", encoding="utf-8")


def main(run: Path, other: Path) -> int:
    """Run every command and write the page; return how many did not end as expected."""
    with tempfile.TemporaryDirectory() as place:
        here = Path(place).resolve()
        for number, given in enumerate((run, other), start=1):
            shutil.copytree(given, here / "runs" / f"search-{number}")
        (here / "small.yaml").write_text(SMALL)
        (here / "reviews.txt").write_text(REVIEWS)
        (here / "bin").mkdir()
        shim = here / "bin" / "nas"
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nas "$@"\n')
        shim.chmod(0o755)
        parts, wrong = [HEAD], 0
        for heading, purpose, command, expected in COMMANDS:
            started = time.monotonic()
            code, output = call(command, here)
            wrong += code != expected
            parts.append(block(heading, purpose, command, code, shown(output, here)))
            mark = "" if code == expected else f"  EXPECTED {expected}\n{output}"
            print(f"{code} {time.monotonic() - started:6.1f} s  {command}{mark}", flush=True)
    PAGE.write_text("\n".join([*parts, tree()]), encoding="utf-8")
    return wrong


def call(command: str, here: Path) -> tuple[int, str]:
    """Run a command line in `here`; return its exit code and everything it printed."""
    environment = {
        **os.environ,
        "PATH": f"{here / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "COLUMNS": str(WIDTH),
    }
    try:
        answer = subprocess.run(
            ["bash", "-ec", command], cwd=here, env=environment, text=True, timeout=TIME_OUT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 124, f"It took longer than {TIME_OUT:.0f} s."
    return answer.returncode, answer.stdout


def shown(output: str, here: Path) -> str:
    """Return what the page shows of `output`: nothing of this machine, and not too much."""
    for private, public in (
        (f"{here}{os.sep}", ""),
        (str(here), "."),
        (f"{ROOT}{os.sep}", ""),
        (str(ROOT), "."),
        (sys.prefix, ".venv"),
        (str(Path.home()), "~"),
        (tempfile.gettempdir(), "/tmp"),  # noqa: S108  only text
        (platform.node(), "this-machine"),
    ):
        if len(private) > 1:
            output = output.replace(private, public)
    output = re.sub(r"\b\d{1,3}(\.\d{1,3}){3}\b", "10.0.0.5", output)
    lines = [line.rstrip() for line in output.strip("\n").splitlines()]
    if len(lines) > MOST_LINES:
        half = MOST_LINES // 2
        left_out = len(lines) - 2 * half
        said = f"… {left_out} line{'s' if left_out > 1 else ''}"
        lines = [*lines[:half], said, *lines[-half:]]
    return "\n".join(lines)


def block(heading: str, purpose: str, command: str, code: int, output: str) -> str:
    """Return one section of the page."""
    said = f"{textwrap.fill(purpose, 100)}\n\n" if purpose else ""
    end = f"\n(exit code {code})" if code else ""
    lines = "\n".join(f"$ {line}" for line in command.split("; "))
    return f"## {heading}\n\n{said}```\n{lines}\n{output}{end}\n```\n"


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(write_tree())
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(1 if main(Path(sys.argv[1]), Path(sys.argv[2])) else 0)
