"""Gated linear units equal a twin that knows one token at a time, and those of ModernBERT."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close
from transformers import ModernBertConfig
from transformers.models.modernbert.modeling_modernbert import ModernBertMLP

from nas.models.feedforwards.glu import ACTIVATIONS, GatedLinearUnits
from search_spaces.errors import InvalidArchitecture
from search_spaces.kinds import SLOTS

both = pytest.mark.parametrize("activation", sorted(ACTIVATIONS))


def twin(block, token):
    """One token, feature by feature."""
    act = {"gelu": lambda z: F.gelu(z), "silu": lambda z: z * torch.sigmoid(z)}[block.activation]
    for linear in block.gated:
        written = [linear.weight[i] @ token + linear.bias[i] for i in range(len(linear.bias))]
        half = len(written) // 2
        token = torch.stack(
            [act(a) * b for a, b in zip(written[:half], written[half:], strict=True)]
        )
    return block.output.weight @ token + block.output.bias


@both
@pytest.mark.parametrize("inner", [(5,), (5, 3)], ids=str)
def test_it_is_its_formula_with_gradients(activation, inner):
    block = GatedLinearUnits(4, inner, activation).double()
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    slow = torch.stack([torch.stack([twin(block, token) for token in row]) for row in x])
    assert_close(block(x), slow)
    fast, same = (torch.autograd.grad(y.square().sum(), x)[0] for y in (block(x), slow))
    assert_close(fast, same)


@both
def test_one_map_is_the_feed_forward_of_modernbert(activation):
    config = ModernBertConfig(
        hidden_size=6, intermediate_size=8, hidden_activation=activation, mlp_bias=True
    )
    theirs, ours = ModernBertMLP(config).eval(), GatedLinearUnits(6, (8,), activation)
    ours.gated[0].load_state_dict(theirs.Wi.state_dict())
    ours.output.load_state_dict(theirs.Wo.state_dict())
    x = torch.randn(2, 3, 6)
    assert_close(ours(x), theirs(x), atol=1e-6, rtol=1e-5)


@both
def test_an_open_gate_passes_on(activation):
    function, one = ACTIVATIONS[activation]
    assert_close(function(torch.tensor(one, dtype=torch.float64)).item(), 1.0)


def test_other_activations_are_refused():
    with pytest.raises(InvalidArchitecture, match=r"activation is 'relu'\. Allowed: gelu, silu"):
        SLOTS["feedforward"].read("glu(activation=relu)")
