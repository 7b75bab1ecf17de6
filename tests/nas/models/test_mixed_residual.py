"""A mixed residual reads a learned sum of all earlier hidden states, and starts without one."""

import pytest
import torch
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from nas.models.carrier import states_axis
from nas.models.encoder import Encoder
from nas.models.transfer import inherit_weights
from search_spaces import Architecture, count_flops, count_parameters
from search_spaces.architectures.layers import Head, Layer

LENGTH, VOCABULARY = 9, 20
TOKENS = torch.randint(1, VOCABULARY, (2, 6), generator=torch.Generator().manual_seed(0))


def layer(residual, width=8):
    return Layer(width, (Head("sa", "sdp", 4),) * 2, (12,), {"residual": residual})


def build(*residuals, widths=None, seed=0, fresh=False, dtype=torch.float32):
    widths = widths or [8] * len(residuals)
    layers = [layer(r, w) for r, w in zip(residuals, widths, strict=True)]
    described = Architecture(layers, parts={"positions": "absolute"})
    torch.manual_seed(seed)
    encoder = Encoder(described, VOCABULARY, max_length=LENGTH, dropout=0.0).to(dtype).eval()
    with torch.no_grad():
        for p in [] if fresh else encoder.parameters():
            p.add_(torch.randn_like(p) * 0.2)
    return encoder


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_it_starts_as_one_without_a_mix(norm):
    usual = build(*[norm] * 3, fresh=True)
    mixed = build(*[f"mixed(norm={norm})"] * 3, fresh=True)
    assert torch.equal(mixed(TOKENS), usual(TOKENS))
    assert [len(x.residual.shares) for x in mixed.layers[1:]] == [2, 3]
    assert mixed.layers[0].residual.shares is None  # there is one hidden state alone


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_every_layer_reads_the_sum_written_out(norm):
    """With other widths in between: what is earlier passes the same projection."""
    residuals, widths = [f"mixed(norm={norm})"] * 4, [8, 8, 12, 16]
    encoder = build(*residuals, widths=widths, dtype=torch.float64)
    wanted = [p for name, p in encoder.named_parameters() if not name.startswith("pooler")]
    direction = torch.randn(2, 6, 16, dtype=torch.float64)
    found = [encoder(TOKENS), *torch.autograd.grad((encoder(TOKENS) * direction).sum(), wanted)]

    states = [encoder.embeddings(TOKENS, None)]
    for i, one in enumerate(encoder.layers):
        shares = [1.0] if i == 0 else list(one.residual.shares)
        carried = []
        for written, state in enumerate(states):  # through every projection since
            for passed in range(max(written - 1, 0), i):
                if encoder.layers[passed].projection is not None:
                    state = encoder.layers[passed].projection(state)
            carried.append(state)
        x = sum(share * state for share, state in zip(shares, carried, strict=True))
        projection, one.projection = one.projection, None
        states.append(one(x, None))
        one.projection = projection
    out = states[-1] if norm == "post" else encoder.output_norm(states[-1])
    expected = [out, *torch.autograd.grad((out * direction).sum(), wanted)]
    assert_close(found, expected)


def test_states_are_what_layers_read():
    encoder = build("mixed", "post", "mixed")
    first, second, third, last = encoder.states(TOKENS)
    assert_close(encoder.layers[0](first, None), second)
    shares, written = encoder.layers[2].residual.shares, [first, second]
    written.append(encoder.layers[1](second, None))
    assert_close(third, sum(a * s for a, s in zip(shares, written, strict=True)))
    assert_close(last, encoder(TOKENS))


def test_passing_earlier_states_on_is_counted():
    for residuals, widths in (
        (("mixed", "post", "mixed"), (8, 12, 16)),
        (("mixed", "mixed", "post"), (8, 12, 16)),
        (("post", "post", "mixed(norm=pre)"), (8, 12, 12)),
    ):
        encoder = build(*residuals, widths=widths)
        with FlopCounterMode(display=False) as counter:
            encoder.pool(encoder(TOKENS[:1]))
        declared = count_flops(encoder.architecture, length=6, vocabulary_size=VOCABULARY)
        assert counter.get_total_flops() == declared
        counted = count_parameters(
            encoder.architecture, vocabulary_size=VOCABULARY, max_length=LENGTH
        )
        assert sum(p.numel() for p in encoder.parameters()) == counted


def test_layers_computed_again_for_the_gradients_learn_the_same():
    encoder = build("mixed", "mixed(norm=pre)", "mixed").train()
    grads = []
    for encoder.checkpointing in (False, True):
        encoder.zero_grad()
        encoder(TOKENS).square().sum().backward()
        grads.append([p.grad.clone() for p in encoder.parameters() if p.grad is not None])
    assert_close(*grads)


def test_states_of_layers_that_went_or_came_find_their_place():
    # the parent's layer 1 has no match: what it wrote is near what layer 0 did
    less = states_axis((0, 2), 1, 2)
    assert less.write.tolist() == [[1, 0, 0], [0, 1, 1]]
    # the child's layer 1 is new and passes on what is before it
    more = states_axis((0, None, 1), 2, 1)
    assert more.write.tolist() == [[1, 0], [0, 0], [0, 1]]
    assert states_axis((0, 1, 2), 2, 2).identity


def test_a_layer_more_at_the_end_and_one_less_inherit():
    small, large = build(*["mixed"] * 2), build(*["mixed"] * 3, seed=1, fresh=True)
    given = {f"encoder.{k}": v for k, v in small.state_dict().items()}
    inherit_weights(large, large.architecture, small.architecture, given)
    assert_close(large(TOKENS), small(TOKENS), atol=2e-4, rtol=1e-3)
    back = build(*["mixed"] * 2, seed=2)
    given = {f"encoder.{k}": v for k, v in large.state_dict().items()}
    report = inherit_weights(back, back.architecture, large.architecture, given)
    assert report.share == 1.0
