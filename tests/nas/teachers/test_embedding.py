"""A narrower table is the nearest there is, and as wide as the whole one it changes nothing."""

import pytest
import torch
from torch.testing import assert_close

from nas.data.batches import batches
from nas.models.encoder import Encoder
from nas.teachers.calibration import calibrate
from nas.teachers.embedding import narrowed
from nas.teachers.extraction import extract
from nas.teachers.space import require_cut, require_inside, teacher_space
from search_spaces import Architecture, load_space
from search_spaces.errors import InvalidExperiment


def with_embedding(architecture, text):
    parts = dict(architecture.parts) | {"embedding": text}
    return Architecture(architecture.layers, architecture.style, parts)


def embedded(weights):
    table, map_, bias = (
        weights[f"embeddings.tokens.{name}"] for name in ("table.weight", "map.weight", "map.bias")
    )
    return table @ map_.T + bias


@pytest.mark.parametrize("rank", [1, 5, 32])
def test_it_is_the_nearest_table_of_its_rank(teacher, rank):
    table = teacher.weights["embeddings.tokens.weight"]
    child = with_embedding(teacher.architecture, f"factorised(rank={rank})")
    found = narrowed(teacher.weights, child)
    mean = table.mean(0)
    left, values, right = torch.linalg.svd(table - mean, full_matrices=False)
    nearest = left[:, :rank] * values[:rank] @ right[:rank] + mean
    assert_close(embedded(found), nearest, atol=1e-5, rtol=1e-4)
    assert found["embeddings.tokens.table.weight"].shape == (len(table), rank)
    assert narrowed(found, child).keys() == found.keys()  # what is narrow already stays


def test_a_cut_with_one_as_wide_as_the_whole_answers_as_the_teacher(teacher, data):
    text = list(batches(data.tasks["stsb"]["train"], batch_size=16))[:1]
    whole = teacher.build(max_length=32, pooling="mean").eval()
    child = with_embedding(teacher.architecture, "factorised(rank=32)")
    layers = range(len(child.layers))
    own = Encoder(child, teacher.vocabulary_size, max_length=32, dropout=0.0, pooling="mean").eval()
    own.load_state_dict(extract(child, whole.state_dict(), calibrate(whole, text), layers))
    for batch in text:
        expected = whole(batch.tokens, batch.keep, batch.token_types)[batch.keep]
        found = own(batch.tokens, batch.keep, batch.token_types)[batch.keep]
        assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_space_may_offer_narrower_tables_and_no_others(teacher):
    whole = teacher.architecture
    space = {k: v for k, v in teacher_space(whole).items() if k != "first"}
    offered = {"learned": {}, "factorised": {"rank": [8, 32]}}
    inside = space | {"model": space["model"] | {"embedding": offered}}
    require_inside(inside, whole)
    drawn = load_space(inside).sample(20, seed=0)
    assert len({str(a.part("embedding")) for a in drawn}) == 3
    for architecture in drawn:
        require_cut(architecture, whole)
    for other in ({"factorised": {"rank": [33]}}, {"hash-ngram": {}}):
        outside = space | {"model": space["model"] | {"embedding": other}}
        with pytest.raises(InvalidExperiment, match="offers embedding="):
            require_inside(outside, whole)
