"""Rotary positions are those of transformers' LLaMA, and turn as complex numbers do."""

import torch
from torch.testing import assert_close
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from nas.models.encoder import Encoder
from nas.models.positions.rope import Rotation
from search_spaces import Architecture
from search_spaces.architectures.layers import Head, Layer


def complex_twin(x, base):
    """Pairs as complex numbers, multiplied with `exp(i * place * frequency)` one by one."""
    half = x.shape[-1] // 2
    turned = x.clone()
    for place in range(x.shape[2]):
        for i in range(half):
            unit = torch.polar(
                torch.ones((), dtype=x.dtype),
                torch.tensor(place * base ** (-i / half), dtype=x.dtype),
            )
            number = torch.complex(x[:, :, place, i], x[:, :, place, half + i]) * unit
            turned[:, :, place, i], turned[:, :, place, half + i] = number.real, number.imag
    return turned


def test_it_turns_as_complex_numbers_do_with_gradients():
    x = torch.randn(2, 3, 5, 6, requires_grad=True, dtype=torch.float64)
    ours, slow = Rotation(6, 100)(x), complex_twin(x, 100.0)
    assert_close(ours, slow, atol=1e-6, rtol=1e-6)
    fast, same = (torch.autograd.grad(y.pow(3).sum(), x)[0] for y in (ours, slow))
    assert_close(fast, same, atol=1e-5, rtol=1e-5)


def test_it_is_that_of_llama():
    query, key = torch.randn(2, 2, 3, 7, 8)
    frequency = 10_000 ** (-torch.arange(0, 8, 2) / 8)
    angle = (torch.arange(7)[:, None] * frequency).repeat(1, 2)[None]
    theirs = apply_rotary_pos_emb(query, key, angle.cos(), angle.sin())
    turn = Rotation(8, 10_000)
    assert_close((turn(query), turn(key)), theirs)


def test_scores_see_distances_alone_and_the_odd_feature_stays():
    turn = Rotation(5, 10)
    query, key = (torch.randn(5).expand(1, 1, 9, 5) for _ in range(2))
    scores = (turn(query) @ turn(key).mT)[0, 0]
    for distance in range(-8, 9):
        diagonal = scores.diagonal(distance)
        assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert scores.diagonal(1)[0] != scores.diagonal(-1)[0]
    assert torch.equal(turn(query)[..., 4], query[..., 4])


def test_the_order_of_tokens_matters_to_attention_heads_of_every_kind():
    for parameter in ("sdp", "wma"):
        layer = Layer(8, (Head("sa", parameter, 4),) * 2, (12,))
        built = Encoder(
            Architecture([layer], parts={"positions": "rope(base=100)"}), 20, dropout=0.0
        ).eval()
        with torch.no_grad():
            for p in built.parameters():
                p.add_(torch.randn_like(p) * 0.5)
        tokens = torch.tensor([[3, 4, 5, 6]])
        swapped = built(tokens[:, [0, 2, 1, 3]])[:, [0, 2, 1, 3]]
        assert not torch.allclose(built(tokens), swapped, atol=1e-3)
        assert built.layers[0].mixers[f"sa_{parameter}"].rotation.base == 100
