import numpy as np
import pytest
from click.testing import CliRunner

from nas.benchmarks import space_distances, space_scale, spaces
from nas.benchmarks.space_distances import PairTimes, time_small_pairs
from nas.benchmarks.space_scale import Placing, Scale, embed_sample
from nas.cli.main import cli
from search_spaces import load_space

PAIRS = {
    "published": PairTimes(0.02, 1e-3, 1e-6, 1e-7, 0.5, 0.25, 1.0),
    "blocks": PairTimes(0.02, 1e-3, 4e-6, 1e-7, 0.0),
}


def canned(job, *given):
    if job in (spaces.time_small_pairs, spaces.time_large_pairs):
        return PAIRS
    n = given[0] if job is spaces.embed_sample else 9_312
    slow = job is spaces.embed_sample and n > 100_000
    seconds, peak = (700.0, 4.5) if slow else (n / 1_000, 1.5)
    return Scale(n, seconds, seconds, peak, 0.1, Placing(0.2, 1.5, 0.1))


def test_every_figure_stands_beside_its_goal(monkeypatch):
    monkeypatch.setattr(spaces, "_apart", canned)
    figures = list(
        spaces.run_benchmark(quick=False, largest=1_000_000, landmarks=20, threads=1, seed=0)
    )
    found = {figure.what: figure for figure in figures}
    fast = found["4-layer pair, published, single call"]
    assert (fast.ours, fast.peer, fast.ratio, fast.met) == ("1.00 us", "20.0 ms", "20,000 x", "yes")
    assert found["4-layer pair, blocks, single call"].met == "no"
    assert found["12-layer, 12-head pair, published, single call"].goal == "100,000 x"
    assert found["12-layer, 12-head pair, published, single call"].met == "no"
    streams = [figure for figure in figures if "told apart" in figure.what]
    assert [figure.met for figure in streams] == ["yes", "yes", "no"]
    assert streams[1].ratio == "1000 us CPU for each more"
    memory = [figure.met for figure in figures if "peak memory" in figure.what]
    assert memory == ["yes", "yes", "no"]
    assert found["the library: a new architecture placed, alone"].met == "no"


def test_the_command_prints_the_table(monkeypatch):
    monkeypatch.setattr(spaces, "_apart", canned)
    answer = CliRunner().invoke(cli, ["benchmark", "spaces", "--quick", "--largest", "1e4"])
    assert answer.exit_code == 0, answer.output
    assert "12-layer" not in answer.output
    assert "10,000 of FlexiBERT 2.0" in answer.output
    assert "100,000 of FlexiBERT 2.0" not in answer.output
    answer = CliRunner().invoke(cli, ["benchmark", "spaces", "--largest", "1000.5"])
    assert "1000.5 is no whole number" in answer.output


def test_pairs_are_timed(monkeypatch):
    monkeypatch.setattr(space_distances, "BATCH", 20)
    found = time_small_pairs(2, 0)
    assert set(found) == {"published", "blocks"}
    for times in found.values():
        assert min(times.networkx, times.new, times.known, times.batch) > 0
    # the search lets blocks change their order, which networkx does too
    assert found["published"].search_below >= found["published"].below


def test_a_stream_is_measured(monkeypatch):
    monkeypatch.setattr(space_scale, "load_space", lambda name: load_space("flexibert-test-fine"))
    monkeypatch.setattr(space_scale, "NEW", 50)
    scale = embed_sample(400, landmarks=40, threads=2, seed=0)
    assert scale.size == 400
    assert 0 < scale.stress < 0.5
    assert np.isfinite([scale.seconds, scale.cpu, scale.peak, scale.placing.nearest]).all()


@pytest.mark.slow
def test_the_library_is_measured():
    scale = space_scale.embed_library(1, 0)
    assert scale.size == 9_312
    assert scale.stress < 0.2
