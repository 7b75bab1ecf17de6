"""The encoder: parity with BERT, counted parameters and operations, invariances of whole models."""

import pytest
import torch
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertModel

from nas.evaluation.cost import peak_memory_mb
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead, MaskedLanguageHead
from search_spaces import (
    Architecture,
    count_flops,
    count_parameters,
    load_space,
    named_architecture,
)
from search_spaces.errors import InvalidData, UnknownName

VOCABULARY = 50
HETEROGENEOUS = Architecture.from_dict(
    {
        "l": 3,
        "o": [
            ["sa_sdp_8", "sa_wma_8", "sa_sdp_8", "c_5_8"],
            ["l_dft_6", "l_dct_6", "c_3_6", "c_9_6"],
            ["l_dft_8", "sa_wma_8"],
        ],
        "h": [32, 16, 16],
        "f": [[24], [24, 20, 24], [40]],
    }
)
both_positions = pytest.mark.parametrize("positions", ["absolute", "relative"])


def build(architecture=HETEROGENEOUS, std=0.2, **options):
    encoder = Encoder(architecture, VOCABULARY, max_length=24, **options)
    with torch.no_grad():  # far from the small starting weights, which would hide differences
        for p in encoder.parameters():
            p.add_(std * torch.randn_like(p))
    return encoder.eval()


def batch(length=11, lengths=(11, 1, 6)):
    tokens = torch.randint(5, VOCABULARY, (len(lengths), length))
    keep = torch.arange(length) < torch.tensor(lengths)[:, None]
    return tokens, keep, torch.randint(0, 2, tokens.shape)


def copy_bert(bert, encoder):
    """Weights of a `BertModel` into the encoder of the same shape."""
    e = bert.embeddings
    pairs = [
        (encoder.embeddings.tokens, e.word_embeddings),
        (encoder.embeddings.types, e.token_type_embeddings),
        (encoder.embeddings.positions, e.position_embeddings),
        (encoder.embeddings.norm, e.LayerNorm),
        (encoder.pooler, bert.pooler.dense),
    ]
    for ours, theirs in zip(encoder.layers, bert.encoder.layer, strict=True):
        attention = theirs.attention.self
        parts = [attention.query, attention.key, attention.value]
        joined = ours.mixers["sa_sdp"].query_key_value
        joined.weight.data = torch.cat([p.weight.detach() for p in parts])
        joined.bias.data = torch.cat([p.bias.detach() for p in parts])
        pairs += [
            (ours.mixed, theirs.attention.output.dense),
            (ours.mixed_norm, theirs.attention.output.LayerNorm),
            (ours.feedforward.stack[0], theirs.intermediate.dense),
            (ours.feedforward.output, theirs.output.dense),
            (ours.feedforward_norm, theirs.output.LayerNorm),
        ]
    for ours, theirs in pairs:
        ours.load_state_dict({k: v.detach().clone() for k, v in theirs.state_dict().items()})


def test_agrees_with_bert_in_outputs_and_gradients():
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=24,
    )
    bert = BertModel(config).double().eval()
    with torch.no_grad():
        for p in bert.parameters():
            p.add_(0.2 * torch.randn_like(p))
    layer = {"o": "sa", "p": "sdp", "h": 32, "n": 4, "f": [48]}
    architecture = Architecture.from_dict({"l": 2, **{k: [v] * 2 for k, v in layer.items()}})
    encoder = Encoder(architecture, VOCABULARY, max_length=24).double().eval()
    copy_bert(bert, encoder)
    assert sum(p.numel() for p in encoder.parameters()) == sum(p.numel() for p in bert.parameters())
    tokens, keep, types = batch()
    hidden = encoder(tokens, keep, types)
    theirs = bert(tokens, keep.long(), types)
    assert_close(hidden[keep], theirs.last_hidden_state[keep])
    assert_close(encoder.pool(hidden), theirs.pooler_output)

    direction = torch.randn_like(hidden[keep])
    ((hidden[keep] * direction).sum() + encoder.pool(hidden).sum()).backward()
    ((theirs.last_hidden_state[keep] * direction).sum() + theirs.pooler_output.sum()).backward()
    ours = encoder.layers[0].mixers["sa_sdp"].query_key_value.weight.grad[:32]
    assert_close(ours, bert.encoder.layer[0].attention.self.query.weight.grad)
    assert_close(encoder.embeddings.tokens.weight.grad, bert.embeddings.word_embeddings.weight.grad)
    assert_close(
        encoder.layers[1].feedforward.output.weight.grad,
        bert.encoder.layer[1].output.dense.weight.grad,
    )


@both_positions
def test_padding_and_the_company_of_others_change_nothing(positions):
    encoder = build(positions=positions)
    tokens, keep, types = batch()
    hidden = encoder(tokens, keep, types)
    junk = torch.randint(5, VOCABULARY, (3, 7))
    longer = torch.cat([torch.where(keep, tokens, 7), junk], 1)
    long_keep = torch.nn.functional.pad(keep, (0, 7))
    long_types = torch.nn.functional.pad(types, (0, 7), value=1)
    assert_close(encoder(longer, long_keep, long_types)[:, :11][keep], hidden[keep])
    for row, n in enumerate((11, 1, 6)):
        alone = encoder(tokens[row : row + 1, :n], None, types[row : row + 1, :n])
        assert_close(alone[0], hidden[row, :n])
    order = torch.tensor([2, 0, 1])
    assert_close(encoder(tokens[order], keep[order], types[order]), hidden[order])


@both_positions
@pytest.mark.parametrize("checkpointing", [False, True])
def test_wanted_places_alone_and_checkpoints_change_neither_outputs_nor_gradients(
    positions, checkpointing
):
    encoder = build(positions=positions, dropout=0.0).double().train()
    tokens, keep, types = batch()
    hidden = encoder(tokens, keep, types)
    encoder.checkpointing = checkpointing
    at = torch.tensor([0, 3, 11, 27])
    wanted = encoder(tokens, keep, types, at)
    assert_close(wanted, hidden.flatten(0, 1)[at])
    assert_close(encoder.pooled(tokens, keep, types), encoder.pool(hidden))
    direction = torch.randn_like(wanted)
    parameters = [p for name, p in encoder.named_parameters() if not name.startswith("pooler")]
    for ours, expected in zip(
        torch.autograd.grad((wanted * direction).sum(), parameters),
        torch.autograd.grad((hidden.flatten(0, 1)[at] * direction).sum(), parameters),
        strict=True,
    ):
        assert_close(ours, expected)


def test_checkpoints_repeat_dropout_and_take_less_memory():
    architecture = homogeneous("sa_sdp_8", layers=6, stack=(256, 256))
    plain, frugal = build(architecture, dropout=0.3), build(architecture, dropout=0.3)
    frugal.load_state_dict(plain.state_dict())
    frugal.checkpointing = True
    tokens, keep, _ = batch(24, (24,) * 16)
    for encoder in (plain, frugal):
        torch.manual_seed(3)
        encoder.train()(tokens, keep).square().sum().backward()
    for ours, expected in zip(frugal.parameters(), plain.parameters(), strict=True):
        assert_close(ours.grad, expected.grad)
    few, many = (
        peak_memory_mb(encoder, batch=16, length=24, training=True) for encoder in (frugal, plain)
    )
    assert few < 0.6 * many


@both_positions
def test_order_of_tokens_matters_and_types_matter(positions):
    encoder = build(positions=positions)
    tokens, _, types = batch(lengths=(11, 11))
    hidden = encoder(tokens, None, types)
    assert (encoder(tokens.flip(1), None, types).flip(1) - hidden).abs().max() > 0.1
    assert (encoder(tokens, None, 1 - types) - hidden).abs().max() > 0.1
    assert_close(encoder(tokens), encoder(tokens, None, torch.zeros_like(types)))


@both_positions
@pytest.mark.parametrize("space", ["flexibert-micro", "flexibert-test", "flexibert-test-finest"])
def test_parameters_are_those_that_are_counted(space, positions):
    for architecture in [HETEROGENEOUS, *load_space(space).sample(6, seed=1)]:
        with torch.device("meta"):
            encoder = Encoder(architecture, 777, max_length=30, positions=positions)
            head = MaskedLanguageHead(encoder)
        options = {"vocabulary_size": 777, "max_length": 30, "positions": positions}
        built = sum(p.numel() for p in encoder.parameters())
        assert built == count_parameters(architecture, **options)
        built += sum(p.numel() for p in head.parameters())
        assert built == count_parameters(architecture, **options, masked_lm=True)


@both_positions
def test_every_parameter_influences_the_output(positions):
    encoder = build(positions=positions).train()
    tokens, keep, types = batch(24, (24, 24))
    hidden = encoder(tokens, keep, types)
    (hidden * torch.randn_like(hidden)).sum().backward(retain_graph=True)
    encoder.pool(hidden).sum().backward()
    for name, p in encoder.named_parameters():
        assert p.grad is not None, name
        assert p.grad.abs().sum() > 0, name


def count(encoder, length):
    with FlopCounterMode(display=False) as counter:
        hidden = encoder(torch.full((1, length), 5))
        encoder.pool(hidden)
    return counter.get_total_flops()


def homogeneous(head, layers=2, stack=(40, 24)):
    return Architecture.from_dict(
        {"l": layers, "o": [[head] * 3] * layers, "h": [32] * layers, "f": [list(stack)] * layers}
    )


@pytest.mark.parametrize("head", ["sa_sdp_8", "sa_wma_8"])
def test_operations_are_those_that_are_counted(head):
    architecture = homogeneous(head)
    expected = count_flops(architecture, length=10, vocabulary_size=VOCABULARY)
    assert count(build(architecture), 10) == expected


def test_operations_differ_by_the_dense_band_and_transforms_alone():
    # The formulas count a window of 5 and a fast transform; short sequences do better with
    # products of small dense matrices, and torch counts no element-wise product.
    length, inner = 10, 24
    formula = count_flops(homogeneous("c_5_8", 1), length=length, vocabulary_size=VOCABULARY)
    dense = 2 * length * length * inner - 2 * length * inner * 5 - length * inner
    assert count(build(homogeneous("c_5_8", 1)), length) == formula + dense

    linear = count_flops(homogeneous("l_dct_8", 1), length=length, vocabulary_size=VOCABULARY)
    linear -= 3 * round(5 * length * 8 * torch.tensor(length * 8.0).log2().item())
    dense = 2 * length * inner * (8 + length)
    assert count(build(homogeneous("l_dct_8", 1)), length) == linear + dense
    assert count(build(homogeneous("l_dft_8", 1)), length) == linear + 2 * dense


def test_initial_weights():
    encoder = Encoder(named_architecture("bert-tiny"), 2000)
    weight = encoder.embeddings.tokens.weight
    assert abs(weight.std().item() - 0.02) < 0.001
    for name, p in encoder.named_parameters():
        if name.endswith("bias"):
            assert p.abs().max() == 0, name
        elif "norm" in name:
            assert (p == 1).all(), name
    assert torch.isfinite(encoder(torch.full((2, 128), 7))).all()


def test_the_same_seed_gives_the_same_model():
    first, second = (torch.manual_seed(s) and build() for s in (4, 4))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_padding_is_not_trained():
    encoder = build()
    encoder(torch.tensor([[5, 0, 0]])).square().sum().backward()
    assert encoder.embeddings.tokens.weight.grad[5].abs().sum() > 0
    assert encoder.embeddings.tokens.weight.grad[0].abs().sum() == 0


def test_dropout_is_active_in_training_alone():
    encoder = build(dropout=0.5)
    tokens, keep, _ = batch()
    assert torch.equal(encoder(tokens, keep), encoder(tokens, keep))
    encoder.train()
    assert not torch.equal(encoder(tokens, keep), encoder(tokens, keep))


def test_heads_of_one_kind_run_together():
    encoder = build()
    assert list(encoder.layers[0].mixers) == ["c_5", "sa_sdp", "sa_wma"]
    assert encoder.layers[0].mixers["sa_sdp"].heads == 2
    reordered = HETEROGENEOUS.to_dict()
    reordered["o"][0] = reordered["o"][0][::-1]
    other = build(Architecture.from_dict(reordered))
    other.load_state_dict(encoder.state_dict())
    tokens, keep, _ = batch()
    assert torch.equal(other(tokens, keep), encoder(tokens, keep))


def test_too_long_and_unknown_are_explained():
    with pytest.raises(InvalidData, match=r"25 tokens long, and this encoder reads at most 24.*Tr"):
        build()(torch.full((1, 25), 5))
    with pytest.raises(UnknownName, match=r"No kind of positions is called 'relativ'\. Did you"):
        build(positions="relativ")


def test_masked_language_head_is_tied_to_the_embedding():
    encoder = build()
    head = MaskedLanguageHead(encoder)
    hidden = encoder(*batch()[:2])[:, 0]
    logits = head(hidden)
    assert logits.shape == (3, VOCABULARY)
    assert sorted(head.state_dict()) == [
        "bias",
        "norm.bias",
        "norm.weight",
        "transform.bias",
        "transform.weight",
    ]
    head(hidden.detach()).square().sum().backward()
    assert encoder.embeddings.tokens.weight.grad.abs().sum() > 0
    with torch.no_grad():
        encoder.embeddings.tokens.weight[9] += 1.0
    changed = (head(hidden) - logits).abs().max(0).values
    assert changed[9] > 0
    assert changed[10] == 0


def test_classification_head():
    head = ClassificationHead(6, 3, dropout=0.5).eval()
    pooled = torch.randn(2, 6)
    assert_close(head(pooled), pooled @ head.output.weight.t() + head.output.bias)
    assert not torch.equal(head.train()(pooled), head(pooled))
    assert ClassificationHead(6, 1)(pooled).shape == (2, 1)
