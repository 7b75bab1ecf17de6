"""The file that says where a trial is wrong: kept and dropped with its weights, read with care."""

import json

import pytest

from nas.evaluation.mistakes import Mistakes
from nas.execution import Outcome
from nas.runs.mistakes import mistakes_name, trial_mistakes, write_mistakes
from nas.runs.storage import weights_name
from search_spaces.errors import RunError

ONE = Mistakes(examples=4, wrong=1)
KEPT = {"t": {"dev": ONE.to_dict()}}


def answered(mistakes):
    def act(job):
        scores = {"glue": job.trial / 100}
        return Outcome(job.trial, scores=scores, costs={"parameters": 1.0}, mistakes=mistakes)

    return act


def files_of(run):
    return {path.name.removesuffix(".json") for path in (run.directory / "mistakes").glob("*")}


def test_it_is_called_as_the_weights_are(tmp_path):
    for fidelity in (1.0, 0.25):
        weights = weights_name("ab", fidelity).partition("/")[2].removesuffix(".safetensors")
        assert mistakes_name("ab", fidelity) == f"mistakes/{weights}.json"
        write_mistakes(tmp_path, "ab", fidelity, KEPT)
        assert trial_mistakes(tmp_path, "ab", fidelity) == {"t": {"dev": ONE}}
    assert trial_mistakes(tmp_path, "cd") is None
    assert sorted(p.name for p in (tmp_path / "mistakes").iterdir()) == ["ab.json", "ab@0.25.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 999, b'{"t": {"dev": {}}}'])
def test_a_file_that_no_trial_wrote_is_one_message(tmp_path, content):
    write_mistakes(tmp_path, "ab", 1.0, KEPT)
    (tmp_path / mistakes_name("ab")).write_bytes(content)
    with pytest.raises(RunError, match=r"ab\.json"):
        trial_mistakes(tmp_path, "ab")


def test_a_search_keeps_it_with_the_weights(begin, pretend):
    execution = {"engine": "inline", "keep_weights": 2}
    search = begin(
        trials=6, objectives="glue:max", execution=execution,
        executor=pretend(faults=dict.fromkeys(range(1, 7), answered(KEPT))),
    )  # fmt: skip
    search.run_until_done()
    best = search.run.finished().sort_values("glue")["hash"][-2:]
    assert files_of(search.run) == set(best)
    assert trial_mistakes(search.run.directory, best.iloc[0]) == {"t": {"dev": ONE}}


@pytest.mark.parametrize("sent", [None, 7, {"t": 1}, {"t": {"dev": {"examples": "<b>"}}}])
def test_what_a_worker_sends_that_is_none_is_left_out(begin, pretend, sent):
    search = begin(trials=1, executor=pretend(faults={1: answered(sent)}))
    search.run_until_done()
    assert search.run.journal.counts()["done"] == 1
    assert files_of(search.run) == set()


def test_no_search_stops_because_it_cannot_be_kept(begin, pretend):
    search = begin(trials=2, executor=pretend(faults={1: answered(KEPT), 2: answered(KEPT)}))
    (search.run.directory / "mistakes").write_text("a file in its place")
    search.run_until_done()
    assert search.run.journal.counts()["done"] == 2


def test_a_worker_sends_what_the_trial_measured(monkeypatch):
    from nas.execution.perform import perform
    from nas.training.measurement import Measurement
    from nas.training.recipe import Recipe
    from tests.nas.execution.test_execution import fake_trial, job

    monkeypatch.setattr("nas.training.trial.run_trial", fake_trial)
    for sent, wanted in ((KEPT, KEPT), ({"t": 1}, {})):
        measured = Measurement({"score": 0.5}, {"parameters": 5.0}, 1.0, mistakes=sent)
        outcome = perform(job(3), Recipe(), lambda seed, measured=measured: measured)
        assert (outcome.cause, outcome.mistakes) == (None, wanted)
        json.dumps(outcome.mistakes)
