"""Under real Ray Tune: our policies search, and our trials run with its schedulers."""

import json

import pytest
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler

from nas.config import make_experiment
from nas.execution.on_ray import start_ray
from nas.execution.on_tune import LOGGERS, make_logger, make_tuner
from nas.execution.tune_searcher import PolicySearcher
from search_spaces import Architecture, FiniteSpace, load_space
from search_spaces.errors import NasError, PolicyError
from surrogates import make_policy

SPACE = load_space("flexibert-micro")


def policy(name="random", seed=0, space=SPACE):
    return make_policy(name, space, {"glue": "max", "parameters": "min"}, seed=seed)


def searched(searcher, numbers):
    """Suggest and complete trials by hand; return the hashes."""
    hashes = []
    for n in numbers:
        config = searcher.suggest(f"t{n}")
        hashes.append(config["hash"])
        searcher.on_trial_complete(f"t{n}", {"glue": 0.1 * n, "parameters": 5.0})
    return hashes


@pytest.mark.parametrize("name", ["random", "boshnas"])
def test_a_saved_searcher_goes_on_as_if_nothing_had_happened(name, tmp_path):
    whole, cut = PolicySearcher(policy(name)), PolicySearcher(policy(name))
    expected = searched(whole, range(4)) + [whole.suggest("open")["hash"]]
    begun = searched(cut, range(4))
    pending = cut.suggest("open")
    cut.save(str(tmp_path / "state"))
    # what is on a disk today must be readable tomorrow
    assert json.loads((tmp_path / "state").read_text())["version"] == 1
    resumed = PolicySearcher(policy(name))
    resumed.restore(str(tmp_path / "state"))
    assert begun + [pending["hash"]] == expected
    assert [a.hash for a in resumed.policy.pending()] == [pending["hash"]]
    resumed.on_trial_complete("open", {"glue": 0.5, "parameters": 1.0})
    whole.on_trial_complete("open", {"glue": 0.5, "parameters": 1.0})
    assert resumed.suggest("next") == whole.suggest("next")


def test_failures_nan_and_early_stops_are_told_as_what_they_are():
    searcher = PolicySearcher(policy())
    for trial, result, error in (
        ("a", None, True),
        ("b", {"glue": float("nan"), "parameters": 1.0}, False),
        ("i", {"glue": float("inf"), "parameters": 1.0}, False),
        ("c", {"glue": 0.4}, False),
        ("d", {"glue": 0.4, "parameters": 1.0, "fidelity": 0.33}, False),
    ):
        searcher.suggest(trial)
        searcher.on_trial_complete(trial, result, error)
    tells = [e for e in searcher.policy.state_dict()["events"] if "tell" in e]
    assert [e.get("error") for e in tells] == ["error", "nan", "nan", "error", None]
    assert tells[-1]["fidelity"] == 0.33
    searcher.on_trial_complete("never suggested", {"glue": 1.0, "parameters": 1.0})
    assert len(searcher.policy.pending()) == 0


def test_a_small_space_ends_and_foreign_files_are_refused(tmp_path):
    searcher = PolicySearcher(policy(space=FiniteSpace(SPACE.sample(2, seed=0), name="two")))
    searched(searcher, range(2))
    assert searcher.suggest("third") == searcher.FINISHED
    (tmp_path / "other").write_bytes(b"\x80\x04pickle")
    with pytest.raises(PolicyError, match="holds no state of a policy"):
        searcher.restore(str(tmp_path / "other"))


def test_a_tracker_that_is_not_installed_says_what_to_install(monkeypatch):
    assert sorted(LOGGERS) == ["mlflow", "tensorboard", "wandb"]
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(NasError, match=r"pip install 'encoder-nas\[mlflow\]'"):
        make_logger("mlflow")


def rungs(architecture, recipe, data, *, fidelity, checkpoint, weights_path):
    """Stand in for training: better with more fidelity; says from what it continued."""
    checkpoint.mkdir(parents=True, exist_ok=True)
    state = checkpoint / "state"
    begun = float(state.read_text()) if state.is_file() else 0.0
    state.write_text(str(fidelity))
    weights_path.write_bytes(b"w")
    width = architecture.layers[0].width
    return {"scores": {"glue": fidelity * width / 1000}, "costs": {"begun": begun}}


def test_tune_runs_our_trials_with_asha_a_logger_and_our_policy(tmp_path):
    experiment = make_experiment(
        {
            "trials": 6,
            "execution": {"trial_function": f"{__name__}:rungs", "max_concurrent": 1},
        }
    )
    start_ray(None)
    try:
        tuner = make_tuner(
            experiment,
            None,
            None,
            policy(),
            tmp_path,
            fidelities=(0.11, 0.33, 1.0),
            scheduler=ASHAScheduler(max_t=3, grace_period=1, reduction_factor=3),
            callbacks=[make_logger("tensorboard")],
        )
        results = tuner.fit()
    finally:
        ray.shutdown()
    assert isinstance(results, tune.ResultGrid)
    table = results.get_dataframe()
    assert len(table) == 6
    assert not results.errors
    assert set(table["fidelity"]) > {1.0}, "ASHA stopped none early"
    # A trial that reached the end continued from the rung below.
    assert set(table[table["fidelity"] == 1.0]["begun"]) == {0.33}
    assert list(tmp_path.rglob("events.out.tfevents*"))
    assert len(list((tmp_path / "files").rglob("*.safetensors"))) >= 6
    (state,) = (tmp_path / "tune").glob("searcher-state-*")
    events = json.loads(state.read_text())["policy"]["events"]
    assert len({Architecture.from_dict(e["tell"]).hash for e in events if "tell" in e}) == 6
