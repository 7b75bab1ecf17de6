"""Pre-norm layers are ViT's, sum up what blocks write, and end in one norm."""

import torch
from torch.testing import assert_close
from transformers import ViTConfig
from transformers.models.vit.modeling_vit import ViTLayer

from nas.models.encoder import Encoder
from search_spaces import Architecture
from search_spaces.architectures.layers import Head, Layer

HEADS = (Head("sa", "sdp", 4),) * 2
PRE = Layer(8, HEADS, (12,), {"residual": "pre"})
POST = Layer(8, HEADS, (12,))


def encoder(*layers):
    built = Encoder(Architecture(layers), 20, max_length=9, dropout=0.0).eval()
    with torch.no_grad():
        for p in built.parameters():
            p.add_(torch.randn_like(p) * 0.2)
    return built


def hidden_states(built, tokens):
    """What leaves the embeddings and every layer."""
    states = [built.embeddings(tokens, None)]
    for layer in built.layers:
        states.append(layer(states[-1], None))
    return states


def test_a_layer_is_that_of_vision_transformers():
    ours = encoder(PRE).layers[0]
    theirs = ViTLayer(
        ViTConfig(
            hidden_size=8,
            num_attention_heads=2,
            intermediate_size=12,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            layer_norm_eps=1e-12,
            attn_implementation="eager",
        )
    ).eval()
    named = {}
    for name, tensor in theirs.state_dict().items():
        if "layernorm_before" in name:
            named[name] = ours.mixed_norm.state_dict()[name.rpartition(".")[2]]
        elif "layernorm_after" in name:
            named[name] = ours.feedforward_norm.state_dict()[name.rpartition(".")[2]]
        elif "intermediate" in name or "fc1" in name:
            named[name] = ours.feedforward.stack[0].state_dict()[name.rpartition(".")[2]]
        elif ("output" in name and "attention" not in name) or "fc2" in name:
            named[name] = ours.feedforward.output.state_dict()[name.rpartition(".")[2]]
        elif "output" in name or "o_proj" in name:
            named[name] = ours.mixed.state_dict()[name.rpartition(".")[2]]
        else:
            index = ["q", "k", "v"].index(name.rsplit(".", 2)[1][0])
            joined = next(iter(ours.mixers.values())).state_dict()
            (key,) = [k for k in joined if k.endswith(name.rpartition(".")[2])]
            named[name] = joined[key].chunk(3)[index]
        assert named[name].shape == tensor.shape
    theirs.load_state_dict(named)
    x = torch.randn(2, 5, 8)
    out = theirs(x)
    assert_close(ours(x, None), out[0] if isinstance(out, tuple) else out, atol=1e-5, rtol=1e-5)


def test_hidden_states_are_sums_and_the_last_is_normed():
    built, tokens = encoder(PRE, PRE), torch.randint(1, 20, (2, 5))
    first, second, third = hidden_states(built, tokens)
    layer = built.layers[0]
    read = layer.mixed_norm(first)
    mixed = first + layer.mixed(next(iter(layer.mixers.values()))(read, None))
    assert_close(second, mixed + layer.feedforward(layer.feedforward_norm(mixed)))
    assert_close(built(tokens), built.output_norm(third))


def test_only_a_last_layer_without_a_norm_gets_one():
    assert encoder(PRE, POST).output_norm is None
    assert encoder(POST, PRE).output_norm is not None
    assert encoder(POST).output_norm is None


def test_what_is_wanted_alone_is_the_same():
    built, tokens = encoder(POST, PRE), torch.randint(1, 20, (2, 5))
    at = torch.tensor([0, 3, 7])
    assert_close(built(tokens, at=at), built(tokens).flatten(0, 1)[at])
