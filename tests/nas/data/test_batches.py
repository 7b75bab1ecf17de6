"""Batches hold every example once with little padding; masks are drawn as they should."""

import numpy as np
import pytest
import torch

from nas.data.batches import batches, mlm_batches
from nas.data.prepared import EncodedSplit
from nas.data.tokenizer import CLS, MASK, PAD, SEP
from search_spaces.errors import InvalidExperiment


def make_split(n=500, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, 40, n)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tokens = rng.integers(5, 900, offsets[-1]).astype(np.uint16)
    second = (lengths - rng.integers(0, 3, n)).astype(np.int32)
    return EncodedSplit(tokens, offsets, second, np.arange(n, dtype=np.float32))


LIMITS = [
    {"batch_size": 32},
    {"token_budget": 600},
    {"batch_size": 16, "token_budget": 400},
    {"batch_size": 32, "length_multiple": 8},
]


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_example_comes_once_with_its_own_tokens(limits, shuffle):
    split = make_split()
    seen = []
    for batch in batches(split, shuffle=shuffle, **limits):
        for i, row in enumerate(batch.rows.tolist()):
            own = split.tokens[split.offsets[row] : split.offsets[row + 1]]
            assert batch.tokens[i][batch.keep[i]].tolist() == own.tolist()
            assert (batch.tokens[i][~batch.keep[i]] == PAD).all()
            assert batch.token_types[i].sum() == len(own) - split.second_start[row]
            assert batch.token_types[i][: split.second_start[row]].sum() == 0
            assert batch.labels[i] == split.labels[row]
            seen.append(row)
    assert sorted(seen) == list(range(len(split)))


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_batches_stay_inside_their_limits_with_little_padding(limits):
    found = list(batches(make_split(2000), seed=1, **limits))
    assert all(len(b.labels) <= limits.get("batch_size", 10**9) for b in found)
    assert all(b.tokens.numel() <= limits.get("token_budget", 10**9) for b in found)
    assert all(b.tokens.shape[1] % limits.get("length_multiple", 1) == 0 for b in found)
    if "length_multiple" not in limits:
        padding = sum((~b.keep).sum().item() for b in found)
        assert padding < 0.06 * sum(b.keep.numel() for b in found)


def test_one_example_over_the_budget_is_a_batch_of_its_own():
    found = list(batches(make_split(20), token_budget=2))
    assert [len(b.labels) for b in found] == [1] * 20


def test_order_depends_on_seed_and_epoch_alone():
    def rows(**options):
        return torch.cat([b.rows for b in batches(make_split(), batch_size=16, **options)]).tolist()

    assert rows(seed=3, epoch=1) == rows(seed=3, epoch=1)
    assert len({tuple(rows(seed=s, epoch=e)) for s in (0, 1) for e in (0, 1)}) == 4
    assert rows(shuffle=False, seed=1) == rows(shuffle=False, seed=2)


def test_batches_without_a_limit_are_refused():
    with pytest.raises(ValueError, match="batch_size, token_budget or both"):
        next(batches(make_split()))


def make_blocks(n=64, length=32, vocabulary_size=200):
    blocks = np.random.default_rng(0).integers(5, vocabulary_size, (n, length)).astype(np.uint16)
    blocks[:, 0] = CLS
    blocks[:, 7::9] = SEP
    return blocks


@pytest.mark.parametrize(
    ("replacement", "shares"), [("bert", (0.8, 0.1, 0.1)), ("mask", (1.0, 0.0, 0.0))]
)
def test_masks_have_the_published_shares(replacement, shares):
    counts, blocks = np.zeros(3), make_blocks(n=512)
    for batch in mlm_batches(
        blocks,
        batch_size=64,
        vocabulary_size=200,
        mask_rate=0.3,
        replacement=replacement,
        epochs=4,
        shuffle=False,
    ):
        after = batch.tokens.flatten()[batch.positions]
        counts += [
            (after == MASK).sum(),
            ((after != MASK) & (after != batch.targets)).sum(),
            (after == batch.targets).sum(),
        ]
        assert len(batch.positions) == round(0.3 * batch.tokens.numel())
        assert (batch.targets >= 5).all()
    # a random token equals the hidden one once in 195 times
    np.testing.assert_allclose(counts / counts.sum(), shares, atol=0.01)


def test_only_the_chosen_places_change():
    blocks = make_blocks()
    found = list(mlm_batches(blocks, batch_size=20, vocabulary_size=200, epochs=1, shuffle=False))
    assert [len(b.tokens) for b in found] == [20, 20, 20, 4]
    for start, batch in zip(range(0, 64, 20), found, strict=True):
        restored = batch.tokens.flatten().clone()
        restored[batch.positions] = batch.targets
        assert restored.view_as(batch.tokens).tolist() == blocks[start : start + 20].tolist()
        assert batch.keep.all()
        assert (batch.positions.diff() > 0).all()


def test_masks_and_order_are_new_in_every_pass_and_repeat_with_the_seed():
    def positions(seed):
        found = mlm_batches(
            make_blocks(), batch_size=64, vocabulary_size=200, seed=seed, epochs=2, shuffle=False
        )
        return [b.positions.tolist() for b in found]

    assert positions(0) == positions(0)
    assert positions(0)[0] != positions(0)[1]
    assert positions(0) != positions(1)


def test_endless_batches_visit_every_block_in_every_pass():
    blocks = make_blocks(n=10)
    blocks[:, 1] = 5 + np.arange(10)
    stream = mlm_batches(blocks, batch_size=4, vocabulary_size=200, mask_rate=0.01)
    for _ in range(3):
        tokens = []
        for _ in range(3):
            batch = next(stream)
            flat = batch.tokens.flatten().clone()
            flat[batch.positions] = batch.targets
            tokens += flat.view_as(batch.tokens)[:, 1].tolist()
        assert sorted(tokens) == list(range(5, 15))


def test_blocks_of_special_tokens_alone_have_nothing_to_predict():
    batch = next(mlm_batches(np.full((2, 8), SEP), batch_size=2, vocabulary_size=9))
    assert len(batch.positions) == 0


@pytest.mark.parametrize("mask_rate", [0.0, 1.0, -0.1])
def test_mask_rate_outside_its_range_is_refused(mask_rate):
    with pytest.raises(InvalidExperiment, match=r"mask rate .* between 0 and 1"):
        mlm_batches(make_blocks(), batch_size=4, vocabulary_size=200, mask_rate=mask_rate)


def test_unknown_replacement_is_refused():
    with pytest.raises(InvalidExperiment, match="'swap' is not allowed. Use one of bert, mask"):
        mlm_batches(make_blocks(), batch_size=4, vocabulary_size=200, replacement="swap")
