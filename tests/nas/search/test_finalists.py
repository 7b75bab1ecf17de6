"""Finalists: trained in the end of a search, recorded, resumed, and never twice."""

import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from nas.cli.verdict import print_verdict
from nas.config import make_experiment
from nas.execution import EngineGone
from nas.execution.inline import InlineExecutor
from nas.runs.confirmations import Confirmations, confirmations_spent
from nas.runs.directory import open_run
from nas.runs.endings import EXIT_CODES
from nas.runs.status import run_status
from nas.search.budgets import finalist_trainings, spent
from nas.search.driver import resume, start
from nas.search.finalists import WithinBudget
from nas.search.replay import replayed
from nas.search.tally import Tally
from nas.single.verdict import verdict_of
from search_spaces.errors import InvalidExperiment

SETTINGS = {
    "policy": "random",
    "trials": 5,
    "execution": {"engine": "inline", "trial_function": "nas.benchmarks.pretend_trials:trivial"},
}


@pytest.fixture
def trained(monkeypatch):
    """Note every job of finalists; a number of jobs can be set after which something happens."""
    found = {"jobs": [], "after": None, "raises": KeyboardInterrupt()}

    class Noting(InlineExecutor):
        def submit(self, job):
            if found["after"] is not None and len(found["jobs"]) >= found["after"]:
                raise found["raises"]
            found["jobs"].append(job)
            super().submit(job)

    monkeypatch.setattr("nas.single.confirm.make_executor", Noting)
    return found


def plan(**settings):
    return make_experiment({**SETTINGS, **settings})


def test_the_best_are_trained_again_beside_plain_encoders(tmp_path, trained):
    run, reason = start(plan(finalists=2, finalist_seeds=3), tmp_path / "run")
    assert reason == "trials"
    assert run.journal.meta("ended") == "trials"
    store = Confirmations(run.directory)
    roles = {row["role"]: row["hash"] for row in store.baselines()}
    assert list(roles) == ["plain", "largest"]
    expected = {*run.pareto()["hash"][:2], *roles.values()}
    assert Counter(row["hash"] for row in store.trainings()) == dict.fromkeys(expected, 3)
    assert len(trained["jobs"]) == 3 * len(expected)
    found = verdict_of(run)
    assert found.hash == run.pick("best")["hash"]
    assert [one.role for one in found.comparisons] == ["plain", "largest", "random"]
    assert found.selected == found.mean  # this trial function knows no seeds
    run.close()
    assert not any(decision.differs for decision in replayed(open_run(tmp_path / "run")))
    again, reason = resume(tmp_path / "run")
    assert reason == "trials"
    assert len(trained["jobs"]) == 3 * len(expected)
    again.close()


@pytest.mark.parametrize(
    ("raises", "reason"),
    [(KeyboardInterrupt(), "interrupted"), (EngineGone("Ray is gone"), "engine-gone")],
)
def test_what_interrupts_them_can_be_resumed(tmp_path, trained, raises, reason):
    trained.update(after=4, raises=raises)
    run, ended = start(plan(finalists=2, finalist_seeds=2), tmp_path / "run")
    assert ended == reason == run.journal.meta("ended")
    assert EXIT_CODES[ended] == 4
    first = {(row["hash"], row["number"]) for row in Confirmations(run.directory).trainings()}
    assert len(first) == 4
    run.close()
    trained.update(after=None, jobs=[])
    run, ended = resume(tmp_path / "run")
    assert ended == "trials" == run.journal.meta("ended")
    rows = Confirmations(run.directory).trainings()
    assert len(rows) == len(first) + len(trained["jobs"])
    assert {row["seed"] for row in rows} >= {job.seed for job in trained["jobs"]}
    assert len({(row["hash"], row["number"]) for row in rows}) == len(rows)
    run.close()


def test_none_are_trained_unless_asked_for(tmp_path, trained):
    run, reason = start(plan(), tmp_path / "run")
    assert reason == "trials"
    assert not trained["jobs"]
    assert not (run.directory / "confirmations.db").exists()
    assert verdict_of(run) is None
    run.close()


def test_they_keep_to_the_budget_of_time(tmp_path, trained, monkeypatch):
    monkeypatch.setattr("nas.search.finalists.WithinBudget.allows", late)
    run, reason = start(plan(finalists=1, time="1h"), tmp_path / "run")
    assert reason == "time" == run.journal.meta("ended")
    assert len(trained["jobs"]) == 2
    run.close()


def late(pace, digest):
    pace.calls = getattr(pace, "calls", 0) + 1
    pace.ran_out = "time" if pace.calls > 2 else None
    return not pace.ran_out


@pytest.mark.parametrize(
    ("settings", "budget"),
    [
        ({"gpu_hours": 100.0}, None),
        # five trials of 10 seconds on half a GPU, then trainings alike: 25 + 3 x 5 seconds
        ({"gpu_hours": 41 / 3600}, None),
        ({"gpu_hours": 39 / 3600}, "gpu_hours"),
        ({"cost": 81.0, "price_per_hour": 3600.0}, None),
        ({"cost": 79.0, "price_per_hour": 3600.0}, "cost"),
    ],
)
def test_they_keep_to_budgets_of_gpus_and_money(tmp_path, trained, settings, budget):
    run, _ = start(plan(finalists=1, finalist_seeds=1), tmp_path / "run")
    run.close()
    with closing(sqlite3.connect(tmp_path / "run" / "run.db")) as db, db:
        db.execute("UPDATE trials SET seconds = 10, spent_seconds = 10, gpu_seconds = 5")
    with closing(sqlite3.connect(tmp_path / "run" / "confirmations.db")) as db, db:
        db.execute("DELETE FROM trainings")
    run = open_run(tmp_path / "run", readonly=False)
    run.experiment = run.experiment.model_copy(update=settings)
    run.lock()
    pace = WithinBudget(run)
    best, other = run.pareto()["hash"][0], "0" * 64  # one that the search trained, one it did not
    store = Confirmations(run.directory)
    allowed = [pace.allows(best)]
    store.trained(best, 1, 1, status="done", seconds=10.0, gpu_seconds=5.0)
    allowed += [pace.allows(other), pace.allows(best)]  # one runs beside
    assert (pace.ran_out, all(allowed)) == (budget, budget is None)
    assert all(allowed[:2])
    run.close()


def test_what_they_took_counts_for_the_run(tmp_path, trained):
    run, _ = start(plan(finalists=1, finalist_seeds=2), tmp_path / "run")
    trials = sum(record["spent_seconds"] for record in run.journal.trials())
    with closing(sqlite3.connect(tmp_path / "run" / "confirmations.db")) as db, db:
        db.execute("UPDATE trainings SET seconds = 600, gpu_seconds = 300")
    count = len(Confirmations(run.directory).trainings())
    longer = Confirmations(run.directory, 3)
    longer.trained("0" * 64, 1, 1, status="done", seconds=1200.0, gpu_seconds=600.0)
    status = run_status(run)
    assert status["spent_seconds"] == pytest.approx(trials + 600 * count + 1200, abs=0.1)
    assert status["spent_gpu_hours"] == pytest.approx((300 * count + 600) / 3600, abs=1e-3)
    run.close()


def test_a_record_of_an_older_version_takes_new_trainings(tmp_path):
    store = Confirmations(tmp_path)
    store.trained("0" * 64, 1, 1, status="done", seconds=2.0, gpu_seconds=1.0)
    with closing(sqlite3.connect(tmp_path / "confirmations.db")) as db, db:
        db.execute("ALTER TABLE trainings DROP COLUMN gpu_seconds")
    assert confirmations_spent(tmp_path) == (2.0, 0.0)
    store.trained("0" * 64, 2, 2, status="done", seconds=3.0, gpu_seconds=1.5)
    assert confirmations_spent(tmp_path) == (5.0, 1.5)


def test_where_no_finalist_was_trained_the_end_says_that_a_verdict_is_missing(
    tmp_path, trained, capsys
):
    trained["after"] = 0
    run, reason = start(plan(finalists=1, finalist_seeds=2), tmp_path / "run")
    assert reason == "interrupted"
    print_verdict(run)
    said = capsys.readouterr().out
    assert "No verdict: no finalist was trained with fresh seeds" in said
    assert f"nas confirm {run.directory} --top 1 --seeds 2 --baselines" in said
    bare, _ = start(plan(), tmp_path / "bare")
    print_verdict(bare)
    assert "erdict" not in capsys.readouterr().out


def test_the_search_leaves_time_for_them():
    tally = Tally({"glue": "max"})
    row = {"fidelity": 1.0, "seconds": 10.0, "status": "done", "scores": {"glue": 0.5}, "costs": {}}
    tally.ended(row)
    with_two = plan(finalists=2, finalist_seeds=3, time=200)
    assert finalist_trainings(with_two) == 12
    options = {"fidelity": 1.0, "gpus": 0.0}
    assert spent(with_two, tally, elapsed=129, capacity=2, **options) is None
    assert spent(with_two, tally, elapsed=131, capacity=2, **options) == "time"
    # at least half of the time is searched
    assert spent(with_two, tally, elapsed=89, capacity=1, **options) is None
    assert spent(with_two, tally, elapsed=91, capacity=1, **options) == "time"
    assert spent(plan(time=200), tally, elapsed=189, **options) is None


@pytest.mark.parametrize(
    "wrong", [{"finalists": -1}, {"finalists": "many"}, {"finalist_seeds": 0}, {"finalists": 1.5}]
)
def test_bad_values_are_refused(wrong):
    with pytest.raises(InvalidExperiment, match=next(iter(wrong))):
        plan(**wrong)


def test_the_command_ends_with_the_verdict(nas, tmp_path):
    file = tmp_path / "e.yaml"
    function = SETTINGS["execution"]["trial_function"]
    file.write_text(
        f"policy: random\ntrials: 5\nexecution: {{engine: inline, trial_function: '{function}'}}\n"
    )
    code, out, err = nas("search", file, "--finalists", 1, "--finalist-seeds", 2, "--run", "run")
    assert code == 0
    assert '"verdict": {"metric": "glue"' in out
    assert "mean of 2 fresh seeds" in err
    assert "plain BERT of equal parameters" in err
    assert nas("search", file, "--finalists", "-1")[0] == 2
    code, out, err = nas("confirm", "run", "--top", 1, "--seeds", 2)
    assert code == 0
    assert "mean of 2 fresh seeds" in out
