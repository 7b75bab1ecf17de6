"""Every registered mixer keeps the contract of its base class; a new mixer needs no new test."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from nas.models.mixers import MIXERS, make_mixer
from search_spaces.errors import UnknownName
from search_spaces.operations import OPERATIONS, HeadGroup, group_parameters

BATCH, LENGTH, WIDTH, HEADS, HEAD_WIDTH = 5, 12, 16, 3, 4
LENGTHS = torch.tensor([12, 1, 7, 11, 3])
KEEP = torch.arange(LENGTH) < LENGTHS[:, None]

# settings that a size of the tests makes another path of
MORE = {"attention": ("window=1", "gate=gelu,queries=2,window=2")}


def kinds():
    for name in sorted(MIXERS):
        operation, _, parameter = name.partition("_")
        kind = OPERATIONS[operation]
        if parameter:
            yield pytest.param(operation, parameter, id=name)
        elif kind.bare:
            yield from (pytest.param(operation, k, id=f"{name}_{k}") for k in (3, 9))
        else:
            yield pytest.param(operation, "", id=name)
            for setting, knob in kind.settings.items():
                other = knob.allowed[-1] if knob.allowed else type(knob.default)(knob.default / 2)
                other = other if knob.allowed else max(other or 2, knob.least)
                if knob.odd:
                    other += 1 - other % 2
                yield pytest.param(operation, f"{setting}={other}", id=f"{name}-{setting}")
            for text in MORE.get(name, ()):
                yield pytest.param(operation, text, id=f"{name}-{text}")


every_kind = pytest.mark.parametrize(("operation", "parameter"), list(kinds()))
both_positions = pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])


def build(operation, parameter, relative, dtype=torch.float32, width=WIDTH):
    mixer = make_mixer(operation, parameter, width, HEADS, HEAD_WIDTH, relative=relative)
    with torch.no_grad():  # far from any symmetric starting point
        for p in mixer.parameters():
            p.normal_(std=0.3)
    return mixer.to(dtype).eval()


def distances(relative, length=LENGTH, dtype=torch.float32, most=40):
    table = torch.randn(2 * most - 1, HEAD_WIDTH, generator=torch.Generator().manual_seed(3))
    first = most - length
    return table[first : first + 2 * length - 1].to(dtype) if relative else None


@every_kind
@both_positions
def test_shape_and_gradients_reach_every_parameter(operation, parameter, relative):
    mixer, x = build(operation, parameter, relative), torch.randn(BATCH, LENGTH, WIDTH)
    out = mixer(x, None, distances(relative))
    assert out.shape == (BATCH, LENGTH, HEADS * HEAD_WIDTH)
    (out * torch.randn_like(out)).sum().backward()
    for name, p in mixer.named_parameters():
        assert p.grad is not None, name
        assert p.grad.abs().sum() > 0, name


@every_kind
@both_positions
@pytest.mark.parametrize("train", [True, False])
def test_content_of_padding_does_not_leak(operation, parameter, relative, train):
    mixer, x = build(operation, parameter, relative), torch.randn(BATCH, LENGTH, WIDTH)
    changed = torch.where(KEEP[..., None], x, 1e3)
    with torch.set_grad_enabled(train):
        out, other = (mixer(v, KEEP, distances(relative)) for v in (x, changed))
    assert_close(out[KEEP], other[KEEP])
    assert other.isfinite().all()


@every_kind
@both_positions
def test_amount_of_padding_does_not_matter(operation, parameter, relative):
    double = torch.float64  # the order of additions does not matter there
    mixer = build(operation, parameter, relative, double)
    x = torch.randn(BATCH, LENGTH, WIDTH, dtype=double)
    padded = torch.cat([x, torch.randn(BATCH, 9, WIDTH, dtype=double)], 1)
    keep = torch.arange(LENGTH + 9) < LENGTHS[:, None]
    out = mixer(x, KEEP, distances(relative, dtype=double))
    more = mixer(padded, keep, distances(relative, LENGTH + 9, double))
    assert_close(out[KEEP], more[:, :LENGTH][KEEP])
    for row, n in enumerate(LENGTHS.tolist()):
        alone = mixer(x[row : row + 1, :n], None, distances(relative, n, double))
        assert_close(alone[0], out[row, :n])


@every_kind
@both_positions
def test_no_gradient_flows_into_or_out_of_padding(operation, parameter, relative):
    mixer = build(operation, parameter, relative)
    x = torch.randn(BATCH, LENGTH, WIDTH, requires_grad=True)
    mixer(x, KEEP, distances(relative))[KEEP].square().sum().backward()
    assert x.grad[~KEEP].abs().max() == 0
    assert x.grad[KEEP].abs().min() > 0


@every_kind
@both_positions
def test_order_of_the_batch_does_not_matter(operation, parameter, relative):
    mixer, x = build(operation, parameter, relative), torch.randn(BATCH, LENGTH, WIDTH)
    order = torch.tensor([3, 0, 4, 1, 2])
    out = mixer(x, KEEP, distances(relative))
    assert_close(mixer(x[order], KEEP[order], distances(relative)), out[order])


@every_kind
@both_positions
@pytest.mark.parametrize("length", [1, 2])
def test_the_shortest_sequences(operation, parameter, relative, length):
    mixer, x = build(operation, parameter, relative), torch.randn(2, length, WIDTH)
    keep = torch.ones(2, length, dtype=torch.bool)
    out = mixer(x, None, distances(relative, length))
    assert out.isfinite().all()
    assert_close(out, mixer(x, keep, distances(relative, length)))


@every_kind
@both_positions
@pytest.mark.parametrize("train", [True, False])
def test_a_sequence_without_any_token_gives_no_nan(operation, parameter, relative, train):
    mixer, x = build(operation, parameter, relative), torch.randn(BATCH, LENGTH, WIDTH)
    keep = KEEP & (torch.arange(BATCH)[:, None] > 0)
    with torch.set_grad_enabled(train):
        assert mixer(x, keep, distances(relative)).isfinite().all()


@every_kind
@both_positions
def test_gradients_are_right(operation, parameter, relative):
    mixer = build(operation, parameter, relative, torch.float64, width=4)
    keep = torch.tensor([[True, True, True, False], [True, True, False, False]])
    names = [n for n, _ in mixer.named_parameters()]
    weights = [p.detach().requires_grad_() for p in mixer.parameters()]
    vectors = distances(relative, 4, torch.float64)
    x = torch.randn(2, 4, 4, dtype=torch.float64, requires_grad=True)

    def run(x, vectors, *weights):
        named = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(mixer, named, (x, keep, vectors))[keep]

    if relative:
        vectors.requires_grad_()
    assert torch.autograd.gradcheck(run, (x, vectors, *weights), fast_mode=True)


@every_kind
@both_positions
def test_bfloat16_autocast_is_finite_and_near(operation, parameter, relative):
    mixer, x = build(operation, parameter, relative), torch.randn(BATCH, LENGTH, WIDTH)
    out = mixer(x, KEEP, distances(relative))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = mixer(x, KEEP, distances(relative))
    rounded[KEEP].float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in mixer.parameters())
    assert (rounded - out)[KEEP].abs().mean() < 0.05 * out[KEEP].abs().mean()


@every_kind
@both_positions
def test_state_dict_round_trip(operation, parameter, relative):
    mixer, other = (build(operation, parameter, relative) for _ in range(2))
    x = torch.randn(BATCH, LENGTH, WIDTH)
    assert not torch.equal(mixer(x, KEEP, distances(relative)), other(x, KEEP, distances(relative)))
    other.load_state_dict(mixer.state_dict())
    assert torch.equal(mixer(x, KEEP, distances(relative)), other(x, KEEP, distances(relative)))


@every_kind
@both_positions
def test_parameters_are_as_declared(operation, parameter, relative):
    mixer = build(operation, parameter, relative)
    group = HeadGroup(WIDTH, HEADS, HEAD_WIDTH, parameter, relative)
    assert sum(p.numel() for p in mixer.parameters()) == group_parameters(operation, group)


@every_kind
def test_trains_after_it_was_first_used_in_inference_mode(operation, parameter):
    mixer = build(operation, parameter, relative=False)
    x = torch.randn(2, 19, WIDTH)  # a length no other test uses
    with torch.inference_mode():
        mixer(x, None)
    mixer(x, None).sum().backward()


def test_mixers_are_modules():
    for operation, parameter in (p.values for p in kinds()):
        assert isinstance(build(operation, parameter, relative=False), nn.Module)


def test_unknown_kinds_suggest_the_nearest():
    with pytest.raises(UnknownName, match=r"No mixer is called 'sa_spd'\. Did you mean 'sa_sdp'"):
        make_mixer("sa", "spd", WIDTH, HEADS, HEAD_WIDTH)
    with pytest.raises(UnknownName, match="No mixer is called 'd'"):
        make_mixer("d", 5, WIDTH, HEADS, HEAD_WIDTH)
