from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from search_spaces import Embedding, FiniteSpace, FlexiBertSpace, load_space, pairwise_distances
from search_spaces.distances.alignment import StepCosts
from search_spaces.distances.block_costs import BlockCosts
from search_spaces.distances.distance import COSTS
from search_spaces.errors import InvalidSpace, UnknownName
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.flexibert.numbers import CompactCodes
from search_spaces.vectors.landmark_costs import LandmarkCosts
from search_spaces.vectors.streaming import embed_stream

MIXED = FlexiBertSpace(
    replace(
        load_space("flexibert-2").definition,
        heads=(2, 4),
        widths=(128, 256),
        feedforward_widths=(512, 1024),
    ),
    "mixed",
)
NARROW = FlexiBertSpace(
    SpaceDefinition.from_dict(
        {
            "layers": [1, 2, 3],
            "widths": [64, 128],
            "heads": [2, 4],
            "operations": {"sa": ["sdp"], "c": [5]},
            "feedforward_widths": [96, 192],
            "feedforward_depths": [1],
            "heads_in_layer": "mixed",
            "blocks": {"plain": {}, "bottleneck": {"inner": [16, 32], "maps": [1, 2]}},
            "residuals": {"post": {}, "mixed": {}},
        }
    ),
    "narrow",
)
SPACES = {
    name: load_space(name) for name in ("flexibert-test", "flexibert-test-finest", "nas-bench-bert")
}
SPACES |= {"bert": load_space("bert"), "mixed": MIXED, "narrow": NARROW}
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())


@every_space
def test_numbers_of_stacks_and_architectures_translate(space):
    for index in (i * (space.size - 1) // 39 for i in range(40)):
        architecture = space.architecture_at(index)
        choices = space.choices_at(index)
        assert space.choices_of(architecture) == choices
        assert space.architecture_of(choices) == architecture
        assert space.index_of(architecture) == index


@every_space
def test_a_stream_is_the_sample_embedded(space):
    n = 150
    streamed = embed_stream(space, n, 6, landmarks=30, seed=2)
    sample = space.sample(n, seed=2)
    assert [bytes(digest).hex() for digest in streamed.digests] == [a.hash[:32] for a in sample]
    assert [streamed.architecture(i) for i in range(n)] == sample
    twin = Embedding(sample[:30], 6, seed=2).transform(sample)
    assert_allclose(streamed.vectors, twin, atol=1e-4)
    assert_allclose(streamed.transform(sample[:9]), streamed.vectors[:9], atol=1e-5)


@pytest.mark.parametrize("name", sorted(COSTS))
def test_tables_agree_with_pricing_every_layer(name):
    space = load_space("flexibert-test")
    sample = space.sample(60, seed=1)
    costs = LandmarkCosts(CompactCodes(space), sample[:20], name)
    found = costs.distances([space.choices_of(a) for a in sample])
    assert_allclose(found, pairwise_distances(sample, sample[:20], name), atol=1e-4)


def test_threads_change_nothing():
    one, three = (embed_stream(MIXED, 300, 4, landmarks=20, threads=t) for t in (1, 3))
    assert (one.vectors == three.vectors).all()
    assert (one.stacks == three.stacks).all()


def test_a_whole_space_and_nothing_twice():
    space = load_space("flexibert-test")
    streamed = embed_stream(space, space.size, 2, landmarks=10)
    assert len({bytes(digest) for digest in streamed.digests}) == len(streamed) == 9_312
    found = streamed.nearest(streamed.vectors[:5], 3)
    gaps = np.linalg.norm(streamed.vectors[found] - streamed.vectors[:5, None], axis=2)
    assert found.shape == (5, 3)
    assert_allclose(gaps[:, 0], 0, atol=1e-6)
    assert (np.diff(gaps, axis=1) >= 0).all()


def test_repeated_draws_are_dropped(monkeypatch):
    monkeypatch.setattr("search_spaces.flexibert.numbers.PERMUTED", 0)
    space = load_space("bert")
    drawn = [(s, d) for s, _, d in CompactCodes(space).draw(300, 0)]
    assert len(drawn) == len({digest for _, digest in drawn}) == 300


def test_what_cannot_be_streamed(monkeypatch):
    space = load_space("bert")
    with pytest.raises(InvalidSpace, match=r"Asked for 400 .* 'bert', which has 312"):
        embed_stream(space, 400)
    with pytest.raises(InvalidSpace, match=r"is no FlexiBERT space.*space.sample\(n\)"):
        embed_stream(FiniteSpace(space.sample(5)), 5)
    with pytest.raises(UnknownName, match="No distance is called 'block'"):
        embed_stream(space, 10, distance="block")

    def product(self, first, second):
        match = np.array([[len(a.heads) * sum(b.feedforward) for b in second] for a in first])
        both = np.array([[max(a.feedforward) * len(a.heads) for _ in second] for a in first])
        return StepCosts(match + both, np.ones(len(first)), np.ones(len(second)))

    monkeypatch.setattr(BlockCosts, "steps", product)
    test = load_space("flexibert-test")
    with pytest.raises(InvalidSpace, match="BlockCosts is no sum over heads and feed-forward"):
        LandmarkCosts(CompactCodes(test), test.sample(3))
