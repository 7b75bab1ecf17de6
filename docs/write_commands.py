"""Write commands.md: each command, run on a real search, with what it printed.

python docs/write_commands.py RUN OTHER_RUN

RUN is a finished run of the default search (`nas search`), OTHER_RUN a second one to compare with.
The commands are run in an empty directory in which the runs are called runs/search-1 and
runs/search-2, so that the page does not depend on where they lie.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "commands.md"
WIDTH = 120

# (heading, what it is for, command)
COMMANDS = [
    ("status", "How far a run is, at once: it loads neither torch nor pandas.",
     "nas status runs/search-1"),
    ("trials", "Every trial, sorted and filtered. `--format csv|json|parquet` or `--to FILE` for "
     "other tools.", 'nas trials runs/search-1 --sort glue --where "parameters < 3e5"'),
    ("pareto", "What no other trial beats. `--x` and `--y` name two columns, `-o` any number.",
     "nas pareto runs/search-1 --x latency_ms --y glue --plot front.png"),
    ("why", "One trial, from the proposal to the outcome.", "nas why runs/search-1 7"),
    ("compare", "Runs beside each other, by one reference, and the settings that differ.",
     "nas compare runs/search-1 runs/search-2"),
    ("replay", "Repeats every decision from the record; exit code 1 at a difference.",
     "nas replay runs/search-1"),
    ("report", "One HTML file that opens without a network.",
     "nas report runs/search-1 --to report.html"),
    ("watch", "Live in a terminal; without one, as here, one line of JSON for each change.",
     "nas watch runs/search-1"),
    ("export", "A trained model as a folder that transformers loads.",
     "nas export runs/search-1 --pick knee --to zoo/small"),
    ("space", "What may be built.", "nas space show flexibert-micro"),
    ("bad input", "A message that names what is near, and exit code 2.",
     "nas trials runs/search-1 --where 'paramters < 2e5'"),
    ("completion", "In `~/.bashrc`: `eval \"$(nas completion bash)\"`; zsh alike; fish: "
     "`nas completion fish | source`.", "nas completion bash | head -n 3"),
]  # fmt: skip

HEAD = """# The commands, with their output

Written by `python docs/write_commands.py RUN OTHER_RUN` from real runs: `runs/search-1` is the
default search (16 encoders, `glue-mini`, two CPU cores that were busy with other work, so its times
say little), `runs/search-2` one with the policy `random` and fewer trials, looked at while it runs.
`nas COMMAND --help` lists the options of each.

`nas search` and `nas resume` end with a front and the exit code 0 (done), 2 (bad input), 3 (a
budget is reached), 4 (interrupted, resumable) or 5 (too many failures). Where standard output is no
terminal it gets one JSON object a line, and the summary for people goes to standard error.
"""


def main(run: Path, other: Path) -> None:
    """Run every command and write the page."""
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        (here / "runs").mkdir()
        (here / "runs" / "search-1").symlink_to(run.resolve())
        (here / "runs" / "search-2").symlink_to(other.resolve())
        (here / "nas").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nas "$@"\n')
        (here / "nas").chmod(0o755)
        environment = {
            **os.environ,
            "PATH": f"{place}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": str(WIDTH),
        }
        parts = [HEAD]
        for heading, purpose, command in COMMANDS:
            answer = subprocess.run(
                ["bash", "-c", command], cwd=here, env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            shown = "\n".join(line.rstrip() for line in answer.stdout.strip().splitlines())
            code = f"\n(exit code {answer.returncode})" if answer.returncode else ""
            parts.append(f"## {heading}\n\n{purpose}\n\n```\n$ {command}\n{shown}{code}\n```\n")
            print(f"{answer.returncode}  {command}")
    PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
