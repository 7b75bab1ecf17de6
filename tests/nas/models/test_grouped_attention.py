"""Attention with shared keys, windows and gates equals slow twins and what transformers have."""

import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from transformers.models.llama.modeling_llama import repeat_kv

from nas.models.mixers import make_mixer
from nas.models.mixers.grouped import pairs_seen
from nas.models.positions.rope import RotaryPositions

KEEP = torch.arange(11) < torch.tensor([11, 4])[:, None]


def twin(mixer, x, keep):
    """One query after the other, in loops."""
    d, out = mixer.head_width, []
    query, (key, value) = mixer.query(x), mixer.key_value(x).chunk(2, -1)
    for b in range(len(x)):
        for i in range(x.shape[1]):
            reach = [j for j in range(int(keep[b].sum())) if abs(i - j) <= mixer.window]
            for h in range(mixer.heads):
                of, shared = slice(h * d, h * d + d), h // mixer.queries * d
                pair = slice(shared, shared + d)
                scores = [query[b, i, of] @ key[b, j, pair] / math.sqrt(d) for j in reach]
                weights = torch.stack(scores or [x.new_zeros(())]).softmax(0)
                read = [value[b, j, pair] for j in reach] or [x.new_zeros(d)]
                out.append(sum(w * v for w, v in zip(weights, read, strict=True)))
    out = torch.stack(out).reshape(*x.shape[:2], -1)
    return out if mixer.gate is None else out * F.gelu(mixer.gate(x) + 1.1444507183528787)


@pytest.mark.parametrize(
    "settings",
    ["", "queries=2", "window=2", "window=5", "gate=gelu", "bias=none,queries=3,window=1"],
)
def test_it_is_its_slow_twin_with_gradients(settings):
    mixer = make_mixer("attention", settings, 6, 3, 2).double()
    x = torch.randn(2, 11, 6, dtype=torch.float64, requires_grad=True)
    ours, slow = mixer(x, KEEP), twin(mixer, x, KEEP)
    assert_close(ours[KEEP], slow[KEEP])
    fast, same = (torch.autograd.grad(y[KEEP].pow(3).sum(), x)[0] for y in (ours, slow))
    assert_close(fast, same)
    with torch.no_grad():
        assert_close(mixer(x, KEEP)[KEEP], slow[KEEP])


def test_blocks_are_computed_where_they_are_fewer():
    assert pairs_seen(11, 1) == 33
    assert pairs_seen(11, 2) == 72
    assert pairs_seen(11, 5) == 121
    assert pairs_seen(8192, 64) < 8192 * 8192 / 40


def test_without_options_it_is_plain_attention():
    ours, plain = make_mixer("attention", "", 6, 3, 2), make_mixer("sa", "sdp", 6, 3, 2)
    for name in ("weight", "bias"):
        parts = [getattr(m, name).data for m in (ours.query, ours.key_value)]
        getattr(plain.query_key_value, name).data = torch.cat(parts)
    x = torch.randn(2, 11, 6)
    assert_close(ours(x, KEEP), plain(x, KEEP))


def test_a_gate_starts_by_passing_everything_on():
    gated, plain = (
        make_mixer("attention", "gate=gelu", 6, 3, 2),
        make_mixer("attention", "", 6, 3, 2),
    )
    plain.load_state_dict({k: v for k, v in gated.state_dict().items() if "gate" not in k})
    torch.nn.init.zeros_(gated.gate.weight)
    torch.nn.init.zeros_(gated.gate.bias)
    x = torch.randn(2, 11, 6)
    assert_close(gated(x, KEEP), plain(x, KEEP))


def test_keys_are_shared_as_llama_shares_them():
    mixer, shared = make_mixer("attention", "queries=2", 8, 4, 2), torch.randn(2, 5, 4)
    theirs = repeat_kv(shared.unflatten(-1, (2, 2)).transpose(1, 2), 2)
    assert_close(mixer._spread(shared), theirs)


def test_heads_with_a_window_turn_with_a_base_of_their_own():
    places = RotaryPositions(9, base=100, local=10)
    for settings, base in (("", 100), ("window=4", 10)):
        mixer = make_mixer("attention", settings, 6, 3, 2)
        mixer.read_positions(places)
        assert mixer.rotation.base == base
    # blocks and the whole matrix give the same with rotations, too
    mixer = make_mixer("attention", "window=2", 6, 3, 2)
    mixer.read_positions(places)
    x = torch.randn(2, 11, 6)
    blocks = mixer(x, KEEP)
    mixer.penalty = lambda length: torch.zeros(1, length, length)  # the whole matrix
    assert_close(mixer(x, KEEP)[KEEP], blocks[KEEP])
