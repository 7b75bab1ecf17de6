"""A real run of two small trials, and its best model exported."""

import pytest

from nas.config import make_experiment
from nas.search.driver import start
from nas.single.exporting import export_trial
from nas.single.trials import task_models_of, trial_weights

TASKS = ["sst2", "stsb"]


@pytest.fixture(autouse=True, scope="session")
def registered():
    """The Auto classes find ours here, as loading alone no longer makes them."""
    from nas.models.hf_heads import register_heads_with_transformers

    register_heads_with_transformers()


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    experiment = make_experiment(
        {
            "policy": "random",
            "objectives": "glue:max,parameters:min",
            "tasks": TASKS,
            "trials": 2,
            "execution": {"engine": "inline"},
            "recipe": {
                "vocabulary_size": 300,
                "pretrain_tokens": 2000,
                "finetune_epochs": 1,
                "max_train_examples": 64,
                "max_dev_examples": 64,
            },
        }
    )
    run, _ = start(experiment, tmp_path_factory.mktemp("runs") / "small")
    return run


@pytest.fixture(scope="session")
def trial(run):
    """The record of the trial with the fewest layers."""
    return min(run.journal.trials(), key=lambda record: record["architecture"]["l"])


@pytest.fixture(scope="session")
def export_run(run, trial):
    """A function that exports that trial to a folder."""

    def export(folder, *, tasks=TASKS, **options):
        models = task_models_of(run, trial, tasks) if tasks else ()
        return export_trial(
            run,
            trial,
            folder,
            weights=trial_weights(run, trial),
            models=((m.task, m.score, m.weights) for m in models),
            tasks=tasks,
            **options,
        )

    return export


@pytest.fixture(scope="session")
def exported(export_run, tmp_path_factory):
    """That trial's folder; tests copy it before they break it."""
    return export_run(tmp_path_factory.mktemp("zoo") / "first")
