"""Where the best one is wrong: shown of own tasks, and a line where it was not kept."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from nas.cli.main import cli
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.task import Task
from nas.report.document import build_document
from nas.report.html_report import render_page, write_report
from nas.report.sections import SECTIONS
from nas.runs.mistakes import mistakes_name, write_mistakes

OWN = {"recipe": {"own_tasks": ["topics"]}, "objectives": {"score": "max", "parameters": "min"}}
SCRIPT = "</script><script>document.title='broken into'</script>\x1b[31m"


def made(kind, names, labels, answers, sure, texts=()):
    task = Task(
        name="t", folder="", columns=("text",), label="y", labels=names, metrics=("accuracy",),
        source="", kind=kind, own=True,
    )  # fmt: skip
    part = SimpleNamespace(labels=np.array(labels), passages=None, excerpts=texts)
    return TASK_KINDS[kind].mistakes(task, part, np.array(answers), sure).to_dict()


def topics(count=3, texts=()):
    labels = np.arange(90) % count
    answers = np.where(np.arange(90) % 7, labels, (labels + 1) % count)
    sure = np.full((90, count), 0.1)
    sure[np.arange(90), answers] = np.linspace(0.5, 0.9, 90)
    names = tuple(f"topic {i}" for i in range(count))
    return made("classes", names, labels, answers, sure, texts)


@pytest.fixture
def shown(snapshot, record, architectures):
    """Return a function that makes a snapshot of a run that kept what it is given."""

    def make(mistakes, **settings):
        scores = [0.4, 0.7, 0.7]  # the last two are equally good, and the last one is smaller
        rows = [
            record(i + 1, a, scores={"score": s}, costs={"parameters": 9.0 - i, "latency_ms": 1.0})
            for i, (a, s) in enumerate(zip(architectures, scores, strict=False))
        ]
        found = snapshot(rows, **{**OWN, **settings})
        if mistakes is not None:
            write_mistakes(found.directory, architectures[2].hash, 1.0, mistakes)
        return found

    return make


def tables(section):
    return {block["title"]: block for block in section.blocks if block["type"] == "table"}


def test_classes_confusions_and_the_worst_of_the_trial_that_an_export_takes(shown):
    section = SECTIONS["mistakes"](shown({"topics": {"dev": topics()}}))
    assert section.lead.startswith("Trial 3, the best of the search, on the development examples")
    assert section.blocks[0]["text"] == (
        "topics: 13 of 90 examples answered wrongly. Told apart worst: topic 0 (F1 0.847 of 30). "
        "Most often topic 0 was answered as topic 1: 5 times."
    )
    each, answered, worst = tables(section).values()
    assert each["columns"] == ["class", "precision", "recall", "F1", "examples"]
    assert each["rows"][0] == ["topic 0", "0.862", "0.833", "0.847", 30]
    assert answered["rows"] == [
        ["topic 0", 25, 5, 0], ["topic 1", 0, 26, 4], ["topic 2", 4, 0, 26],
    ]  # fmt: skip
    assert len(worst["rows"]) == 10
    assert worst["rows"][0][0] == "development example 85"  # its text was not kept


def test_of_many_classes_the_worst_are_shown_and_the_rest_is_counted(shown):
    section = SECTIONS["mistakes"](shown({"topics": {"dev": topics(45)}}))
    each, pairs, _ = tables(section)
    assert each == ("topics: the 30 of 45 classes with the lowest F1; all others have a higher one")
    assert pairs == "topics: what was taken for what"
    many = {**topics(45), "confused_in_all": 99}
    many["confused"] = [[*many["confused"][0]]] * 20
    section = SECTIONS["mistakes"](shown({"topics": {"dev": many}}))
    assert "the 20 most frequent of 99 pairs" in list(tables(section))[1]


def test_numbers_and_several_tasks_and_parts(shown):
    number = made("number", (), [1.0, 2.0], [1.5, 2.0], None, ["a", "b"])
    section = SECTIONS["mistakes"](
        shown({"price": {"dev": number}, "topics": {"one": topics(), "two": topics()}})
    )
    notes = [block["text"] for block in section.blocks if block["type"] == "note"]
    assert notes[0] == "price: 2 examples, off by 0.25 on the average."
    assert [text.partition(":")[0] for text in notes[1:]] == ["topics, one", "topics, two"]
    errors = tables(section)["price: the largest errors"]
    assert errors["columns"][-1] == "off by"
    assert errors["rows"] == [["a", "1", "1.5", "0.5"]]


def test_a_run_without_it_says_so_and_a_run_of_other_tasks_nothing(shown):
    section = SECTIONS["mistakes"](shown(None))
    assert section.blocks == []
    assert "was not kept, as of a run of an older version. Have it with: nas export" in section.lead
    assert SECTIONS["mistakes"](shown(None, recipe={})) is None
    assert SECTIONS["mistakes"](shown(None, recipe={"own_tasks": "x"})) is None


@pytest.fixture
def own_run(begin, pretend):
    """A finished run whose experiment names a task of one's own; return it and its best hash."""
    search = begin(
        name="own", trials=3, tasks=[{"name": "topics", "train": "topics.csv"}],
        objectives="score:max",
        recipe={"preset": "own", "tasks": ["topics"], "own_tasks": ["topics"]},
        executor=pretend(faults=dict.fromkeys((1, 2, 3), scored)),
    )  # fmt: skip
    search.run_until_done()
    return search.run, search.run.pick("best")["hash"]


def scored(job):
    from nas.execution import Outcome

    scores = {"score": job.trial / 10, "topics": job.trial / 10}
    return Outcome(job.trial, scores=scores, costs={"parameters": 1.0}, seconds=1.0)


def section_of(run):
    sections = build_document(run)["sections"]
    return next(one for one in sections if one["name"] == "mistakes")


def test_a_foreign_file_breaks_nothing_and_is_no_markup(own_run):
    run, digest = own_run
    write_mistakes(run.directory, digest, 1.0, {"topics": {"dev": topics(texts=[SCRIPT] * 90)}})
    page = render_page(build_document(run))
    assert page.count("</script>") == 2
    assert "\x1b" not in page
    assert r"\u003c/script>\u003cscript>document.title='broken into'" in page
    path = run.directory / mistakes_name(digest)
    for harm in ("{", "[]", json.dumps({"topics": {"dev": {**topics(), "examples": SCRIPT}}})):
        path.write_text(harm)
        section = section_of(run)
        assert section["lead"] == "This part cannot be shown."
        assert f"{path.name}" in section["blocks"][0]["text"]
    path.unlink()
    assert "was not kept" in section_of(run)["lead"]


def test_the_command_says_it_in_a_line_a_task(own_run):
    run, digest = own_run
    write_mistakes(run.directory, digest, 1.0, {"topics": {"dev": topics(texts=[SCRIPT] * 90)}})
    answer = CliRunner().invoke(cli, ["report", str(run.directory)])
    assert answer.exit_code == 0, answer.output
    assert answer.output.splitlines()[1].startswith("topics: 13 of 90 examples answered wrongly.")
    (run.directory / mistakes_name(digest)).write_text("{")
    answer = CliRunner().invoke(cli, ["report", str(run.directory)])
    assert (answer.exit_code, len(answer.output.splitlines())) == (0, 1)


def test_a_phone_can_read_it_and_markup_in_texts_is_text(own_run, chromium):
    run, digest = own_run
    texts = [SCRIPT + " and so on" * 40, *["a text"] * 89]
    names = ("<img src=x onerror=alert(1)>" * 9, "b", "c")
    labels, answers = np.zeros(90), np.ones(90)
    sure = np.full((90, 3), 0.2)
    sure[:, 1] = np.linspace(0.9, 0.5, 90)
    write_mistakes(
        run.directory, digest, 1.0,
        {"topics": {"dev": made("classes", names, labels, answers, sure, texts)}},
    )  # fmt: skip
    browser = chromium(write_report(run), width=390)
    assert browser.title == "own: report"
    assert not browser.find_elements("css selector", "main img")
    assert browser.get_log("browser") == []
    assert "<script>document.title=" in browser.find_element("id", "mistakes").text
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    cell = browser.find_element("css selector", "#mistakes td.read")
    assert cell.value_of_css_property("text-align") == "left"
    line, whole = cell.rect["width"], browser.find_element("id", "mistakes").rect["width"]
    assert line > 0.8 * whole  # a line of its own, not a half of one
