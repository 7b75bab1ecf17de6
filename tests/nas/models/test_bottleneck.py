"""Bottlenecks are MobileBERT's, in every layer and as a whole, and take heads of every kind."""

import pytest
import torch
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode
from transformers import MobileBertConfig, MobileBertModel

from nas.models.encoder import Encoder
from nas.models.mixers import make_mixer
from nas.models.transfer import inherit_weights
from search_spaces import Architecture, count_flops, count_parameters, named_architecture
from search_spaces.architectures.layers import Head, Layer
from search_spaces.operations import OPERATIONS

VOCABULARY, WIDTH, INNER, LENGTH = 29, 12, 8, 9
TOKENS = torch.randint(5, VOCABULARY, (2, LENGTH), generator=torch.Generator().manual_seed(1))
KEEP = torch.arange(LENGTH) < torch.tensor([LENGTH, 5])[:, None]
TOKENS = torch.where(KEEP, TOKENS, 0)
# heads of every mixer, as wide together as it is inside
HEADS = [
    str(Head(name, kind.settings[kind.bare].default if kind.bare else "", 4))
    for name, kind in sorted(OPERATIONS.items())
]
HEADS += ["sa_wma_4", "attention(queries=2)_4", "attention(bias=none,gate=gelu)_4"]


def small(block, *, norm="none", feedforward="relu", head="sa_sdp_4", layers=3, **model):
    layer = Layer(
        WIDTH, (Head.parse(head),) * 2, (10,), {"block": block, "feedforward": feedforward}
    )
    parts = {"embedding": "trigram(rank=6)", "positions": "absolute", "norm": norm}
    return Architecture([layer] * layers, parts=parts | model)


def build(described, seed=0):
    torch.manual_seed(seed)
    encoder = Encoder(described, VOCABULARY, max_length=LENGTH, dropout=0.0).eval()
    with torch.no_grad():
        for p in encoder.parameters():
            p.add_(torch.randn_like(p) * 0.2)
    return encoder


def mobilebert(**more):
    config = MobileBertConfig(
        vocab_size=VOCABULARY,
        embedding_size=6,
        hidden_size=WIDTH,
        intra_bottleneck_size=INNER,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=10,
        max_position_embeddings=LENGTH,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
        **more,
    )
    theirs = MobileBertModel(config).eval()
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(torch.randn_like(p) * 0.2)
        theirs.embeddings.word_embeddings.weight[0] = 0.0
    for module in theirs.modules():  # two of them are built with torch's own
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-12
    return theirs


OUTER = {
    "embeddings.tokens.table": "embeddings.word_embeddings",
    "embeddings.tokens.neighbours": "embeddings.embedding_transformation",
    "embeddings.types": "embeddings.token_type_embeddings",
    "embeddings.positions": "embeddings.position_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
    "pooler": "pooler.dense",
}
LAYER = {
    "entry.map": "bottleneck.input.dense",
    "entry.norm": "bottleneck.input.LayerNorm",
    "heads_entry.map": "bottleneck.attention.dense",
    "heads_entry.norm": "bottleneck.attention.LayerNorm",
    "mixed": "attention.output.dense",
    "mixed_norm": "attention.output.LayerNorm",
    "output": "output.bottleneck.dense",
    "output_norm": "output.bottleneck.LayerNorm",
}
JOINED = {
    "query_key": ("query", "key"),
    "value": ("value",),
    "query_key_value": ("query", "key", "value"),
}


def sources(name, maps):
    """Names of their tensors that one of ours is made of."""
    stem, _, tensor = name.rpartition(".")
    if not stem.startswith("layers."):
        return [f"{OUTER[stem]}.{tensor}"]
    number, rest = stem.split(".", 2)[1:]
    place = f"encoder.layer.{number}."
    if rest.startswith("mixers."):
        parts = JOINED[rest.rpartition(".")[2]]
        return [f"{place}attention.self.{part}.{tensor}" for part in parts]
    if rest.startswith("stacked."):
        k, rest = rest.split(".", 2)[1:]
        place += f"ffn.{k}." if int(k) < maps - 1 else ""
        named = {
            "feedforward.stack.0": "intermediate.dense",
            "feedforward.output": "output.dense",
            "norm": "output.LayerNorm",
        }
        return [f"{place}{named[rest]}.{tensor}"]
    return [f"{place}{LAYER[rest]}.{tensor}"]


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("reads", ["split", "inner"])
@pytest.mark.parametrize("maps", [1, 3, 4])
def test_it_is_mobilebert(maps, reads, norm):
    theirs = mobilebert(
        num_feedforward_networks=maps,
        use_bottleneck_attention=reads == "inner",
        key_query_shared_bottleneck=reads == "split",
        normalization_type="no_norm" if norm == "none" else "layer_norm",
    )
    ours = build(small(f"bottleneck(inner={INNER},maps={maps},reads={reads})", norm=norm))
    given = theirs.state_dict()
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    taken = {name: torch.cat([given[s] for s in sources(name, maps)]) for name in ours.state_dict()}
    ours.load_state_dict(taken)
    expected = theirs(TOKENS, attention_mask=KEEP.long())
    assert_close(ours(TOKENS, KEEP)[KEEP], expected.last_hidden_state[KEEP], atol=1e-5, rtol=1e-5)
    assert_close(ours.pooled(TOKENS, KEEP), expected.pooler_output, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("mobilebert", {}),
        ("mobilebert-tiny", {"use_bottleneck_attention": True, "num_feedforward_networks": 2}),
    ],
)
def test_the_published_sizes(name, more):
    more = more | {"key_query_shared_bottleneck": "use_bottleneck_attention" not in more}
    with torch.device("meta"):
        theirs = sum(p.numel() for p in MobileBertModel(MobileBertConfig(**more)).parameters())
    counted = count_parameters(named_architecture(name), vocabulary_size=30_522, max_length=512)
    assert counted == theirs
    if name == "mobilebert":
        assert counted == 24_844_544


def test_the_teacher_has_the_students_hidden_states_in_every_layer():
    teacher, student = map(named_architecture, ("ib-bert-large", "mobilebert"))
    assert [x.width for x in teacher.layers] == [x.width for x in student.layers]
    size = count_parameters(teacher, vocabulary_size=30_522, max_length=512)
    assert size == 294_467_840
    assert round(size / 1e6) in range(293, 296)  # published as 293M


def test_a_wide_one_by_hand():
    """Every sum and norm of the teacher's layer, written out."""
    described = small(f"inverted-bottleneck(inner={INNER})", norm="layer", feedforward="mlp")
    encoder = build(described)
    layer, x = encoder.layers[0], torch.randn(2, 5, WIDTH)
    (mixer,) = layer.mixers.values()
    heads = mixer(x, None)  # of hidden states as they are
    inner = layer.entry.norm(layer.entry.map(x))
    inner = layer.mixed_norm(inner + layer.mixed(heads))
    (one,) = layer.stacked
    inner = one.norm(inner + one.feedforward(inner))
    assert_close(layer(x, None), layer.output_norm(x + layer.output(inner)))


@pytest.mark.parametrize("residual", ["pre", "pre(norms=feedforward)", "mixed(norm=pre)"])
def test_before_norms_the_whole_block_reads_one_norm(residual):
    layer = Layer(
        WIDTH,
        (Head.parse("sa_sdp_4"),) * 2,
        (10,),
        {"block": "bottleneck(inner=8,reads=whole)", "residual": residual},
    )
    encoder = build(Architecture([layer] * 2, parts={"positions": "absolute"}))
    built, x = encoder.layers[0], torch.randn(2, 5, WIDTH)
    read = x if "feedforward" in residual else built.output_norm(x)
    (mixer,) = built.mixers.values()
    inner = built.entry(read)
    inner = built.mixed_norm(inner + built.mixed(mixer(read, None)))
    for one in built.stacked:
        inner = one.norm(inner + one.feedforward(inner))
    assert_close(built(x, None), x + built.output(inner))
    assert encoder.output_norm is not None


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("reads", ["split", "inner", "whole"])
def test_heads_of_every_kind_stand_in_it(head, reads):
    block = f"bottleneck(inner={INNER},maps=2,reads={reads})"
    described = small(block, feedforward="mlp", head=head, layers=2)
    encoder = build(described)
    counted = count_parameters(described, vocabulary_size=VOCABULARY, max_length=LENGTH)
    assert sum(p.numel() for p in encoder.parameters()) == counted
    if head.startswith(("sa", "attention", "moe")):
        with FlopCounterMode(display=False) as counter:
            encoder.pool(encoder(TOKENS[:1]))
        declared = count_flops(described, length=LENGTH, vocabulary_size=VOCABULARY)
        assert counter.get_total_flops() == declared
    out = encoder(TOKENS, KEEP)
    other = encoder(torch.where(KEEP, TOKENS, 17), KEEP)
    assert_close(out[KEEP], other[KEEP], atol=1e-6, rtol=1e-6)
    at = torch.tensor([0, 3, 9])
    assert_close(encoder(TOKENS, KEEP, at=at), out.flatten(0, 1)[at], atol=2e-5, rtol=1e-4)
    (out[KEEP] * torch.randn_like(out[KEEP])).sum().backward()
    unread = ("pooler",)
    for name, p in encoder.named_parameters():
        assert name.startswith(unread) or p.grad.abs().sum() > 0, name


@pytest.mark.parametrize("head", ["sa_sdp_4", "attention(queries=2)_4"])
@pytest.mark.parametrize("reads", ["split", "inner", "whole"])
def test_a_table_of_distances_passes_the_bottleneck(head, reads):
    described = small(
        f"bottleneck(inner={INNER},reads={reads})", head=head, positions="disentangled(buckets=4)"
    )
    encoder = build(described)
    counted = count_parameters(described, vocabulary_size=VOCABULARY, max_length=LENGTH)
    assert sum(p.numel() for p in encoder.parameters()) == counted
    with FlopCounterMode(display=False) as counter:
        encoder.pool(encoder(TOKENS[:1]))
    declared = count_flops(described, length=LENGTH, vocabulary_size=VOCABULARY)
    assert counter.get_total_flops() == declared


@pytest.mark.parametrize("head", ["sa_sdp_4", "attention_4"])
def test_values_read_apart_are_those_of_the_whole_width(head):
    """Split and of one width: a mixer whose maps are split is the joined one."""
    operation, parameter = Head.parse(head).operation, Head.parse(head).parameter
    whole, apart = (make_mixer(operation, parameter, WIDTH, 2, 4).eval() for _ in range(2))
    apart.split_values(WIDTH)
    given = whole.state_dict()
    if operation == "sa":
        joined = {t: given[f"query_key_value.{t}"].split([16, 8]) for t in ("weight", "bias")}
        names = ("query_key", "value")
    else:
        joined = {t: given[f"key_value.{t}"].chunk(2) for t in ("weight", "bias")}
        names = ("key", "value")
    taken = {f"{name}.{t}": joined[t][i] for i, name in enumerate(names) for t in joined}
    apart.load_state_dict({k: v for k, v in given.items() if k in apart.state_dict()} | taken)
    x = torch.randn(2, 5, WIDTH)
    assert_close(apart(x, None, values=x), whole(x, None))
    assert not torch.allclose(apart(x, None, values=2 * x), whole(x, None))
    weights = whole.attention_map(x, None)
    assert_close(apart.attention_map(x, None), weights)


def test_kinds_say_which_heads_have_values_apart():
    for text in HEADS:
        head = Head.parse(text)
        mixer = make_mixer(head.operation, head.parameter, WIDTH, 2, 4)
        mixer.split_values(WIDTH)
        assert mixer.splits == OPERATIONS[head.operation].splits, text


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        ("bottleneck(inner=8,maps=3)", "bottleneck(inner=8,maps=1)"),
        ("bottleneck(inner=16,maps=2)", "bottleneck(inner=8,maps=2)"),
    ],
)
def test_a_larger_inside_computes_the_same_at_first(child, parent):
    described, larger = (small(block, norm="layer", feedforward="mlp") for block in (parent, child))
    given, made = build(described), build(larger, seed=1)
    tensors = {f"encoder.{k}": v for k, v in given.state_dict().items()}
    inherit_weights(made, larger, described, tensors)
    assert_close(made(TOKENS, KEEP)[KEEP], given(TOKENS, KEEP)[KEEP], atol=2e-4, rtol=1e-3)
