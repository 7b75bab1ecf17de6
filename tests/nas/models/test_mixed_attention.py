"""Mixed attention is ConvBERT's, of transformers, and does not leak padding as that does."""

import pytest
import torch
from torch.testing import assert_close
from transformers import ConvBertConfig, ConvBertModel
from transformers.models.convbert.modeling_convbert import ConvBertSelfAttention

from nas.models.encoder import Encoder
from nas.models.mixers.mixed_attention import MixedAttention
from search_spaces import Architecture, count_parameters, named_architecture


def theirs_and_ours(kernel):
    config = ConvBertConfig(
        hidden_size=32,
        num_attention_heads=4,
        head_ratio=2,
        conv_kernel_size=kernel,
        attention_probs_dropout_prob=0.0,
    )
    theirs = ConvBertSelfAttention(config).double().eval()
    ours = MixedAttention(32, 4, 8, kernel=kernel).double().eval()
    with torch.no_grad():
        for p in theirs.parameters():
            p.normal_(std=0.3)
        for name in ("query", "key", "value"):
            getattr(ours, name).load_state_dict(getattr(theirs, name).state_dict())
        separable = theirs.key_conv_attn_layer
        ours.depthwise.weight.copy_(separable.depthwise.weight)
        ours.pointwise.weight.copy_(separable.pointwise.weight.squeeze(-1))
        ours.pointwise.bias.copy_(separable.bias.squeeze(-1))
        ours.taps.load_state_dict(theirs.conv_kernel_layer.state_dict())
        ours.moved.load_state_dict(theirs.conv_out_layer.state_dict())
    return theirs, ours


@pytest.mark.parametrize("kernel", [3, 5, 9])
def test_it_is_that_of_transformers_with_gradients(kernel):
    theirs, ours = theirs_and_ours(kernel)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    x = torch.randn(2, 7, 32, dtype=torch.float64, requires_grad=True)
    order = [0, 2, 1, 3]  # theirs has both heads that attend first
    wanted = theirs(x)[0].unflatten(-1, (4, 8))[..., order, :].flatten(2)
    found = ours(x, None)
    assert_close(found, wanted)
    weights = torch.randn_like(found)
    assert_close(
        torch.autograd.grad((found * weights).sum(), [x, ours.taps.weight, ours.query.weight]),
        torch.autograd.grad(
            (wanted * weights).sum(), [x, theirs.conv_kernel_layer.weight, theirs.query.weight]
        ),
    )


def test_a_kernel_of_one_is_a_linear_map():
    ours = MixedAttention(8, 2, 4, kernel=1)
    x = torch.randn(2, 5, 8)
    assert_close(ours(x, None)[..., 4:], ours.moved(x))


def test_padding_does_not_leak_where_it_does_in_transformers():
    theirs, ours = theirs_and_ours(5)
    x = torch.randn(2, 7, 32, dtype=torch.float64)
    changed = x.clone()
    changed[:, 5:] += 9
    keep = torch.arange(7).expand(2, 7) < 5
    mask = torch.zeros(2, 1, 1, 7, dtype=torch.float64).masked_fill(~keep[:, None, None], -1e9)
    leak = (theirs(x, mask)[0] - theirs(changed, mask)[0])[keep].abs().max()
    assert leak > 1
    assert_close(ours(x, keep)[keep], ours(changed, keep)[keep])


def test_separate_heads_are_the_same_idea_with_queries_of_their_own():
    kinds = [["sa_sdp_8", "c_5_8"], ["mixed-attention(kernel=5)_8"] * 2]
    described = {"l": 2, "h": [16, 16], "o": kinds, "f": [[8], [8]]}
    assert Architecture.from_dict(described).to_dict()["o"] == kinds


OUTER = {
    "embeddings.tokens": "embeddings.word_embeddings",
    "embeddings.types": "embeddings.token_type_embeddings",
    "embeddings.positions": "embeddings.position_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
}
LAYER = {
    "mixed_norm": "attention.output.LayerNorm",
    "feedforward.stack.0": "intermediate.dense",
    "feedforward.output": "output.dense",
    "feedforward_norm": "output.LayerNorm",
    "mixers.mixed-attention.depthwise": "attention.self.key_conv_attn_layer.depthwise",
    "mixers.mixed-attention.pointwise": "attention.self.key_conv_attn_layer.pointwise",
    "mixers.mixed-attention.taps": "attention.self.conv_kernel_layer",
    "mixers.mixed-attention.moved": "attention.self.conv_out_layer",
    **{f"mixers.mixed-attention.{n}": f"attention.self.{n}" for n in ("query", "key", "value")},
}


def test_convbert_as_a_whole():
    config = ConvBertConfig(
        vocab_size=29, hidden_size=16, embedding_size=16, num_hidden_layers=2,
        num_attention_heads=4, intermediate_size=10, conv_kernel_size=5,
        max_position_embeddings=9, pad_token_id=0,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, layer_norm_eps=1e-12,
    )  # fmt: skip
    theirs = ConvBertModel(config).eval()
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(torch.randn_like(p) * 0.2)
    given = theirs.state_dict()
    one = {"l": 2, "o": ["mixed-attention"] * 2, "h": [16] * 2, "n": [4] * 2, "f": [[10]] * 2}
    described = Architecture.from_dict(
        {**one, "p": ["kernel=5"] * 2, "model": {"positions": "absolute"}}
    )
    ours = Encoder(described, 29, max_length=9, dropout=0.0).eval()
    taken = {}
    for name, own in ours.state_dict().items():
        stem, _, tensor = name.replace("--kernel-5", "").rpartition(".")
        if stem == "pooler":
            taken[name] = own
        elif not stem.startswith("layers."):
            taken[name] = given[f"{OUTER[stem]}.{tensor}"]
        else:
            number, rest = stem.split(".", 2)[1:]
            place = f"encoder.layer.{number}."
            if rest == "mixed":  # its columns: theirs has all heads that attend first
                found = given[f"{place}attention.output.dense.{tensor}"]
                if tensor == "weight":
                    found = found.unflatten(1, (4, 4))[:, [0, 2, 1, 3]].flatten(1)
            elif rest.endswith("pointwise") and tensor == "bias":
                found = given[f"{place}attention.self.key_conv_attn_layer.bias"]
            else:
                found = given[f"{place}{LAYER[rest]}.{tensor}"]
            taken[name] = found.reshape(own.shape)
    ours.load_state_dict(taken)
    tokens = torch.randint(1, 29, (2, 9))
    # whole sequences: theirs lets padding in
    assert_close(ours(tokens), theirs(tokens).last_hidden_state, atol=1e-5, rtol=1e-5)


def test_convbert_has_the_parameters_of_transformers_and_a_pooler():
    with torch.device("meta"):
        theirs = sum(p.numel() for p in ConvBertModel(ConvBertConfig()).parameters())
    known = named_architecture("convbert-base")
    counted = count_parameters(known, vocabulary_size=30_522, max_length=512)
    assert counted - theirs == 768 * 768 + 768
