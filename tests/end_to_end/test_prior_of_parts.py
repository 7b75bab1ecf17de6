"""A search inside a checkpoint that first measures its parts: recorded, replayed, gone on with."""

import pytest
import yaml

from nas import open_run
from nas.config import make_experiment
from nas.training.preparing import experiment_recipe
from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment


@pytest.mark.slow
def test_what_parts_are_worth_is_known_to_the_search(
    nas, tmp_path, make_checkpoint, glue_search, capsys
):
    make_checkpoint(tmp_path / "tiny")
    plan = glue_search(trials=6, prior=True, objectives={"glue": "max", "latency_ms": "min"})
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
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
