"""Causal encoders: no token depends on a later one, and what cannot be kept from it says so."""

import pytest
import torch
from torch.testing import assert_close

from nas.models.encoder import Encoder
from nas.models.mixers import make_mixer
from search_spaces import Architecture
from search_spaces.errors import InvalidArchitecture
from search_spaces.kinds import SLOTS
from search_spaces.operations import OPERATIONS

VOCABULARY, LENGTH, WIDTH = 31, 24, 8
KEEP = torch.arange(LENGTH) < torch.tensor([LENGTH, 9, 3, 14])[:, None]
TOKENS = torch.randint(5, VOCABULARY, KEEP.shape, generator=torch.Generator().manual_seed(1)) * KEEP
HEADS = [
    ("sa", "sdp"),
    ("sa", "wma"),
    ("moe-attention", ""),
    ("attention", ""),
    ("attention", "mask=causal"),
    ("attention", "window=3"),
    ("attention", "gate=gelu,mask=causal,queries=2,window=3"),
]
POSITIONS = ["absolute", "relative", "alibi", "rope", "disentangled"]


def build(operation, parameter, positions="absolute", **more):
    described = Architecture.from_dict(
        {
            "l": 2,
            "o": [operation] * 2,
            "h": [WIDTH] * 2,
            "n": [2] * 2,
            "f": [[12]] * 2,
            "p": [parameter] * 2,
            "parts": [more.pop("layer", {})] * 2,
            "model": {"positions": positions, **more},
        }
    )
    torch.manual_seed(0)
    encoder = Encoder(described, VOCABULARY, max_length=LENGTH, dropout=0.0)
    with torch.no_grad():
        for p in encoder.parameters():
            p.add_(torch.randn_like(p) * 0.2)
    return encoder.double().eval()


@pytest.mark.parametrize("head", HEADS, ids=str)
@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("keep", [None, KEEP], ids=["whole", "padded"])
@pytest.mark.parametrize("wanted", [True, False], ids=["gradients", "none"])
def test_no_token_depends_on_a_later_one(head, positions, keep, wanted):
    if head[0] == "moe-attention" and positions == "disentangled":
        pytest.skip("refused")
    encoder = build(*head, positions)
    given = {"causal": "mask=causal" not in head[1]}
    with torch.set_grad_enabled(wanted):
        out = encoder(TOKENS, keep, **given)
        for end in (1, 8):
            changed = torch.where(torch.arange(LENGTH) < end, TOKENS, 7)
            other = encoder(changed, keep, **given)
            assert_close(out[:, :end], other[:, :end])
        # and it sees all before it
        changed = torch.where(torch.arange(LENGTH) == 1, 7, TOKENS)
        reached = (encoder(changed, keep, **given)[0] - out[0]).abs().amax(-1) > 1e-9
    assert reached[1:4].all()
    assert not reached[0]


@pytest.mark.parametrize("block", ["bottleneck(inner=6)", "inverted-bottleneck(inner=12)"])
@pytest.mark.parametrize("head", [HEADS[0], HEADS[-1]], ids=str)
def test_blocks_of_another_width_are_causal_too(block, head):
    encoder = build(*head, layer={"block": block, "residual": "mixed"})
    changed = torch.where(torch.arange(LENGTH) < 8, TOKENS, 7)
    out = encoder(TOKENS, causal=True)
    assert_close(out[:, :8], encoder(changed, causal=True)[:, :8])
    assert not torch.allclose(out[:, :8], encoder(changed)[:, :8]) or "mask" in head[1]


@pytest.mark.parametrize("head", HEADS[:2] + HEADS[4:], ids=str)
def test_the_real_tokens_alone_and_checkpointing_compute_and_learn_the_same(head):
    found = []
    for unpad, checkpointing in ((False, False), (True, False), (True, True)):
        encoder = build(*head).train()
        encoder.checkpointing = checkpointing
        out = encoder(TOKENS, KEEP, causal=True, unpad=unpad)[KEEP]
        (out * torch.arange(WIDTH)).sum().backward()
        found.append([out, *(p.grad for p in encoder.parameters() if p.grad is not None)])
    assert_close(found[0], found[1])
    assert_close(found[0], found[2])


def test_a_window_in_blocks_is_the_window():
    one, other = build("attention", "window=3"), build("attention", "window=3", "relative")
    table = [layer.distances.weight for layer in other.layers]
    other.load_state_dict(one.state_dict(), strict=False)
    with torch.no_grad():
        for weight in table:
            weight.zero_()
    # with relative positions all pairs are computed
    tokens = TOKENS[:1]
    positions = one.embeddings.positions.weight
    with torch.no_grad():
        positions.zero_()
    assert_close(one(tokens, causal=True), other(tokens, causal=True))


def test_kinds_and_modules_say_the_same():
    for name, kind in OPERATIONS.items():
        parameter = kind.settings[kind.bare].default if kind.bare else ""
        assert make_mixer(name, parameter, 8, 2, 4).causal == bool(kind.causal), name
    for slot in ("feedforward", "embedding"):
        for name, kind in SLOTS[slot].kinds.items():
            if slot == "embedding" and name == "hash-ngram":
                continue  # made of what tokens are called
            more = {"layer": {slot: name}} if slot == "feedforward" else {slot: name}
            assert build("sa", "sdp", **more).can_be_causal == (kind.causal is not False), name


@pytest.mark.parametrize("given", [("l", "dct"), ("c", 5)])
def test_what_cannot_be_causal_refuses(given):
    encoder = build(*given)
    assert not encoder.can_be_causal
    with pytest.raises(InvalidArchitecture, match="cannot be causal"):
        encoder(TOKENS, causal=True)
