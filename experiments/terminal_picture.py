"""A terminal as an SVG: what a command wrote, colours included.

    tmux new-session -d -s run -x 116 -y 60 'nas search; sleep 60'
    tmux capture-pane -e -p -S - -t run | python experiments/terminal_picture.py docs/terminal.svg

Reads text with ANSI codes from its input, leaves out empty lines at both ends, writes the picture.
"""

import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text


def picture(ansi: str, title: str, width: int = 116) -> str:
    """Return `ansi` as an SVG of `width` columns."""
    console = Console(record=True, width=width, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(ansi.strip("\n")), no_wrap=True, crop=True)
    return console.export_svg(title=title, unique_id="terminal")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name the file to write: … | python experiments/terminal_picture.py terminal.svg")
    Path(sys.argv[1]).write_text(picture(sys.stdin.read(), "nas search"), encoding="utf-8")
