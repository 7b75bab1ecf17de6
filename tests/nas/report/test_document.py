"""The document of a report: plain data, every section, and what an unfinished run says."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from importlib.resources import files

import pytest

from nas.report.document import Layers, build_document, plain, state_text, unfinished_text
from nas.report.html_report import SCRIPTS
from nas.report.sections import SECTIONS, Section
from nas.runs.directory import open_run
from nas.runs.endings import EXIT_CODES
from search_spaces import Architecture, Head, Layer
from search_spaces.errors import RunError


@pytest.fixture(scope="session")
def documents():
    return {}


@pytest.fixture
def document(finished, documents):
    if not documents:
        documents["first"] = build_document(finished)
    return documents["first"]


def test_the_document_is_plain_json(document):
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["unfinished"] is None
    assert document["state"] == "finished: every planned trial ended"


def test_the_trials_are_those_of_the_run(document, finished):
    table, trials = finished.trials(), document["trials"]
    assert trials["trial"] == table["trial"].tolist()
    assert trials["status"].count("failed") == 2
    assert trials["values"]["glue"][0] == pytest.approx(table["glue"][0], rel=1e-6)
    assert trials["values"]["glue"][4] is None
    layers = [document["layers"][i] for i in trials["layers"][0]]
    found = [(w, document["heads"][h], tuple(document["stacks"][s])) for w, h, s in layers]
    architecture = Architecture.from_dict(table["architecture"][0])
    assert found == [
        (x.width, [[h.kind, h.width, n] for h, n in x.groups], x.feedforward)
        for x in architecture.layers
    ]


def test_every_section_is_made_of_blocks_the_page_can_draw(document):
    scripts = "\n".join(
        files("nas.report").joinpath("page", name).read_text(encoding="utf-8") for name in SCRIPTS
    )
    drawn = set(re.findall(r"^  (\w+): \(block\) =>", scripts, flags=re.M)) | {"explorer"}
    names = [section["name"] for section in document["sections"]]
    assert set(names) <= set(SECTIONS)
    assert names[0] == "front"
    for section in document["sections"]:
        assert section["title"]
        assert section["lead"].endswith((".", "?"))
        assert {block["type"] for block in section["blocks"]} <= drawn


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_a_section_is_one_or_nothing(name, snapshot, record, architectures):
    """With as few trials as one, every section is made or left out, but none fails."""
    only = snapshot([record(1, architectures[0])])
    section = SECTIONS[name](only)
    assert section is None or isinstance(section, Section)


def test_a_section_that_cannot_be_shown_says_why(snapshot, record, architectures):
    from nas.report.document import _build

    records = [record(i, a) for i, a in enumerate(architectures[:12], 1)]
    section = _build("baselines", snapshot(records, space="no-such-space"))
    assert section.blocks[0]["tone"] == "warning"
    assert "no-such-space" in section.blocks[0]["text"]


def test_an_unfinished_run_says_so(begin, pretend):
    search = begin(executor=pretend(faults={5: KeyboardInterrupt()}), trials=8)
    assert search.run_until_done() == "interrupted"
    search.run.close()
    run = open_run(search.run.directory)
    document = build_document(run)
    assert (
        "This run is not finished (interrupted): 3 of 8 trials done" in (document["unfinished"])
        or "of 8 trials done" in document["unfinished"]
    )
    assert f"nas report {run.directory}" in document["unfinished"]


def test_a_run_without_finished_trials_has_no_report(begin):
    run = begin(name="empty").run
    with pytest.raises(RunError, match=r"has no finished trial.*0 done, 0 running.*nas resume"):
        build_document(run)


def test_plain_numbers():
    assert plain({"a": [float("nan"), float("inf"), 3.0, 0.123456789]}) == {
        "a": [None, None, 3, 0.1234568]
    }
    assert plain((1, "x", None, True)) == [1, "x", None, True]


@pytest.mark.parametrize("state", EXIT_CODES)
def test_a_search_that_ended_by_a_rule_is_whole_and_one_that_broke_off_is_not(
    snapshot, record, architectures, state
):
    seen = snapshot([record(1, architectures[0])], ended=state)
    broken = EXIT_CODES[state] in (4, 5)
    assert (unfinished_text(seen) is not None) == broken
    assert state_text(seen).startswith("finished") != broken


def test_it_says_what_it_computes(snapshot, record, architectures, monkeypatch):
    seen, said = snapshot([record(1, architectures[0])]), []
    monkeypatch.setattr("nas.report.document.Snapshot", lambda run: seen)
    build_document(None, lambda *step: said.append(step))
    assert said == [(name, i, len(SECTIONS)) for i, name in enumerate(SECTIONS)]


def test_layers_with_parts_are_told_apart_and_others_written_as_before(dummies):
    head = Head.parse("longconv(filter=32,taps=64)_32")
    plain = Layer(64, (head, head), (96,))
    layers = Layers()
    other = replace(plain, parts={"feedforward": "dummy(size=8)"})
    assert layers(Architecture([plain, other, plain], style="per-head")) == [0, 1, 0]
    described = layers.described()
    assert described["layers"] == [(64, 0, 0), (64, 0, 0, 0)]
    assert described["heads"] == [(("longconv(filter=32,taps=64)", 32, 2),)]
    assert described["parts"] == [(("feedforward", "dummy(size=8)"),)]
    assert described["usual"]["feedforward"] == "mlp"


def test_the_page_describes_an_encoder_as_the_library_does(dummies, tmp_path):
    if shutil.which("node") is None:
        pytest.skip("no node to run the page's script with")
    head = Head.parse("longconv(filter=32,taps=64)_32")
    plain = Layer(64, (head, head), (96,))
    other = replace(plain, parts={"feedforward": "dummy(size=8)", "residual": "dummy"})
    for parts in ({}, {"norm": "dummy"}):
        architecture = Architecture([plain, other, other], "per-head", parts)
        layers = Layers()
        model = [[slot, str(part)] for slot, part in architecture.parts]
        data = {"trials": {"layers": [layers(architecture)], "model": [model]}}
        script = (files("nas.report") / "page" / "architecture.js").read_text()
        script = f"const data = {json.dumps({**data, **layers.described()})};{script}"
        script += "console.log(describe(0));"
        said = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
        assert said.stdout.strip() == architecture.describe()


def test_the_lines_of_a_block_on_the_page_name_kind_and_settings():
    if shutil.which("node") is None:
        pytest.skip("no node to run the page's script with")
    script = (files("nas.report") / "page" / "architecture.js").read_text()
    asked = [["longconv(filter=32,taps=64)", 32, 2], ["longconv", 16, 1], ["sa_sdp", 8, 4]]
    script += f"console.log(JSON.stringify({json.dumps(asked)}.map(headLines)));"
    script += (
        'console.log(JSON.stringify(["glu", "moe(experts=4,top=2)"].map((p) => partLines(p, 9))));'
    )
    said = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    heads, parts = map(json.loads, said.stdout.splitlines())
    assert heads[0] == ["2 × longconv", "filter=32", "taps=64", "width 32"]
    assert heads[1:] == [["1 × longconv", "width 16"], ["4 × sa sdp", "width 8"]]
    assert parts == [["glu"], ["moe", "experts=4", "top=2"]]
