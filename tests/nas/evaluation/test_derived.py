"""An objective of one's own is recorded by every trial and can be optimised."""

import pytest

from nas.config import make_experiment
from nas.evaluation.derived import OBJECTIVES, derived_values
from nas.execution import Job
from nas.execution.perform import perform
from nas.training.recipe import Recipe
from search_spaces import load_space
from search_spaces.errors import TrialError, UnknownName


@pytest.fixture
def per_layer(monkeypatch):
    entries = {"per_layer": lambda architecture, values: values["latency_ms"] / len(architecture)}
    monkeypatch.setattr(OBJECTIVES, "_entries", entries)


def pretend_trial(architecture, recipe, data):
    return {"scores": {"glue": 0.5}, "costs": {"latency_ms": 8.0}}


def test_a_trial_records_it(per_layer):
    (architecture,) = load_space("flexibert-micro").sample(1, seed=0)
    job = Job(1, architecture.to_dict(), seed=0, timeout=60.0)
    outcome = perform(job, Recipe(), None, function=f"{__name__}:pretend_trial")
    assert outcome.error is None, outcome.error
    assert outcome.costs["per_layer"] == 8.0 / len(architecture)


def test_an_experiment_may_name_it_and_no_other(per_layer):
    assert (
        make_experiment({"objectives": "glue:max,per_layer:min"}).objectives["per_layer"] == "min"
    )
    with pytest.raises(UnknownName, match="'per_leyer'. Did you mean 'per_layer'"):
        make_experiment({"objectives": "glue:max,per_leyer:min"})


def test_it_may_not_hide_a_measured_value(monkeypatch):
    monkeypatch.setattr(OBJECTIVES, "_entries", {"glue": lambda architecture, values: 1.0})
    with pytest.raises(TrialError, match="'glue' has the name of a score or cost"):
        derived_values(load_space("flexibert-micro").sample(1)[0], {"glue": 0.5})
