"""`nas space` as a user types it; the least of it is in test_commands.py."""

import json
import sys

import pytest
from click.testing import CliRunner

from nas.cli.space import space
from search_spaces import Architecture, count_parameters, load_space, named_architecture
from search_spaces.errors import InvalidArchitecture, InvalidExperiment, InvalidSpace, UnknownName


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs `nas space` in an empty directory and returns what it prints."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "from search_spaces import FiniteSpace, Space, load_space\n"
        "table = FiniteSpace(load_space('flexibert-micro').sample(30), 'table')\n"
        "class Vague(Space):\n"
        "    name, max_layers = 'vague', 4\n"
        "    def sample(self, n, seed=0, *, accept=None):\n"
        "        found = table.sample(30, seed, accept=accept)\n"
        "        return [found[i % 30] for i in range(n)]\n"
        "    def neighbours(self, architecture):\n"
        "        return []\n"
        "    def __contains__(self, architecture):\n"
        "        return architecture.layers[0].width == 64\n"
    )

    def invoke(*arguments):
        answer = CliRunner().invoke(space, list(arguments), standalone_mode=False)
        if answer.exception:
            raise answer.exception
        return answer.output

    yield invoke
    sys.modules.pop("mine", None)


def test_show_measures_a_sample(run):
    out = run("show", "flexibert-test")
    assert "flexibert-test: 9,312 architectures, up to 4 layers" in out
    assert "The space of the FlexiBERT paper" in out
    assert "A sample of 500: 100.0% distinct, 100.0% in the space" in out
    sample = load_space("flexibert-test").sample(500)
    counts = sorted(count_parameters(a, vocabulary_size=30_522) for a in sample)
    assert f"{counts[0]:,}" in out
    assert f"{counts[-1]:,}" in out
    assert out.count("layers ") >= 4
    assert sample[2].describe() in out


def test_show_finds_the_faults_of_a_space_of_ones_own(run):
    assert "table: 30 architectures" in run("show", "mine:table")
    vague = run("show", "mine:Vague")
    assert "vague: an unknown number of architectures" in vague
    assert "A sample of 500: 6.0% distinct" in vague
    share = vague.partition("distinct, ")[2].partition("%")[0]
    assert 0 < float(share) < 100
    assert run("count", "mine:table") == "30\n"
    with pytest.raises(InvalidSpace, match="'vague' cannot count"):
        run("count", "mine:Vague")


def test_samples_with_constraints_and_designs(run):
    out = run("sample", "flexibert-micro", "-n", "8", "--constraint", "parameters<2.2e6")
    found = [Architecture.from_dict(json.loads(line)) for line in out.splitlines()]
    assert len(set(found)) == 8
    sizes = [count_parameters(a, vocabulary_size=30_522) for a in found]
    assert max(sizes) < 2.2e6
    small = ("--constraint", "flops < 1e9", "--vocabulary", "100", "--length", "16")
    design = run("sample", "flexibert-micro", "-n", "8", "--design", "latin-hypercube", *small)
    depths = [json.loads(line)["l"] for line in design.splitlines()]
    assert depths.count(2) == depths.count(4) == 4
    with pytest.raises(UnknownName, match="'latency_ms'. Available: flops, parameters"):
        run("sample", "flexibert-micro", "--constraint", "latency_ms<3")
    with pytest.raises(InvalidExperiment, match="is no constraint"):
        run("sample", "flexibert-micro", "--constraint", "small")
    with pytest.raises(UnknownName, match="No design is called 'halton'"):
        run("sample", "flexibert-micro", "--design", "halton")


def test_pictures(run, tmp_path):
    out = run("draw", "bert-mini", "--to", "mini.png")
    assert named_architecture("bert-mini").describe() in out
    assert "Picture: mini.png" in out
    (tmp_path / "a.json").write_text(json.dumps(named_architecture("bert-tiny").to_dict()))
    run("draw", "a.json", "--to", "a.svg", "--direction", "right")
    out = run("draw", "--space", "flexibert-2", "--seed", "3", "--to", "b.pdf", "--every-head")
    assert load_space("flexibert-2").sample(1, seed=3)[0].short in out
    assert {p.name for p in tmp_path.glob("*.*")} >= {"mini.png", "a.svg", "b.pdf"}
    assert "4 layers" in run("check", "bert-mini")


def test_what_cannot_be_drawn(run):
    with pytest.raises(UnknownName, match="'bert-mni'. Did you mean 'bert-mini'"):
        run("draw", "bert-mni", "--to", "a.png")
    with pytest.raises(InvalidArchitecture, match="none.json cannot be read.*bert-mini"):
        run("draw", "none.json", "--to", "a.png")
    for arguments in ([], ["bert-mini", "--space", "bert"]):
        with pytest.raises(InvalidExperiment, match="Say what to draw: .* not both"):
            run("draw", *arguments, "--to", "a.png")


def test_a_search_takes_a_space_of_ones_own(run):
    from nas.config import make_experiment
    from nas.proposals.building import build_policy
    from nas.training.preparing import experiment_recipe

    experiment = make_experiment({"space": "mine:table", "policy": "random"})
    policy = build_policy(experiment, experiment_recipe(experiment), 1_000)
    assert all(a in load_space("mine:table") for a in policy.ask(4))
