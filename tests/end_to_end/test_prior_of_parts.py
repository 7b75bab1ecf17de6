"""A search inside a checkpoint that first measures its parts: recorded, replayed, gone on with."""

import pytest
import yaml

from nas import open_run
from nas.cli.main import cli
from nas.config import make_experiment
from nas.training.preparing import experiment_recipe
from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment

SEARCH = {
    "data": "glue-mini", "tasks": ["sst2"], "trials": 6, "prior": True,
    "objectives": {"glue": "max", "latency_ms": "min"}, "execution": {"engine": "inline"},
    "recipe": {
        "max_train_examples": 48, "max_dev_examples": 48, "max_length": 32, "block_length": 32,
        "precision": "fp32", "finetune_epochs": 1,
    },
}  # fmt: skip


def nas(*arguments):
    try:
        cli.main([str(a) for a in arguments], prog_name="nas", standalone_mode=False)
    except SystemExit as stop:
        assert stop.code == 0  # noqa: PT017  a search says by its code how it ended


@pytest.mark.slow
def test_what_parts_are_worth_is_known_to_the_search(tmp_path, make_checkpoint, capsys):
    make_checkpoint(tmp_path / "tiny")
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(SEARCH))
    run = tmp_path / "run"
    nas("search", tmp_path / "plan.yaml", "--from", tmp_path / "tiny", "--run", run, "--quiet")
    stored = yaml.safe_load((run / "experiment.yaml").read_text())
    assert set(stored["policy_options"]["prior"]) == {"glue", "latency_ms"}
    first = [Architecture.from_dict(one) for one in stored["space"]["first"]]
    assert len(first) > 3  # uniform cuts, and what parts favour
    trials = list(open_run(run).journal.each_trial())
    assert [trial["status"] for trial in trials] == ["done"] * 6
    assert {a.hash for a in first[:6]} <= {trial["hash"] for trial in trials}
    # nothing that was measured before is a result
    assert all(trial["seconds"] > 0 for trial in trials)
    nas("resume", run, "--trials", "+1", "--quiet")
    capsys.readouterr()
    nas("replay", run)
    assert "0 differences" in capsys.readouterr().out


def test_there_must_be_parts():
    with pytest.raises(InvalidExperiment, match="prior measures the parts of a checkpoint"):
        experiment_recipe(make_experiment({"prior": True}))
