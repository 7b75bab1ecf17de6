"""A search that opens a tiny teacher's layers to other mixers, by the command line."""

import pytest
import yaml

from nas import open_run
from nas.zoo import check_model
from search_spaces import Architecture
from search_spaces.errors import NasError


@pytest.mark.slow
def test_other_mixers_stand_in_its_layers(nas, tmp_path, make_checkpoint, glue_search, capsys):
    make_checkpoint(tmp_path / "tiny")
    plan = glue_search(trials=4, policy="random", objectives={"glue": "max", "latency_ms": "min"})
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    inside = ("--from", tmp_path / "tiny", "--mixers", "c_3,l_dft,hedgehog")
    nas("space", "show", *inside)
    assert "cuts of tiny: 1," in capsys.readouterr().out
    run = tmp_path / "run"
    nas("search", tmp_path / "plan.yaml", *inside, "--run", run, "--quiet")
    trials = list(open_run(run).journal.each_trial())
    assert [trial["status"] for trial in trials] == ["done"] * 4
    found = [Architecture.from_dict(trial["architecture"]) for trial in trials]
    others = [a for a in found if any(of.heads[0].kind != "sa_sdp" for of in a.layers)]
    assert others  # after the three uniform cuts, whose attention stays
    # fitted once, in the first trial that has it
    assert list((run / "teacher" / "mixers").glob("sst2-*.safetensors"))
    nas("replay", run)
    assert "0 differences" in capsys.readouterr().out
    nas("confirm", run, "--top", 1, "--seeds", 1, "--baselines", "--longer", 2)
    assert "uniform cut of" in capsys.readouterr().out
    nas("export", run, "--pick", others[0].hash[:10], "--to", tmp_path / "model")
    assert "as in the search" in capsys.readouterr().out
    assert not check_model(tmp_path / "model")
    with pytest.raises(NasError, match="compares what layers attend to, and mixers opens"):
        nas("search", tmp_path / "plan.yaml", *inside, "--set", "recipe.distillation=stages",
            "--run", tmp_path / "refused")  # fmt: skip
    assert not (tmp_path / "refused").exists()
