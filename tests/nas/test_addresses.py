"""Credentials in addresses reach neither people nor what is shown to them."""

import json
import re
import stat
from pathlib import Path

import pytest

import nas
from nas.addresses import has_secrets, without_secrets
from nas.report.html_report import write_report
from nas.runs.environment import describe_environment
from nas.runs.storage import Storage
from nas.runs.trust import named_outside
from search_spaces.errors import RunError, quoted

SECRET = "s3://AKIAKEY:hush@bucket/x?secret_key=hush&region=eu"
SHOWN = "s3://***@bucket/x?secret_key=***&region=eu"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SECRET, SHOWN),
        (f"storage: {SECRET}\nnext: 1", f"storage: {SHOWN}\nnext: 1"),
        (f"nas doctor --storage '{SECRET}' --data x", f"nas doctor --storage '{SHOWN}' --data x"),
        ("s3://bucket/x", "s3://bucket/x"),
        ("s3://k:a@b@bucket/x", "s3://***@bucket/x"),
        ("s3://bucket?endpoint_override=h:9000&t", "s3://bucket?endpoint_override=h:9000&***"),
        ("a@b.org and /folder?x=1", "a@b.org and /folder?x=1"),
    ],
)
def test_what_lets_somebody_in_is_hidden(text, shown):
    assert without_secrets(text) == shown
    assert has_secrets(text) == (text != shown)
    assert without_secrets(shown) == shown


def test_no_message_record_or_page_holds_credentials(begin, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["nas", "search", "--storage", SECRET])
    search = begin(execution={"engine": "inline", "storage": SECRET})
    search.run_until_done()
    directory, experiment = search.run.directory, search.experiment
    search.run.close()
    assert stat.S_IMODE((directory / "experiment.yaml").stat().st_mode) == 0o600
    page = write_report(nas.open_run(directory), tmp_path / "page.html").read_text()
    texts = [page, json.dumps(describe_environment()), str(named_outside(directory, experiment))]
    texts += [(directory / "run.db").read_bytes().decode(errors="replace")]
    texts += [(directory / "environment.json").read_text()]
    with pytest.raises(RunError) as refused:
        Storage("nowhere://k:hush@bucket/x").check()
    texts.append(str(refused.value))
    assert not [text for text in texts if "hush" in text]


def test_paths_in_suggested_commands_are_one_word_of_a_shell():
    assert quoted(Path("runs/search-1")) == "runs/search-1"
    assert quoted(Path("my runs/a;b")) == "'my runs/a;b'"
    assert quoted("-x") == "./-x"
    commands = "resume|trials|status|report|export|why|watch|confirm|evaluate|pareto|replay|zoo"
    bare = re.compile(rf"\bnas (?:{commands}) [^{{}}\"\n]*\{{(?!quoted\(|again\}}|place\}})")
    for file in Path(nas.__file__).parent.rglob("*.py"):
        assert not bare.findall(file.read_text(encoding="utf-8")), file
