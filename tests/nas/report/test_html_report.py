"""The report as a file: written whole or not at all, self-contained, and its refusals."""

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from nas.cli.main import cli
from nas.report import html_report
from nas.report.html_report import SCRIPTS, render_page, write_report
from search_spaces.errors import InvalidExperiment, RunError

DOCUMENT = {"name": "a <b> run", "text": "</script><!-- @@SCRIPT@@ \u2028 ü"}
PAGE = Path(html_report.__file__).parent / "page"


@pytest.fixture
def quick(monkeypatch):
    """The file without computing what is in it."""
    monkeypatch.setattr(html_report, "build_document", lambda run, progress: DOCUMENT)


def test_the_page_names_nothing_outside_itself():
    page = render_page(DOCUMENT)
    outside = set(re.findall(r"https?://[^\s\"'<>]+", page))
    assert outside == {"http://www.w3.org/2000/svg"}  # a name, never fetched
    assert not re.findall(r"<(?:link|img|iframe|script)[^>]+(?:src|href)=\"(?!data:)", page)
    assert "default-src 'none'" in page


def test_text_of_the_run_cannot_end_its_element():
    page = render_page(DOCUMENT)
    assert page.count("</script>") == 2
    assert r"\u003c/script>\u003c!-- @@SCRIPT@@" in page
    assert "<title>a &lt;b&gt; run: report</title>" in page


def test_the_policy_names_the_script_that_is_there():
    import base64
    import hashlib

    page = render_page(DOCUMENT)
    script = re.search(r"<script>(.*?)</script>", page, flags=re.S)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_every_file_of_the_page_is_used_and_shipped():
    parts = {path.name for path in PAGE.iterdir()}
    assert parts == {"page.html", "style.css", *SCRIPTS}
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["nas"]
    assert {f"**/*{Path(name).suffix}" for name in parts} <= set(patterns)
    for path in PAGE.iterdir():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_it_goes_into_the_run_or_where_one_says(finished, quick, tmp_path):
    answer = CliRunner().invoke(
        cli, ["report", str(finished.directory), "--to", str(tmp_path / "a.html")]
    )
    assert answer.exit_code == 0, answer.output
    assert answer.output.startswith(f"Report: {tmp_path / 'a.html'} (")
    assert list(tmp_path.glob("*.part")) == []
    before = (tmp_path / "a.html").stat().st_ino
    write_report(finished, tmp_path / "a.html")
    assert (tmp_path / "a.html").stat().st_ino != before  # replaced, not written into


def test_where_it_cannot_go(finished, quick, tmp_path):
    with pytest.raises(InvalidExperiment, match=r"ending '.md'. Use .html or .htm"):
        write_report(finished, tmp_path / "README.md")
    with pytest.raises(InvalidExperiment, match="There is no folder"):
        write_report(finished, tmp_path / "nowhere" / "a.html")
    (tmp_path / "b.html").mkdir()
    with pytest.raises(InvalidExperiment, match="is a folder"):
        write_report(finished, tmp_path / "b.html")


def test_a_report_that_cannot_be_written_leaves_nothing(finished, quick, tmp_path, monkeypatch):
    def full(self, *arguments, **options):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunError, match="No space left on device. Give another place with --to"):
        write_report(finished, tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_no_finished_trial_is_exit_code_two(begin, monkeypatch, capsys):
    from nas.cli.main import main

    run = begin(name="empty").run
    monkeypatch.setattr("sys.argv", ["nas", "report", str(run.directory)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("Error: The run ")
    assert "has no finished trial" in said
    assert not (run.directory / "report.html").exists()
