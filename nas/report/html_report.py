"""The report as one HTML file that needs nothing else: no network, no server, no other file."""

import base64
import hashlib
import html
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from nas.report.document import SectionCallback, build_document
from nas.runs.directory import Run
from nas.runs.rows import readable
from nas.whole_files import write_whole
from search_spaces.errors import InvalidExperiment, RunError

ENDINGS = (".html", ".htm")
# in this order; each defines functions that later ones call
SCRIPTS = (
    "dom.js",
    "numbers.js",
    "chart.js",
    "architecture.js",
    "details.js",
    "filters.js",
    "blocks.js",
    "curves.js",
    "explorer.js",
    "main.js",
)


def write_report(
    run: Run, path: Path | None = None, *, progress: SectionCallback = lambda part, done, of: None
) -> Path:
    """Write the report of `run` and return where; an older report there is replaced.

    Args:
        run: Opened; a run at work may be reported too.
        path: Where to write; by default `report.html` in the run's directory.
        progress: As in `build_document`.

    Raises:
        RunError: The run has no finished trial, or the file cannot be written.
        InvalidExperiment: The path has no ending of an HTML file, or no folder.
    """
    path = run.directory / "report.html" if path is None else path
    if path.suffix.lower() not in ENDINGS:
        raise InvalidExperiment(
            f"The report {str(path)!r} has the ending {path.suffix!r}. Use {' or '.join(ENDINGS)}."
        )
    if not path.parent.is_dir():
        raise InvalidExperiment(f"There is no folder {str(path.parent)!r}. Make it first.")
    if path.is_dir():
        raise InvalidExperiment(f"{str(path)!r} is a folder. Give the name of a file.")
    with readable(f"The record of {str(run.directory)!r}"):
        text = render_page(build_document(run, progress))
    try:
        write_whole(path, text)
    except OSError as error:
        raise RunError(
            f"Cannot write the report {str(path)!r}: {error}. Give another place with --to."
        ) from None
    return path


def render_page(document: dict[str, Any]) -> str:
    """Return the page for a document of `build_document`.

    The page's policy lets only our own script run, named by its digest, and nothing be fetched;
    text from the run is data that the script puts into text nodes.
    """
    script = "\n".join(_file(name) for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}\n}})();'
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # "<" is the only character that could end the element the data are in
    data = json.dumps(document, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    data = data.replace("<", "\\u003c")
    page = _file("page.html")
    for mark, text in (
        ("@@TITLE@@", html.escape(f"{document['name']}: report")),
        ("@@DIGEST@@", digest),
        ("@@STYLE@@", _file("style.css")),
        ("@@SCRIPT@@", script),
        ("@@DATA@@", data),  # last, so that nothing in it is taken for a mark
    ):
        page = page.replace(mark, text, 1)
    return page


def _file(name: str) -> str:
    return files("nas.report").joinpath("page", name).read_text(encoding="utf-8")
