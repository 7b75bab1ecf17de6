"""`nas status`, `why`, `compare`, `watch`, `completion`: output, exit codes, bad input."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from nas.cli.main import COMMANDS
from nas.execution import EngineGone
from nas.report.front_text import front_text
from nas.runs.directory import open_run
from nas.runs.several import open_runs
from nas.runs.stalled import minutes, why_stalled
from nas.runs.status import run_status
from nas.runs.worker_use import percentile, worker_use
from search_spaces import load_space
from search_spaces.errors import RunError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def believed(begin):
    """Return the directory of a run whose second proposal predicted something and came out."""
    run = begin(name="believed").run
    a, b, c = load_space("flexibert-micro").sample(3, seed=0)
    journal = run.journal
    why = {
        "reason": "optimise",
        "mean": {"glue": 0.5, "parameters": 100.0},
        "epistemic": {"glue": 0.03, "parameters": 0.0},
        "aleatoric": {"glue": 0.04, "parameters": 0.0},
        "acquisition": 0.25,
        "pending": [3],
        "parent": "f" * 64,
        "overlap": 0.75,
    }
    journal.asked(a.to_dict(), a.hash, seed=1, proposal={"reason": "initial"})
    journal.started(1, 0)
    journal.finished(1, "done", scores={"glue": 0.4}, costs={"parameters": 90.0}, seconds=2.0)
    journal.asked(b.to_dict(), b.hash, seed=1, proposal=why)
    journal.started(2, 1)
    journal.finished(2, "done", scores={"glue": 0.6}, costs={"parameters": 100.0}, seconds=3.0)
    journal.asked(c.to_dict(), c.hash, seed=1, proposal={"reason": "diversity"})
    journal.started(3, 0)
    journal.finished(
        3, "failed", cause="out-of-memory", error="12 GB wanted", logs="step 1\nstep 2",
        traceback="the story", node="n7", device="gpu",
        history=[{"cause": "lost", "node": "n1"}], adjusted={"micro_batches": 4},
    )  # fmt: skip
    run.close()
    return run.directory


def test_why_tells_the_belief_the_outcome_and_the_distance_between_them(nas, believed):
    code, out, _ = nas("why", believed, 2)
    assert code == 0
    assert "optimise: because it promised the most" in out
    assert "in flight    trials 3" in out
    assert "parent       ffffffffff, 75% of its weights" in out
    line = next(line for line in out.splitlines() if line.startswith("  glue "))
    assert line.split() == ["glue", "0.5", "0.03", "0.04", "0.6", "0.1", "+2.0"]
    assert "trial 1    distance" in out
    found = json.loads(nas("why", believed, 2, "--json")[1])
    assert found["objectives"]["glue"]["off_sd"] == pytest.approx(2.0)
    assert [near["trial"] for near in found["neighbours"]] == [1]


def test_why_tells_of_a_failure(nas, believed):
    out = nas("why", believed, 3)[1]
    for said in ("failed", "on n7 gpu", "cause     out-of-memory, at attempt 1", "12 GB wanted",
                 "step 2", "the story", "earlier attempt: cause lost, node n1",
                 "retried with micro_batches 4", "Nothing was predicted"):  # fmt: skip
        assert said in out, said


def test_why_takes_a_hash_best_or_knee_and_knows_no_later_neighbours(nas, believed):
    digest = open_run(believed).trials()["hash"][1]
    assert nas("why", believed, digest[:12])[1] == nas("why", believed, 2)[1]
    assert nas("why", believed, "best")[1] == nas("why", believed, 2)[1]
    assert "No trial had finished when it was proposed." in nas("why", believed, 1)[1]


def test_predictions_of_what_cannot_be_are_clipped():
    from nas.cli.why import _possible

    assert _possible("glue", 1.7) == ">1"
    assert _possible("glue", 0.61234) == "0.6123"
    assert _possible("parameters", -3e5) == "<0"
    assert _possible("my_own_error", 1.7) == "1.7"
    assert _possible("glue", None) == "-"


@pytest.mark.parametrize("which", ["99", "zzz", "0"])
def test_a_trial_that_is_not_there(nas, believed, which):
    code, _, err = nas("why", believed, which)
    assert code == 2
    assert f"'{which}' names 0 trials" in err
    assert "Give a number (1 to 3), the start of one hash, best or knee" in err


def test_compare_uses_one_reference_and_names_what_differs(nas, searched):
    one, two = searched(name="one"), searched(name="two", seed=1, policy="evolution")
    code, out, _ = nas("compare", one, two)
    assert code == 0
    for said in ("Runs by glue max, parameters min", "hypervolume", "Settings that differ", "seed",
                 "evolution", "on_common_front"):  # fmt: skip
        assert said in out, said
    found = json.loads(nas("compare", one, two, "--json")[1])
    volumes = {row["run"]: row["hypervolume"] for row in found["summary"]}
    for name, path in (("one", one), ("two", two)):
        again = open_run(path).hypervolume(
            reference=found["reference"], ideal=found["ideal"], normalised=True
        )
        assert volumes[name] == pytest.approx(again)
    assert set(found["settings"]) == {"seed", "policy"}
    assert found["settings"]["seed"] == {"one": 0, "two": 1}
    assert any(row["on_common_front"] for row in found["fronts"])


def test_runs_that_were_measured_otherwise_are_not_ranked(nas, searched):
    one, two = searched(name="one"), searched(name="two", recipe={"pretrain_tokens": 999})
    code, out, err = nas("compare", one, two)
    assert (code, out) == (2, "")
    assert "cannot be ranked by glue, parameters: their trials were not measured alike" in err
    assert "recipe.pretrain_tokens: one " in err
    assert "two 999" in err
    assert "Rank by what is common, such as parameters:min" in err
    assert nas("compare", one, two, "-o", "parameters:min")[0] == 0
    code, out, _ = nas("compare", one, two, "--unranked")
    assert code == 0
    assert "Not ranked: each run stands for itself." in out
    assert "on_common_front" not in out
    runs = open_runs([one, two])
    for ask in (runs.pareto, runs.best, runs.knee):
        with pytest.raises(RunError, match="were not measured alike"):
            ask()
        assert set(ask(by="run")["run"]) == {"one", "two"}


def test_of_other_tasks_what_is_common_is_ranked(nas, searched):
    one = searched(name="one", tasks=["cola", "rte"])
    two = searched(name="two", tasks=["cola", "sst2"])
    code, _, err = nas("compare", one, two)
    assert code == 2
    assert "Tasks in common: cola. Rank by what is common, such as cola:max" in err
    assert nas("compare", one, two, "-o", "cola:max")[0] == 0


def test_hypervolume_over_time_judges_several_objectives(nas, searched):
    one, two = searched(name="one"), searched(name="two", seed=1)
    found = json.loads(nas("compare", one, two, "--json")[1])
    for row in found["summary"]:
        curve = [p["hypervolume"] for p in found["progress"] if p["run"] == row["run"]]
        assert curve == sorted(curve)
        assert curve[-1] == pytest.approx(row["hypervolume"])
    volumes = [row["hypervolume"] for row in found["summary"]]
    assert volumes == sorted(volumes, reverse=True)
    assert "Hypervolume over time" in nas("compare", one, two)[1]


def test_the_best_within_bounds_of_the_other_objective(nas, searched):
    runs = [searched(name="one"), searched(name="two", seed=1)]
    found = json.loads(nas("compare", *runs, "--json")[1])
    tables = {path.name: open_run(path).trials() for path in runs}
    assert {row["objective"] for row in found["attained"]} == {"parameters"}
    for row in found["attained"]:
        within = tables[row["run"]].query("parameters <= @row['bound']")["glue"]
        assert row["glue"] == (None if within.empty else pytest.approx(within.max()))
    for name, table in tables.items():
        mine = [row["glue"] for row in found["attained"] if row["run"] == name]
        known = [value for value in mine if value is not None]
        assert known == sorted(known)
        assert mine[-1] == pytest.approx(table["glue"].max())
    out = nas("compare", *runs)[1]
    assert "Best glue that a run has with parameters of at most" in out
    assert "≤ " in out
    assert "Best glue" not in nas("compare", *runs, "-o", "glue:max")[1]
    assert "Best glue that" not in nas("compare", *runs, "--unranked")[1]


def test_settings_that_differ_are_shown_whole_unless_they_are_long():
    from nas.cli.compare import _short

    assert (_short(None), _short(0), _short("evolution")) == ("-", "0", "evolution")
    assert _short("x" * 60) == "x" * 60
    assert _short("x" * 61) == "x" * 57 + "…"


def test_what_cannot_be_compared(nas, searched, begin):
    one, other = searched(name="one"), searched(name="other", objectives="cola:max")
    begin(name="empty").run.close()
    for arguments, message in [
        ([one], "Give two or more: nas compare RUN RUN"),
        ([one, one], "was given twice"),
        ([one, other], "have no objective in common"),
        ([one, one.parent / "empty"], "has no finished trial yet, so there is nothing to compare"),
        ([one, other, "-o", "rte:max"], "No objective of the run 'one' is called 'rte'"),
        ([one, "nowhere"], "is no run directory"),
        ([], "Missing argument"),
    ]:
        code, _, err = nas("compare", *arguments)
        assert (code, message in err) == (2, True), err
    assert nas("compare", one, other, "-o", "cola:max")[0] == 0


def test_bad_input_about_tables(nas, searched, begin, tmp_path, monkeypatch):
    run = searched()
    begin(name="empty").run.close()
    empty = run.parent / "empty"
    for arguments, message in [
        (["trials", run, "--sort", "architecture"], "has no order"),
        (["trials", run, "--sort", "paramters"], "Did you mean 'parameters'?"),
        (["trials", run, "--where", "paramters < 3"], "Did you mean 'parameters'?"),
        (["trials", run, "--where", "glue.mean() > 0"], "--where 'glue.mean() > 0' is no conditi"),
        (["trials", run, "--to", "t.xlsx"], "Use one of .parquet, .csv, .json"),
        (["trials", run, "--to", "no/t.csv"], "cannot be written"),
        (["pareto", run, "--x", "latency"], "Did you mean 'latency_ms'?"),
        (["pareto", run, "--x", "glue", "--y", "glue"], "are both 'glue'"),
        (["pareto", run, "--x", "glue", "-o", "glue:max"], "Give either -o, or --x and --y"),
        (["pareto", run, "-w", "glue >"], "is no condition"),
        (["pareto", empty], "has no finished trial yet"),
        (["why", empty, "1"], "Give a number (none yet)"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
    ]:
        code, _, err = nas(*arguments)
        assert (code, message in err) == (2, True), err
    assert not list(tmp_path.glob("t.*"))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    code, _, err = nas("trials", run, "--format", "parquet")
    assert code == 2
    assert "Parquet is no text for a terminal" in err


def test_parquet_goes_through_a_pipe_and_into_a_file(nas, searched, tmp_path):
    run = searched()
    command = [sys.executable, "-m", "nas", "trials", str(run), "--format", "parquet"]
    answer = subprocess.run(command, capture_output=True, cwd=ROOT, check=True)
    assert len(pd.read_parquet(io.BytesIO(answer.stdout))) == 8
    code, out, err = nas("trials", run, "--where", "glue > 0", "--to", "t.parquet")
    assert (code, out) == (0, "")
    assert "7 rows: t.parquet" in err
    assert len(pd.read_parquet(tmp_path / "t.parquet")) == 7


def test_pareto_of_two_columns(nas, searched, tmp_path):
    run = searched()
    code, out, _ = nas("pareto", run, "--x", "latency_ms", "--y", "glue", "--plot", "f.png")
    assert code == 0
    assert (tmp_path / "f.png").exists()
    assert out == nas("pareto", run, "-o", "glue:max,latency_ms:min")[1]
    assert nas("pareto", run, "--y", "glue")[1] == nas("pareto", run)[1]
    limited = nas("pareto", run, "-w", "parameters < 40000", "--format", "json")[1]
    assert all(json.loads(line)["parameters"] < 40_000 for line in limited.splitlines())


# Status.


def test_status_counts_workers_time_and_proposals(begin):
    run = begin().run
    journal = run.journal
    session = journal.begin_session()
    request = journal.requested(1)
    for trial, architecture in enumerate(load_space("flexibert-micro").sample(2, seed=0), 1):
        journal.asked(
            architecture.to_dict(), architecture.hash, seed=1, proposal={}, request=request
        )
        journal.started(trial, trial - 1)
    journal.finished(
        1,
        "done",
        scores={"glue": 0.5},
        costs={"parameters": 9.0},
        seconds=100.0,
        gpu_seconds=3600.0,
    )
    now = time.time()
    db = journal._db
    db.execute("UPDATE sessions SET started_at = ?, seen_at = ?", (now - 200, now))
    db.execute("UPDATE trials SET started_at = ?", (now - 200,))
    db.execute("UPDATE trials SET finished_at = ? WHERE trial = 1", (now - 100,))
    db.execute("UPDATE events SET at = ? WHERE kind = 'request'", (now - 5,))
    db.execute("UPDATE events SET at = ? WHERE kind = 'ask'", (now - 3,))
    journal.seen(session)
    status = run_status(run, now=now)
    assert (status["state"], status["done"], status["running"]) == ("running", 1, 1)
    assert status["workers"] == 2
    assert status["idle_percent"] == 25.0
    assert status["trials_per_hour"] == pytest.approx(18.0, abs=0.1)
    assert status["proposal_seconds_p50"] == 2.0
    assert status["spent_gpu_hours"] == 1.0
    assert status["left_seconds"] == pytest.approx(100.0 * 7 / 2)
    assert status["warning"] is None


def test_the_best_of_the_status_is_the_best_of_the_tables(searched):
    run = open_run(searched())
    status = run_status(run)
    assert status["best_trial"] == run.best()["trial"].iloc[0]
    assert status["front"] == len(run.pareto())


def test_worker_use_without_slots_and_with_pauses():
    def trial(start, end, status="done"):
        return {"started_at": start, "finished_at": end, "status": status}

    records = [trial(0, 10), trial(0, 6), trial(100, 110), trial(102, None, "running")]
    workers, idle = worker_use(records, [(0, 10), (99, 112)], now=112)
    assert workers == 2
    # 2 workers present for 10 s and 12 s; 16 s and 20 s of work.
    assert idle == pytest.approx(1 - 36 / 44)
    assert worker_use([], [(0, 10)], now=10) == (0, None)


def test_workers_that_joined_later_were_not_idle_before():
    def trial(worker, start, end):
        return {"worker": worker, "started_at": start, "finished_at": end, "status": "done"}

    records = [trial(0, 0, 20), trial(1, 12, 20)]
    assert worker_use(records, [(0, 20)], now=20)[1] == pytest.approx(12 / 40)
    joined = [(-1, 1), (10, 2)]
    # One worker for 10 s and two for 10 s; 28 s of work.
    assert worker_use(records, [(0, 20)], 20, joined) == (2, pytest.approx(2 / 30))


def test_shares_of_waiting_times():
    assert percentile([], 0.5) is None
    assert percentile([3, 1, 2], 0.5) == 2


def _record(status, **columns):
    return {
        "trial": 1,
        "status": status,
        "seconds": 10.0,
        "started_at": 0.0,
        "node": "n1",
        **columns,
    }


@pytest.mark.parametrize(
    ("records", "seen", "cause"),
    [
        ([_record("running", started_at=1000.0)], 10_000.0, "Trial 1 has run for 2.5 h on n1"),
        ([_record("queued")], 10_000.0, "1 trials wait and none runs: likely no worker has"),
        ([_record("done")], 10_000.0, "the policy is still working"),
        ([_record("running")], 5_000.0, "No driver is at work; the last sign of one was 83 min"),
    ],
)
def test_a_stalled_run_names_the_likely_cause(records, seen, cause):
    said = why_stalled(records, ended=False, seen=seen, last_event=4_000.0, now=10_000.0)
    assert cause in said
    assert why_stalled(records, ended=True, seen=seen, last_event=4_000.0, now=10_000.0) is None
    assert why_stalled(records, ended=False, seen=9_990.0, last_event=9_990.0, now=10_000.0) is None


def test_durations_are_for_people():
    assert (minutes(40), minutes(720), minutes(12_600)) == ("40 s", "12 min", "3.5 h")
    assert (minutes(99), minutes(100)) == ("99 s", "2 min")
    assert (minutes(5_999), minutes(6_000)) == ("100 min", "1.7 h")


# Watch.


def test_watch_prints_json_lines_and_leaves_with_the_searchs_own_code(nas, searched, monkeypatch):
    run = searched()
    code, out, _ = nas("watch", run)
    assert code == 0
    (line,) = [json.loads(line) for line in out.splitlines()]
    assert (line["event"], line["state"], line["done"]) == ("status", "trials", 7)
    for reason, expected in (("time", 3), ("interrupted", 4), ("failing", 5)):
        writer = open_run(run, readonly=False)
        writer.journal.set_meta("ended", reason)
        writer.close()
        monkeypatch.setattr("nas.cli.watch._GONE_SECONDS", -1.0)
        assert nas("watch", run)[0] == expected


def test_watch_on_a_terminal_shows_the_front_and_what_runs(believed):
    from rich.console import Console

    from nas.cli.watch import _running, _screen

    run = open_run(believed, readonly=False)
    assert _running([]) == ["No trial has started yet."]
    assert _running(run.journal.trials()) == ["latest     trial 3    failed: out-of-memory"]
    two = _running(run.journal.trials()[:2])
    assert two == ["latest     trial 2    done: glue 0.600"]
    run.journal.requeued(3, "again")
    run.journal.started(3, 1)
    console = Console(width=120, file=io.StringIO(), force_terminal=True)
    console.print(_screen(run, run_status(run)))
    out = console.file.getvalue()
    for said in ("2/8", "worker 1   trial 3", "● on the front", "glue 0.6 (trial 2"):
        assert said in out, said


def test_leaving_the_watch_says_that_the_search_goes_on(nas, searched, monkeypatch):
    def leave(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr("nas.cli.watch._lines", leave)
    code, _, err = nas("watch", searched())
    assert code == 0
    assert "The search goes on" in err


@pytest.mark.parametrize(
    ("error", "said"),
    [(KeyboardInterrupt(), "Interrupted"), (EngineGone("Ray's raylet"), "Stopped: Ray's raylet")],
)
def test_confirming_that_is_cut_off_says_how_to_go_on(error, said, nas, searched, monkeypatch):
    def cut_off(*given, **options):
        raise error

    monkeypatch.setattr("nas.single.confirm.confirm", cut_off)
    code, _, err = nas("confirm", searched(), "--top", "2")
    assert code == 4
    assert f"{said}; finished trainings are kept. Continue: nas confirm " in err
    assert "--top 2 --seeds 5" in err


def test_the_front_as_text():
    lines = front_text([(1, 0.5, True), (3, 0.9, True), (2, 0.6, False)], across="ms", up="glue",
                       width=21, height=5)  # fmt: skip
    assert lines[1] == "0.9 ┤                    ●"
    assert lines[4] == "    ┤          ·"
    assert lines[5] == "0.5 ┤●"
    assert "ms" in lines[-1]
    assert front_text([], across="a", up="b") == ["no trained encoder yet"]
    assert len(front_text([(1, 1, True)], across="a", up="b")) == 15


# Completion.


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(nas, shell):
    code, out, _ = nas("completion", shell)
    assert code == 0
    assert f"_NAS_COMPLETE={shell}_complete" in out


def completed(words, cwd):
    environment = {
        **os.environ, "_NAS_COMPLETE": "bash_complete", "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    code = (
        "import sys; sys.argv = ['nas']\nfrom nas.cli.main import main\n"
        "try:\n    main()\nfinally:\n"
        "    heavy = {'torch', 'ray', 'pandas', 'botorch', 'numpy'} & set(sys.modules)\n"
        "    print('HEAVY', sorted(heavy), file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=cwd
    )
    assert "HEAVY []" in answer.stderr, answer.stderr
    return [line.partition(",")[2] for line in answer.stdout.splitlines()]


def test_a_shell_completes_commands_options_choices_and_runs(searched):
    path = searched(name="runs/first").parent.parent
    assert set(completed("nas ", path)) >= {"search", "watch", "why"}
    assert completed("nas wa", path) == ["watch"]
    assert completed("nas trials --fo", path) == ["--format"]
    assert completed("nas trials --format p", path) == ["parquet"]
    assert completed("nas why ru", path) == ["runs/first"]
    assert set(COMMANDS) == set(completed("nas ", path))


def offered(command, words, incomplete, option):
    """Return what a shell would be offered for an option of a command."""
    from click.shell_completion import ShellComplete

    from nas.cli.main import cli

    complete = ShellComplete(cli, {}, "nas", "_NAS_COMPLETE")
    found = complete.get_completions([command, *words, option], incomplete)
    return [item.value for item in found]


def test_values_are_offered(searched):
    run = str(searched(name="one"))
    assert offered("ensemble", [run], "weighted,s", "--kind") == ["weighted,stacked"]
    assert "best,knee" in offered("ensemble", [run], "best,", "--members")
    assert offered("search", [], "bosh", "--policy") == ["boshnas", "boshnas-paper"]
    assert "flexibert-micro" in offered("search", [], "flexi", "--space")
    assert offered("search", [], "cola,r", "--tasks") == ["cola,rte"]
    assert offered("train", [], "mnl", "--tasks") == ["mnli"]
    assert "parameters" in offered("trials", [run], "", "--sort")
    assert offered("trials", [run], "param", "--sort") == ["parameters"]
    picks = offered("export", [run], "", "--pick")
    assert picks[:3] == ["best", "knee", "1"]
    assert offered("export", ["nowhere"], "", "--pick") == []
