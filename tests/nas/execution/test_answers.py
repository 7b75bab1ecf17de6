"""What trial functions answer: numbers are numbers, all else is that trial's failure."""

import importlib.util
import json
import signal
import sys
from pathlib import Path

import pytest

from nas.evaluation.measured import TAKEN
from nas.execution.inline import InlineExecutor
from nas.execution.jobs import Job, Outcome
from nas.execution.outcomes import checked
from nas.execution.perform import perform
from nas.execution.trial_function import ARGUMENTS, trial_function
from nas.runs.directory import open_run
from nas.search.driver import resume
from nas.tables.trials import trial_table
from nas.training.recipe import RECIPES
from search_spaces import load_space
from search_spaces.errors import InvalidExperiment

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("odd_trials", HERE / "odd_trials.py")
odd_trials = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(odd_trials)

ARCHITECTURE = next(
    a for a in load_space("flexibert-micro").sample(20, seed=0) if int(a.hash[:2], 16) % 2
)
JOB = Job(1, ARCHITECTURE.to_dict(), seed=0, timeout=9.0)


@pytest.fixture
def odd(monkeypatch):
    """Make the odd trials importable; return a function that chooses one and performs it."""
    monkeypatch.setitem(sys.modules, "odd_trials", odd_trials)
    monkeypatch.setattr("nas.execution.perform.meant_for_us", lambda error: False)

    def performed(name, function="every_second"):
        monkeypatch.setenv("ODD", name)
        return perform(JOB, RECIPES["glue-mini"], None, function=f"odd_trials:{function}")

    return performed


@pytest.mark.parametrize("name", odd_trials.NUMBERS)
def test_numbers_of_any_library_are_numbers(odd, name):
    outcome = odd(name)
    assert (outcome.cause, outcome.error) == (None, None)
    assert {type(v) for v in (outcome.scores | outcome.costs).values()} <= {int, float}
    assert checked(outcome, ["score"]).cause is None
    json.dumps(outcome.details).encode()


@pytest.mark.parametrize("name", odd_trials.FAILURES)
def test_anything_else_is_that_trials_failure(odd, name):
    _, cause, words = odd_trials.FAILURES[name]
    outcome = checked(odd(name), ["score"])
    assert (outcome.cause, words in outcome.error) == (cause, True), outcome.error
    assert len(outcome.error) < 2_100
    outcome.error.encode()
    outcome.traceback.encode()


@pytest.mark.parametrize(
    "name",
    [
        "None", "score True", "score 10**400", "parameters 1.5", "called trial", "called markup",
        "markup", "title", "surrogate", "no text", "exit", "interrupt", "numpy float32",
    ],
)  # fmt: skip
def test_the_search_goes_on_resumes_replays_and_is_shown(nas, name, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "odd_trials", odd_trials)
    # pytest leaves Python's own handler; a search puts its own in place of that
    monkeypatch.setenv("ODD", name)
    monkeypatch.setenv("FORCE_COLOR", "1")
    plan = {
        "policy": "random",
        "objectives": "score:max,latency_ms:min",
        "trials": 4,
        "execution": {"engine": "inline", "trial_function": "odd_trials:every_second"},
    }
    (tmp_path / "plan.yaml").write_text(json.dumps(plan))
    assert nas("search", "plan.yaml", "--run", "run")[0] == 0
    assert nas("resume", "run", "--trials", "+1")[0] == 0
    for command in (["replay", "run"], ["status", "run"], ["trials", "run"], ["why", "run", "1"]):
        code, out, err = nas(*command)
        assert code == 0, err
        assert "\x1b]" not in out + err
    statuses = [row["status"] for row in open_run("run").journal.trials()]
    assert statuses.count("done") >= 1
    assert len(statuses) == 5


def test_an_answer_left_by_an_earlier_attempt_is_checked_too():
    left = Outcome(1, scores={"score": "0.5"}, costs={}, cause=None)
    assert checked(left, ["score"]).cause == "error"
    odd = Outcome(1, cause="whatever", error="\x1b[2J", seconds=float("nan"), logs="\ud800")
    found = checked(odd, [])
    assert (found.cause, found.error, found.seconds) == ("error", r"\x1b[2J", None)
    assert found.logs == r"\ud800"


@pytest.mark.parametrize(
    "function", ["nothing", "only_seed", "turned", "renamed", "keywords", "places"]
)
def test_a_function_takes_what_it_names(odd, function):
    outcome = odd("int", function)
    assert outcome.error is None
    assert "score" in outcome.scores


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_module:f", "No module named"),
        ("odd_trials:no_such", "no attribute"),
        ("odd_trials:no_function", "is a int and no function"),
        ("odd_trials:unknown", "'flavour'"),
    ],
)
@pytest.mark.usefixtures("odd")
def test_a_function_that_cannot_be_called_is_refused_before_anything_is_made(
    nas, tmp_path, name, words, monkeypatch
):
    monkeypatch.setitem(sys.modules, "odd_trials", odd_trials)
    plan = {"objectives": "score:max", "execution": {"engine": "inline", "trial_function": name}}
    (tmp_path / "plan.yaml").write_text(json.dumps(plan))
    code, _, err = nas("search", "plan.yaml", "--run", "run")
    assert code == 2
    assert words in err
    assert not (tmp_path / "run").exists()


def test_what_a_trial_can_take_is_what_training_takes():
    taken = trial_function(None)
    assert all(taken.takes(name) for name in ARGUMENTS)
    assert taken.lacking == []


def test_no_measurement_may_be_called_like_a_column():
    empty = trial_table([], preset=None)
    measured = {"glue", "parameters", "flops", "latency_ms", "peak_memory_mb"}
    assert set(empty.columns) - measured <= TAKEN


@pytest.fixture
def interruptible():
    """Ctrl-C as in a terminal: a job in the background of a shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_keyboard_interrupt_of_a_person_still_ends_an_inline_search(monkeypatch, interruptible):
    monkeypatch.setitem(sys.modules, "odd_trials", odd_trials)
    monkeypatch.setattr(odd_trials, "every_second", lambda: odd_trials.raising(KeyboardInterrupt()))
    settings = type(
        "S", (), {"trial_function": "odd_trials:every_second", "checkpoint_seconds": 9}
    )()
    executor = InlineExecutor(settings, RECIPES["glue-mini"], None)
    executor.submit(JOB)
    with pytest.raises(KeyboardInterrupt):
        executor.wait(0.0)
    options = {"function": "odd_trials:every_second", "own_process": True}
    assert perform(JOB, RECIPES["glue-mini"], None, **options).cause == "error"


def test_a_bad_function_ends_a_resume_before_it_starts(searched, monkeypatch):
    directory = searched()
    file = directory / "experiment.yaml"
    file.write_text(file.read_text().replace("trial_function: null", "trial_function: 'no:f'"))
    with pytest.raises(InvalidExperiment, match="cannot be imported"):
        resume(directory, changes={"trials": "+1"}, trust=True)
