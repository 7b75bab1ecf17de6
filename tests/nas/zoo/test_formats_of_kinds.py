"""What positions, norms, embeddings and residuals do is the same in other formats."""

import pytest
import torch

from nas.models.hf import FlexiBertConfig, FlexiBertModel
from nas.zoo.formats import FORMATS, write_format
from nas.zoo.graphs import Graph
from search_spaces import Architecture

MODELS = {
    "hash-ngram": {"embedding": "hash-ngram(map=linear)", "output": "untied"},
    "rope": {"positions": "rope(base=100)"},
    "alibi": {"positions": "alibi"},
    "disentangled": {"positions": "disentangled(buckets=4,reach=16)"},
    "trigram": {"embedding": "trigram(rank=4)", "norm": "none", "positions": "absolute"},
    "factorised": {"embedding": "factorised(rank=4)", "norm": "low-precision-layer"},
    "bare": {"embedding": "learned(norm=none)", "norm": "layer(bias=none)"},
}
PARTS = [{"residual": "pre(norms=feedforward)"}, {"block": "plain(bias=none)"}]
# heads inside are as wide as they are
NARROW = [
    {"block": "bottleneck(inner=8,maps=2)", "residual": "mixed", "feedforward": "relu"},
    {"block": "inverted-bottleneck(inner=32)", "residual": "mixed(norm=pre)"},
]
ROUTED = {"moe-attention": "moe-attention_8", "moe-attention of 3": "moe-attention(experts=3)_8"}
HEADS = [
    "attention(window=2)_8",
    "attention(bias=none,gate=gelu,queries=2)_8",
    "attention(mask=causal)_8",
    "sa_sdp_8",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "parts"),
    [(said, PARTS) for said in MODELS.values()] + [(MODELS["trigram"], NARROW)],
    ids=[*MODELS, "narrow"],
)
@pytest.mark.parametrize("name", FORMATS)
def test_each_in_each_format(tmp_path, name, said, parts):
    architecture = Architecture.from_dict(
        {
            "l": 2,
            "o": [HEADS] * 2,
            "h": [16, 24],
            "f": [[24]] * 2,
            "parts": parts,
            "model": said,
        }
    )
    config = FlexiBertConfig.from_architecture(architecture, 50, max_length=20)
    made = FlexiBertModel(config).eval()
    for parameter in made.parameters():  # far from where nothing shows
        torch.nn.init.normal_(parameter, std=0.2)
    write_format(name, Graph(made), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("head", ROUTED.values(), ids=list(ROUTED))
@pytest.mark.parametrize("positions", ["absolute", "alibi"])
@pytest.mark.parametrize("name", FORMATS)
def test_heads_whose_maps_a_router_chooses(tmp_path, name, positions, head):
    """Each token passes through all experts there, since no shape may depend on what is read."""
    layers = {"l": 2, "o": [[head, "sa_sdp_8"]] * 2, "h": [16, 16], "f": [[24]] * 2}
    architecture = Architecture.from_dict(layers | {"model": {"positions": positions}})
    config = FlexiBertConfig.from_architecture(architecture, 50, max_length=20)
    made = FlexiBertModel(config).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    write_format(name, Graph(made), tmp_path)
