"""Trackers repeat the record, and a broken one never stops a search."""

import errno
import struct
import threading
from types import SimpleNamespace

import pytest

from nas.execution import Outcome
from nas.search.driver import start
from nas.search.trackers import TRACKERS, RayCallback, Tracker, require_trackers, tracked
from search_spaces.errors import NasError, UnknownName


def events(folder):
    """Return tag -> list of (step, value) in the event files of `folder`."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (size,) = struct.unpack("<Q", content[at : at + 8])
            event = Event.FromString(content[at + 12 : at + 12 + size])
            at += 16 + size  # length, its checksum, the event, its checksum
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def searched(begin, names=(), **options):
    search = begin(trials=5, **options)
    with tracked(search.run, names, None) as tell:
        search._watch = tell
        search.run_until_done()
    return search.run


def test_tensorboard_has_every_trial_and_the_best_so_far(begin, pretend):
    fault = {2: Outcome(2, cause="nan", error="not finite", seconds=1.0)}
    run = searched(begin, executor=pretend(faults=fault))
    found = events(run.directory / "tensorboard")
    ended = sorted(run.journal.trials(), key=lambda r: r["finished_at"])
    assert [v for _, v in found["trial/failed"]] == [float(r["status"] == "failed") for r in ended]
    glue = [r["scores"]["glue"] for r in ended if r["status"] == "done"]
    assert [v for _, v in found["trial/glue"]] == pytest.approx(glue)
    best = [v for _, v in found["best/glue"]]
    assert best == sorted(best)
    assert best[-1] == pytest.approx(max(glue))
    assert {"trial/parameters", "trial/latency_ms", "trial/seconds", "trial/cola"} <= set(found)


def test_tensorboard_fails_where_it_is_called_and_not_in_a_thread(begin, monkeypatch, caplog):
    def full(writer):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tensorboardX.event_file_writer.EventsWriter.flush", full)
    before = set(threading.enumerate())
    run = searched(begin)
    assert run.journal.counts()["done"] == 5
    left_out = "The tracker 'tensorboard' failed and is left out from here on: [Errno 28] No space"
    assert left_out in caplog.text
    assert not [thread for thread in threading.enumerate() if thread not in before]


def test_a_resumed_run_repeats_no_event(begin):
    run = searched(begin)
    before = events(run.directory / "tensorboard")
    last = run.journal.trials()[-1]
    with tracked(run, (), None) as tell:  # it tells of the last one again
        tell(SimpleNamespace(latest=last, best=before["best/glue"][-1][1]))
    assert events(run.directory / "tensorboard") == before


def test_a_run_that_is_refused_before_a_trial_ends_keeps_its_events_and_gets_no_new_file(begin):
    run = searched(begin)
    kept = sorted((run.directory / "tensorboard").iterdir())
    with tracked(run, (), None):
        pass
    assert sorted((run.directory / "tensorboard").iterdir()) == kept


def test_a_tracker_that_fails_is_left_out_and_the_search_goes_on(begin, monkeypatch, caplog):
    calls = []

    class Broken(Tracker):
        def log(self, record, best):
            calls.append(record["trial"])
            raise ConnectionError("no server")

        def close(self):
            calls.append("closed")

    monkeypatch.setitem(TRACKERS._entries, "broken", Broken)
    run = searched(begin, ["broken"])
    assert run.journal.counts()["done"] == 5
    assert len(calls) == 1
    assert "The tracker 'broken' failed and is left out from here on: no server" in caplog.text


def test_rays_callbacks_hear_of_each_trial(begin, monkeypatch):
    heard = []

    class Callback:
        def setup(self):
            heard.append("setup")

        def log_trial_start(self, trial):
            heard.append((str(trial), trial.config["hash"]))

        def log_trial_result(self, iteration, trial, result):
            heard.append(result)

        def log_trial_end(self, trial, failed):
            heard.append(failed)

        def on_experiment_end(self, trials):
            heard.append("end")

    monkeypatch.setattr("nas.execution.on_tune.make_logger", lambda name, **options: Callback())
    monkeypatch.setitem(TRACKERS._entries, "mlflow", lambda run: RayCallback(run, "mlflow"))
    run = searched(begin, ["mlflow"])
    assert (heard[0], heard[-1]) == ("setup", "end")
    record = next(r for r in run.journal.trials() if f"run-{r['trial']}" == heard[1][0])
    assert heard[1][1] == record["hash"]
    assert heard[2]["glue"] == record["scores"]["glue"]
    assert heard[2]["training_iteration"] == 1
    assert heard[3] is False
    assert len(heard) == 2 + 3 * 5


def test_unknown_and_missing_trackers_are_said_before_anything_starts(
    experiment, tmp_path, monkeypatch
):
    with pytest.raises(UnknownName, match="No tracker is called 'mlfow'. Did you mean 'mlflow'"):
        require_trackers(["mlfow"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NasError, match=r"'wandb' needs .*pip install 'encoder-nas\[wandb\]'"):
        start(experiment(trackers="wandb"), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
