"""Published encoders are points of one space, as large as transformers builds them, and equal them.

Equality is that of small models of the same make, with random weights copied.
"""

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from transformers import (
    BertConfig,
    BertModel,
    ConvBertConfig,
    ConvBertModel,
    DebertaV2Config,
    DebertaV2Model,
    EuroBertConfig,
    EuroBertModel,
    FNetConfig,
    FNetModel,
    GPT2Config,
    GPT2Model,
    ModernBertConfig,
    ModernBertModel,
    RobertaConfig,
    RobertaModel,
)

from nas.models.encoder import Encoder
from search_spaces import Architecture, count_parameters, load_space, named_architecture
from search_spaces.architectures.named import NAMED

VOCABULARY, WIDTH, HEADS, INNER, LAYERS, LENGTH = 29, 12, 3, 10, 4, 9
TOKENS = torch.randint(5, VOCABULARY, (2, LENGTH), generator=torch.Generator().manual_seed(1))
KEEP = torch.arange(LENGTH) < torch.tensor([LENGTH, 5])[:, None]
TOKENS = torch.where(KEEP, TOKENS, 0)

BERT = {
    "embeddings.tokens.weight": ["embeddings.word_embeddings.weight"],
    "embeddings.types.weight": ["embeddings.token_type_embeddings.weight"],
    "embeddings.positions.weight": ["embeddings.position_embeddings.weight"],
    "embeddings.norm": ["embeddings.LayerNorm"],
    "distances.weight": ["encoder.rel_embeddings.weight"],
    "distances.norm": ["encoder.LayerNorm"],
    "pooler": ["pooler.dense"],
}
BERT_LAYER = {
    "mixed": ["attention.output.dense"],
    "mixed_norm": ["attention.output.LayerNorm"],
    "feedforward.stack.0": ["intermediate.dense"],
    "feedforward.output": ["output.dense"],
    "feedforward_norm": ["output.LayerNorm"],
}
MODERN = {
    "embeddings.tokens.weight": ["embeddings.tok_embeddings.weight", "embed_tokens.weight"],
    "embeddings.norm": ["embeddings.norm"],
    "output_norm": ["final_norm", "norm"],
}


def small(name, **texts):
    """The named encoder with other sizes, and with other texts in place of its own."""
    known = NAMED[name]
    layers = slice(0, LAYERS)

    def said(text):
        for old, new in texts.items():
            text = str(text).replace(old.replace("__", "="), new)
        return text

    small = {
        "l": LAYERS,
        "o": known["o"][layers],
        "h": [WIDTH] * LAYERS,
        "n": [1 if known["n"][0] == 1 else HEADS] * LAYERS,
        "f": [[INNER]] * LAYERS,
        "p": [said(p) for p in known["p"][layers]],
    }
    if "parts" in known:
        small["parts"] = known["parts"][layers]
    if "model" in known:
        small["model"] = {slot: said(part) for slot, part in known["model"].items()}
    return Architecture.from_dict(small)


def randomised(theirs):
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(torch.randn_like(p) * 0.2)
    return theirs.eval()


def filled(architecture, theirs, outer, layer, prefix, token_types=2, **options):
    """Our encoder with their weights; what they do not have becomes zero."""
    ours = Encoder(
        architecture, VOCABULARY, max_length=LENGTH, token_types=token_types, dropout=0.0, **options
    ).eval()
    given, taken = theirs.state_dict(), {}
    rows = {"query_key_value": ("query", "key", "value"), "key_value": ("key", "value")}

    def sources(name):
        stem, _, tensor = name.rpartition(".")
        if stem.startswith("layers."):
            number, rest = stem.split(".", 2)[1:]
            place = f"{prefix}.{number}."
            if rest.startswith("mixers."):
                last = rest.rpartition(".")[2]
                return [f"{place}{layer[part]}.{tensor}" for part in rows.get(last, (last,))]
            return [f"{place}{s}.{tensor}" for s in layer[rest]]
        return outer.get(name) or [f"{s}.{tensor}" for s in outer.get(stem, [])]

    for name, own in ours.state_dict().items():
        known = [given[s] for s in sources(name) if s in given]
        taken[name] = torch.cat(known) if known else torch.zeros_like(own)
        if "positions" in name:  # RoBERTa's first position is 2
            taken[name] = taken[name][-len(own) :]
        assert taken[name].shape == own.shape, name
    ours.load_state_dict(taken)
    return ours


def require_equal(ours, theirs, mask=KEEP):
    with torch.no_grad():
        expected = theirs(TOKENS, attention_mask=mask.long()).last_hidden_state
    assert_close(ours(TOKENS, mask)[mask], expected[mask], atol=1e-5, rtol=1e-5)
    states = ours(TOKENS, mask)  # where gradients are wanted, another path
    assert_close(states[mask], expected[mask], atol=1e-5, rtol=1e-5)


SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
    "max_position_embeddings": LENGTH,
    "pad_token_id": 0,
}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
SELF = {part: f"attention.self.{part}" for part in ("query", "key", "value")}


def test_bert():
    config = BertConfig(**SIZES, **NO_DROPOUT, layer_norm_eps=1e-12)
    theirs = randomised(BertModel(config))
    ours = filled(small("bert-mini"), theirs, BERT, BERT_LAYER | SELF, "encoder.layer")
    require_equal(ours, theirs)
    pooled = theirs(TOKENS, attention_mask=KEEP.long()).pooler_output
    assert_close(ours.pooled(TOKENS, KEEP), pooled, atol=1e-5, rtol=1e-5)


def test_roberta():
    sizes = SIZES | {"max_position_embeddings": LENGTH + 2, "pad_token_id": 1}
    config = RobertaConfig(**sizes, **NO_DROPOUT, layer_norm_eps=1e-12, type_vocab_size=1)
    theirs = randomised(RobertaModel(config))
    names = BERT_LAYER | SELF
    ours = filled(small("roberta-base"), theirs, BERT, names, "encoder.layer", 1, pad_id=1)
    tokens = torch.where(KEEP, TOKENS, 1)
    expected = theirs(tokens, attention_mask=KEEP.long()).last_hidden_state
    assert_close(ours(tokens, KEEP)[KEEP], expected[KEEP], atol=1e-5, rtol=1e-5)


def test_deberta():
    config = DebertaV2Config(
        **SIZES | {"max_position_embeddings": 16},
        **NO_DROPOUT,
        layer_norm_eps=1e-12,
        type_vocab_size=0,
        relative_attention=True,
        position_buckets=4,
        max_relative_positions=16,
        pos_att_type=["c2p", "p2c"],
        share_att_key=True,
        norm_rel_ebd="layer_norm",
        position_biased_input=False,
    )
    theirs = randomised(DebertaV2Model(config))
    names = BERT_LAYER | {p: f"attention.self.{p}_proj" for p in ("query", "key", "value")}
    ours = small("deberta-v3-base", disentangled="disentangled(buckets=4,reach=16)")
    require_equal(filled(ours, theirs, BERT, names, "encoder.layer", 1), theirs)


def test_modernbert():
    config = ModernBertConfig(
        **SIZES,
        local_attention=4,
        global_attn_every_n_layers=3,
        bos_token_id=1,
        eos_token_id=2,
        cls_token_id=1,
        sep_token_id=2,
        attn_implementation="eager",
    )
    theirs = randomised(ModernBertModel(config))
    for layer in theirs.layers:  # their joined map, in the rows of ours
        query, rest = layer.attn.Wqkv.weight.data.split([WIDTH, 2 * WIDTH])
        layer.attn.query = nn.Linear(WIDTH, WIDTH, bias=False)
        layer.attn.key_value = nn.Linear(WIDTH, 2 * WIDTH, bias=False)
        layer.attn.query.weight.data, layer.attn.key_value.weight.data = query, rest
        for part, rows in zip(("key", "value"), rest.chunk(2), strict=True):
            layer.attn.register_module(part, nn.Linear(WIDTH, WIDTH, bias=False))
            getattr(layer.attn, part).weight.data = rows
    names = {p: f"attn.{p}" for p in ("query", "key", "value")} | {
        "mixed": ["attn.Wo"],
        "mixed_norm": ["attn_norm"],
        "feedforward.gated.0": ["mlp.Wi"],
        "feedforward.output": ["mlp.Wo"],
        "feedforward_norm": ["mlp_norm"],
    }
    ours = small("modernbert-base", window__64="window=2")
    require_equal(filled(ours, theirs, MODERN, names, "layers", 1), theirs)


def test_eurobert():
    config = EuroBertConfig(
        **SIZES,
        rms_norm_eps=1e-6,
        bos_token_id=1,
        eos_token_id=2,
        rope_parameters={"rope_theta": 250_000.0, "rope_type": "default"},
    )
    theirs = randomised(EuroBertModel(config))
    names = {p: f"self_attn.{p[0]}_proj" for p in ("query", "key", "value")} | {
        "mixed": ["self_attn.o_proj"],
        "mixed_norm": ["input_layernorm"],
        "feedforward.gated.0": ["mlp.gate_proj", "mlp.up_proj"],
        "feedforward.output": ["mlp.down_proj"],
        "feedforward_norm": ["post_attention_layernorm"],
    }
    require_equal(filled(small("eurobert-210m"), theirs, MODERN, names, "layers", 1), theirs)


def test_gpt2():
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=LENGTH,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        n_inner=INNER,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    theirs = randomised(GPT2Model(config))
    for layer in theirs.h:  # their maps lie the other way round, three of them in one
        names = {"attn": {"c_proj": "output"}, "mlp": {"c_fc": "first", "c_proj": "second"}}
        for home, maps in names.items():
            for own, name in maps.items():
                module = getattr(layer, home)
                module.register_module(name, _linear(getattr(module, own)))
        joined = _linear(layer.attn.c_attn)
        for i, name in enumerate(("query", "key", "value")):
            rows = nn.Linear(WIDTH, WIDTH)
            rows.weight.data, rows.bias.data = (
                part.chunk(3)[i] for part in (joined.weight.data, joined.bias.data)
            )
            layer.attn.register_module(name, rows)
    outer = {
        "embeddings.tokens.weight": ["wte.weight"],
        "embeddings.positions.weight": ["wpe.weight"],
        "output_norm": ["ln_f"],
    }
    names = {part: f"attn.{part}" for part in ("query", "key", "value")} | {
        "mixed": ["attn.output"],
        "mixed_norm": ["ln_1"],
        "feedforward.stack.0": ["mlp.first"],
        "feedforward.output": ["mlp.second"],
        "feedforward_norm": ["ln_2"],
    }
    ours = filled(small("gpt2"), theirs, outer, names, "h", 1)
    require_equal(ours, theirs)
    assert_close(ours(TOKENS[:, :4]), ours(TOKENS)[:, :4], atol=1e-6, rtol=1e-6)


def _linear(theirs):
    ours = nn.Linear(*theirs.weight.shape)
    ours.weight.data, ours.bias.data = theirs.weight.data.t(), theirs.bias.data
    return ours


def test_fnet_where_our_maps_do_nothing():
    """FNet has no maps beside its transforms, and one after the embeddings, which ours has not."""
    sizes = {k: v for k, v in SIZES.items() if k != "num_attention_heads"}
    config = FNetConfig(
        **sizes, hidden_dropout_prob=0.0, hidden_act="gelu", layer_norm_eps=1e-12, type_vocab_size=2
    )
    theirs = randomised(FNetModel(config))
    one = torch.eye(WIDTH)
    theirs.embeddings.projection.weight.data = one.clone()
    theirs.embeddings.projection.bias.data.zero_()
    names = BERT_LAYER | {
        "mixed": ["none"],
        "mixed_norm": ["fourier.output.LayerNorm"],
        "value": "none",
        "projection": "none",
    }
    ours = filled(small("fnet-base"), theirs, BERT, names, "encoder.layer")
    with torch.no_grad():
        for layer in ours.layers:
            (mixer,) = layer.mixers.values()
            # the published transform is not scaled to keep sizes
            next(mixer.parameters()).copy_(one * (LENGTH * WIDTH) ** 0.5)
            layer.mixed.weight.copy_(one)
    expected = theirs(TOKENS).last_hidden_state
    assert_close(ours(TOKENS), expected, atol=1e-4, rtol=1e-4)


# name: (configuration, longest sequence, token types, what ours has besides)
def pooler(width):
    return width * width + width


PUBLISHED = {
    "bert-base": (BertModel, BertConfig(), 512, 2, 0),
    "minilm-l6": (
        BertModel,
        BertConfig(hidden_size=384, num_hidden_layers=6, intermediate_size=1536),
        512,
        2,
        0,
    ),
    # types, positions and norm are as wide as the encoder, and theirs as the table
    "convbert-small": (
        ConvBertModel,
        ConvBertConfig(
            embedding_size=128, hidden_size=256, num_attention_heads=4, intermediate_size=1024
        ),
        512,
        2,
        pooler(256) + 128 * (512 + 2 + 2),
    ),
    # two positions that no token has
    "roberta-base": (
        RobertaModel,
        RobertaConfig(vocab_size=50_265, max_position_embeddings=514, type_vocab_size=1),
        512,
        1,
        -2 * 768,
    ),
    # one type of token, and the pooler
    "modernbert-base": (ModernBertModel, ModernBertConfig(), 8192, 1, 768 + pooler(768)),
    "ettin-17m": (
        ModernBertModel,
        ModernBertConfig(
            hidden_size=256, num_hidden_layers=7, num_attention_heads=4, intermediate_size=384
        ),
        8192,
        1,
        256 + pooler(256),
    ),
    "gpt2": (GPT2Model, GPT2Config(), 1024, 1, 768 + pooler(768)),
    "eurobert-210m": (EuroBertModel, EuroBertConfig(), 8192, 1, 768 + pooler(768)),
    "deberta-v3-base": (
        DebertaV2Model,
        DebertaV2Config(
            vocab_size=128_100,
            hidden_size=768,
            num_hidden_layers=12,
            num_attention_heads=12,
            intermediate_size=3072,
            type_vocab_size=0,
            relative_attention=True,
            position_buckets=256,
            pos_att_type=["c2p", "p2c"],
            share_att_key=True,
            norm_rel_ebd="layer_norm",
            position_biased_input=False,
        ),
        512,
        1,
        768 + pooler(768),
    ),
}


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_parameters_are_those_of_transformers_up_to_what_is_said(name):
    model, config, length, types, more = PUBLISHED[name]
    with torch.device("meta"):
        theirs = sum(p.numel() for p in model(config).parameters())
    ours = count_parameters(
        named_architecture(name),
        vocabulary_size=config.vocab_size,
        max_length=length,
        token_types=types,
    )
    assert ours - theirs == more


@pytest.mark.parametrize("name", sorted(NAMED))
def test_each_is_a_point_of_everything(name):
    known = NAMED[name]
    # what does not say its positions has those of the recipe, BERT's
    said = {"model": {"positions": "absolute"} | known.get("model", {})}
    assert Architecture.from_dict(known | said) in load_space("everything")
