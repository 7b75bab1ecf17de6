"""The disk: what stays on it, and what a search does when it is full."""

import random
import resource
import shutil
from collections import namedtuple

import pytest

from nas.cli.search import _say_why
from nas.execution import Outcome
from nas.execution.disk_room import shortage
from nas.proposals.building import run_policy
from nas.proposals.proposer import InlineProposer
from nas.runs.directory import open_run
from nas.runs.storage import Storage, weights_name
from nas.search.kept_weights import KeptWeights
from nas.search.loop import Search
from nas.single.trials import trial_weights
from search_spaces.errors import InvalidExperiment, RunError
from tests.nas.search.test_loop import again

Usage = namedtuple("Usage", "total used free")
INLINE = {"engine": "inline"}


def beats(a, b):
    return a != b and a[0] >= b[0] and a[1] >= b[1]


@pytest.mark.parametrize("seed", range(5))
def test_the_choice_is_that_of_all_results_at_once(seed):
    chance = random.Random(seed)
    kept, rows, removed = KeptWeights(3), {}, set()
    for number in range(40):
        fidelity = 0.5 if number < 20 else chance.choice([0.5, 1.0])
        row = {
            "hash": f"h{number}", "fidelity": fidelity, "seed": 1, "adjusted": {}, "proposal": {},
        }  # fmt: skip
        rows[f"h{number}"] = (fidelity, (chance.randrange(6), chance.randrange(6)))
        kept.add(row, rows[f"h{number}"][1])
        removed |= set(kept.expendable({"h3"}))
    high = {h: values for h, (f, values) in rows.items() if f == 1}
    best = sorted(high, key=lambda h: -high[h][0])[:3]
    front = [h for h, v in high.items() if not any(beats(o, v) for o in high.values())]
    gone = {
        n.removeprefix("weights/").partition("@")[0].partition(".")[0]
        for n in removed
        if n.startswith("weights/")
    }
    assert gone == rows.keys() - {*best, *front, "h3"}
    assert {n.removeprefix("results/")[:-18] for n in removed if "results" in n} == gone
    assert any(n.startswith("weights/h3@") for n in kept.expendable(()))


def kept_and_all(run):
    """Return the hashes with weights, and what each finished trial scored."""
    scores = {r["hash"]: r["scores"].get("glue") for r in run.journal.trials()}
    return {path.name.partition(".")[0] for path in run.weights.iterdir()}, scores


def wanted(run, most):
    """Return the hashes that should be kept with one objective, by a slow obvious way."""
    best = (
        run.finished()
        .sort_values("finished_at")
        .sort_values("glue", ascending=False, kind="stable")["hash"][:most]
    )
    return set(best)


def test_only_the_best_and_the_front_keep_their_weights(begin):
    search = begin(trials=12, objectives="glue:max", execution={**INLINE, "keep_weights": 2})
    for name in ("checkpoints", "results"):  # as a worker leaves them
        (search.run.directory / name).mkdir()
    search.run_until_done()
    kept, scores = kept_and_all(search.run)
    assert kept == wanted(search.run, 2)
    assert len(kept) == 2 < len(scores) == 12


def test_all_is_kept_by_default_but_for_checkpoints(begin, pretend):
    def leave(job):
        folder = search.run.directory / "checkpoints" / search.run.journal.trials()[-1]["hash"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state").write_text("1")

    search = begin(executor=pretend(capacity=1, faults=dict.fromkeys(range(1, 9), leave)))
    search.run_until_done()
    kept, scores = kept_and_all(search.run)
    assert kept == set(scores)
    assert not list((search.run.directory / "checkpoints").iterdir())


def test_a_resumed_search_keeps_what_the_whole_one_keeps(begin, pretend):
    settings = {"trials": 10, "objectives": "glue:max", "execution": {**INLINE, "keep_weights": 1}}
    whole = begin(name="whole", executor=pretend(capacity=1), **settings)
    whole.run_until_done()
    executor = pretend(capacity=1, faults={6: KeyboardInterrupt()})
    cut = begin(name="cut", executor=executor, **settings)
    assert cut.run_until_done() == "interrupted"
    # killed between the result's commit and the removal
    left = next(h for h in kept_and_all(cut.run)[1] if h not in kept_and_all(cut.run)[0])
    (cut.run.weights / f"{left}.safetensors").write_bytes(b"left")
    cut.run.close()
    run = open_run(cut.run.directory, readonly=False)
    proposer = InlineProposer(run_policy(run.experiment, None))
    resumed = Search(run, run.experiment, proposer, pretend(capacity=1))
    assert resumed.run_until_done() == "trials"
    assert kept_and_all(run)[0] == kept_and_all(whole.run)[0]


def test_a_parent_stays_until_its_children_have_started_from_it(begin, pretend):
    missing, parents = [], []

    def look(job):
        if job.inherit:
            parents.append(job.inherit["hash"])
            path = search.run.directory / weights_name(job.inherit["hash"])
            missing.extend([] if path.is_file() else [job.trial])
        better = {"glue": job.trial / 100}  # so that the one that is kept changes
        return Outcome(job.trial, scores=better, seconds=1.0, weights=b"weights")

    settings = {**INLINE, "keep_weights": 1}
    search = begin(
        trials=16, inheritance=True, execution=settings, objectives="glue:max",
        executor=pretend(capacity=3, faults=dict.fromkeys(range(1, 17), look)),
    )  # fmt: skip
    assert search.run_until_done() == "trials"
    assert len(set(parents)) > 1
    assert not missing
    assert len(kept_and_all(search.run)[0]) == 1


def test_what_was_removed_can_be_had_again_and_the_message_says_how(begin):
    search = begin(trials=12, objectives="glue:max", execution={**INLINE, "keep_weights": 1})
    search.run_until_done()
    kept, scores = kept_and_all(search.run)
    gone = next(r for r in search.run.journal.trials() if r["hash"] not in kept)
    with pytest.raises(RunError, match="keep_weights is 1.*nas train") as caught:
        trial_weights(search.run, gone)
    assert next(iter(kept))[:10] in str(caught.value)


def test_how_many_to_keep_is_checked(experiment):
    assert experiment(execution={"keep_weights": "3"}).execution.keep_weights == 3
    for wrong in (0, -1, "some", 1.5):
        with pytest.raises(InvalidExperiment, match="keep_weights: write all, or how many"):
            experiment(execution={"keep_weights": wrong})


@pytest.fixture
def quota(monkeypatch):
    """A disk whose free bytes the test decides, looked at without any pause."""
    state = {"free": 10**12}

    def usage(path):
        free = state["free"]
        return Usage(10**12, 0, free() if callable(free) else free)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    for name in ("_LOOK_SECONDS", "_RETRY_SECONDS"):
        monkeypatch.setattr(f"nas.execution.disk_room.{name}", 0.0)
    monkeypatch.setattr("nas.search.loop._POLL_SECONDS", 0.01)
    return state


def test_a_disk_that_fills_pauses_the_search_until_there_is_room(begin, pretend, quota):
    notes = []

    def started(notes):
        return next((i for i, note in enumerate(notes) if note), len(notes))

    def fill(job):
        quota["free"] = 5_000_000

    def watch(progress):
        notes.append(progress.note)
        if sum(note is None for note in notes[started(notes) :]) == 5:
            quota["free"] = 10**12

    search = begin(executor=pretend(capacity=1, faults={3: fill}), watch=watch)
    assert search.run_until_done() == "trials"
    assert search.run.journal.counts()["done"] == 8
    where = search.run.directory.resolve()
    (note,) = [note for note in notes if note]  # said once, not once a second
    assert note == f"Paused: The disk is full. {where} has 5 MB free; a trial needs 100 MB"


def test_a_disk_that_stays_full_ends_the_search_to_be_resumed(
    begin, pretend, quota, monkeypatch, capsys
):
    monkeypatch.setattr("nas.execution.disk_room._PATIENCE_SECONDS", 0.05)
    full = Outcome(4, cause="no-space", error="[Errno 122] Disk quota exceeded", seconds=1.0)

    def quota_exceeded(job):
        quota["free"] = 20_000_000
        return full

    search = begin(executor=pretend(capacity=2, faults={4: quota_exceeded}))
    assert search.run_until_done() == "no-space"
    counts = search.run.journal.counts()
    assert (counts["failed"], counts["running"]) == (0, 0)
    assert counts["queued"] >= 1
    _say_why(search.run, "no-space")
    said = capsys.readouterr().err
    assert f"{search.run.directory.resolve()} has 20 MB free; a trial needs 100 MB. Make" in said
    assert f"nas resume {search.run.directory}" in said


def test_two_runs_of_one_name_share_no_file(tmp_path, begin):
    from nas.runs.storage import open_storage

    first, second = (open_storage(str(tmp_path / "s"), tmp_path / "run", i) for i in ("a", "b"))
    first.write_json("results/x.json", {"x": 1})
    assert second.read_json("results/x.json") is None
    assert Storage(str(tmp_path / "s" / "run-a")).read_json("results/x.json") == {"x": 1}


def test_a_record_that_may_not_grow_ends_the_search_as_a_full_disk_does(begin, pretend):
    search, limits = begin(trials=6), resource.getrlimit(resource.RLIMIT_FSIZE)

    def watch(progress):
        if progress.counts["done"] == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))

    search._watch = watch
    try:
        assert search.run_until_done() == "no-space"
        words = shortage()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert words == "The disk is full, or files may not grow (ulimit -f: 0.0 MB)"
    assert search.run.journal.counts()["done"] == 2
    assert again(search.run, pretend()).run_until_done() == "trials"
