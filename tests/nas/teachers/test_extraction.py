"""Cutting a trained encoder: what stays is the same, what goes is stood in for."""

import pytest
import torch
from torch.testing import assert_close
from transformers import BertModel

from nas.data.batches import batches
from nas.models.encoder import Encoder
from nas.teachers.calibration import Moments, calibrate, refitted, removal_order
from nas.teachers.extraction import extract
from nas.teachers.layer_choice import choose_layers
from nas.teachers.space import teacher_space
from search_spaces import Architecture, load_space


def cut_of(layers, heads, inner):
    return Architecture.from_dict(
        {
            "l": layers,
            "o": [["sa_sdp_8"] * heads] * layers,
            "h": [32] * layers,
            "f": [[inner]] * layers,
        }
    )


def build(architecture, weights, teacher):
    encoder = Encoder(
        architecture, teacher.vocabulary_size, max_length=32, dropout=0.0, pooling="mean"
    )
    encoder.load_state_dict(weights)
    return encoder.eval()


@pytest.fixture(scope="module")
def text(data):
    return list(batches(data.tasks["stsb"]["train"], batch_size=16))


@pytest.fixture(scope="module")
def whole(teacher):
    return teacher.build(max_length=32, pooling="mean").eval()


@pytest.fixture(scope="module")
def worth(whole, text):
    return calibrate(whole, text)


@torch.no_grad()
def answers(encoder, text):
    return torch.cat([encoder(b.tokens, b.keep, b.token_types)[b.keep] for b in text])


def test_the_teacher_equals_transformers(checkpoint, whole, text):
    theirs = BertModel.from_pretrained(checkpoint).eval()
    for batch in text:
        with torch.no_grad():
            states = whole.states(batch.tokens, batch.keep, batch.token_types)
            expected = theirs(
                batch.tokens, batch.keep.long(), batch.token_types, output_hidden_states=True
            ).hidden_states
        assert len(states) == len(expected)
        for mine, its in zip(states, expected, strict=True):
            assert_close(mine[batch.keep], its[batch.keep], atol=1e-5, rtol=1e-5)


def test_nothing_cut_is_the_teacher(whole, worth, text, teacher):
    full = cut_of(3, 4, 64)
    weights = extract(full, whole.state_dict(), worth, range(3))
    assert_close(answers(build(full, weights, teacher), text), answers(whole, text))


def test_another_order_of_neurons_and_heads_changes_nothing(whole, worth, text, teacher):
    orders = [torch.randperm(64), torch.randperm(4)]
    shuffled = [
        layer.__class__(layer.heads, layer.feedforward, orders[1], orders[0]) for layer in worth
    ]
    full = cut_of(3, 4, 64)
    weights = extract(full, whole.state_dict(), shuffled, range(3))
    assert_close(answers(build(full, weights, teacher), text), answers(whole, text))


@pytest.mark.parametrize(("heads", "inner"), [(2, 64), (4, 24), (2, 16)])
def test_refitting_comes_nearer(heads, inner, whole, worth, text, teacher):
    small, target = cut_of(3, heads, inner), answers(whole, text)
    errors = []
    for refit in (False, True):
        weights = extract(small, whole.state_dict(), worth, range(3), refit=refit)
        errors.append(float((answers(build(small, weights, teacher), text) - target).norm()))
    assert errors[1] < 0.9 * errors[0]


def test_fewer_layers_are_those_named(whole, worth, teacher):
    weights = extract(cut_of(2, 4, 64), whole.state_dict(), worth, (0, 2))
    assert_close(weights["layers.1.mixed.weight"], whole.state_dict()["layers.2.mixed.weight"])
    build(cut_of(2, 4, 64), weights, teacher)


def moments_of(rows, ridge=0.1):
    centred = rows - rows.mean(0)
    second = centred.T @ centred / len(rows)
    return Moments(rows.mean(0), second + ridge * second.diagonal().mean() * torch.eye(len(second)))


def test_refitted_maps_solve_the_ridge_regression():
    torch.manual_seed(0)
    rows = torch.randn(200, 6, dtype=torch.float64) @ torch.randn(6, 6, dtype=torch.float64) + 1
    weight, bias = torch.randn(3, 6, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    moments, kept = moments_of(rows), torch.tensor([0, 2, 5])
    new, offset = refitted(weight, bias, moments, kept)
    # a slow twin: gradient zero of the mean square plus the ridge towards the old weights
    new = new.clone().requires_grad_()
    offset = offset.clone().requires_grad_()
    ridge = moments.second[0, 0] - (rows[:, 0] - rows[:, 0].mean()).square().mean()
    error = (rows[:, kept] @ new.T + offset - rows @ weight.T - bias).square().sum(1).mean()
    (error + ridge * (new - weight[:, kept]).square().sum()).backward()
    assert_close(new.grad, torch.zeros_like(new), atol=1e-9, rtol=0)
    assert_close(offset.grad, torch.zeros_like(offset), atol=1e-9, rtol=0)


def test_the_order_of_removal_is_that_of_trying_each():
    torch.manual_seed(1)
    rows, weight = torch.randn(300, 8) @ torch.randn(8, 8), torch.randn(4, 8)
    moments = moments_of(rows)

    def loss(kept):
        kept = torch.tensor(kept)
        new, _ = refitted(weight, torch.zeros(4), moments, kept)
        lost = weight.clone()
        lost[:, kept] -= new
        return float(((lost @ moments.second) * lost).sum())

    for group in (1, 2):
        groups, gone = list(range(8 // group)), []

        def members(chosen, group=group):
            return [g * group + i for g in chosen for i in range(group)]

        while len(groups) > 1:
            going = min(groups, key=lambda g: loss(members([x for x in groups if x != g])))
            gone.append(going)
            groups.remove(going)
        assert removal_order(weight, moments, group).tolist() == [*groups, *reversed(gone)]


def test_a_layer_that_does_nothing_goes_first(teacher, text):
    encoder = teacher.build(max_length=32, pooling="mean")
    idle = encoder.layers[1]
    with torch.no_grad():
        for linear in (idle.mixed, idle.feedforward.output):
            linear.weight.zero_()
            linear.bias.zero_()
        for norm in (idle.mixed_norm, idle.feedforward_norm):
            norm.weight.copy_(encoder.layers[0].feedforward_norm.weight)
            norm.bias.copy_(encoder.layers[0].feedforward_norm.bias)
    found = choose_layers(encoder, text)
    assert [len(kept) for kept in found] == [1, 2, 3]
    assert found[1] == (0, 2)


def test_the_space_of_a_teacher_has_the_teacher_and_only_cuts(teacher):
    space = load_space(teacher_space(teacher.architecture))
    assert cut_of(3, 4, 64) in space
    assert cut_of(1, 1, 8) in space
    assert cut_of(3, 4, 65) not in space
    for cut in space.sample(20, seed=0):
        assert all(layer.head_width == 8 and layer.width == 32 for layer in cut.layers)
        assert space.architecture_at(space.index_of(cut)) == cut
        assert all(near in space for near in space.neighbours(cut))
