"""Published encoders by name.

Source: Tuli et al., "FlexiBERT", JAIR 2023 (its models, ablations and pre-trained seeds); Turc et
al., "Well-Read Students Learn Better", 2019 (the BERT miniatures); the papers of the others bear
their names. docs/kinds.md has their sizes beside the published ones.
"""

from typing import Any

from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import UnknownName


def named_architecture(name: str) -> Architecture:
    """Return a published architecture, such as "bert-mini" or "flexibert-large".

    Raises:
        UnknownName: If no architecture has that name; capitals and underscores do not matter.
    """
    key = str(name).lower().replace("_", "-")
    if key not in NAMED:
        raise UnknownName("named architecture", name, NAMED)
    return Architecture.from_dict(NAMED[key])


def list_named_architectures() -> list[str]:
    """Return the names `named_architecture` knows."""
    return sorted(NAMED)


def _alike(layers: int, width: int, kind: tuple[str, Any] = ("sa", "sdp")) -> dict[str, Any]:
    # every layer the same, heads of width 64, feed-forward four times the width
    return _pattern((layers, width, width // 64, kind, [4 * width]))


def _pattern(*runs: tuple[int, int, int, tuple[str, Any], list[int]]) -> dict[str, Any]:
    layers = [run for run in runs for _ in range(run[0])]
    return {
        "l": len(layers),
        "o": [kind[0] for _, _, _, kind, _ in layers],
        "h": [width for _, width, _, _, _ in layers],
        "n": [heads for _, _, heads, _, _ in layers],
        "f": [list(stack) for _, _, _, _, stack in layers],
        "p": [kind[1] for _, _, _, kind, _ in layers],
    }


def _local_and_global(layers: int, width: int, heads: int, inner: int) -> dict[str, Any]:
    """ModernBERT: every third layer, from the first on, sees everything, the others a window."""
    near, far = ("attention", "bias=none,window=64"), ("attention", "bias=none")
    runs = [(1, width, heads, near if i % 3 else far, [inner]) for i in range(layers)]
    usual = {"feedforward": "glu(bias=none)", "block": "plain(bias=none)", "residual": "pre"}
    return {
        **_pattern(*runs),
        "parts": [
            usual | ({} if i else {"residual": "pre(norms=feedforward)"}) for i in range(layers)
        ],
        "model": {"positions": "rope(base=160000)", "norm": "layer(bias=none,epsilon=1e-05)"},
    }


def _without_biases(
    layers: int, width: int, heads: int, inner: int, **model: str
) -> dict[str, Any]:
    """EuroBERT and NeoBERT: LLaMA's layers, looking both ways."""
    glu = "glu(activation=silu,bias=none)"
    parts = {"feedforward": glu, "block": "plain(bias=none)", "residual": "pre"}
    return {
        **_pattern((layers, width, heads, ("attention", "bias=none"), [inner])),
        "parts": [parts] * layers,
        "model": {"embedding": "learned(norm=none)", "norm": "rms", **model},
    }


def _of_another_width(inner: int, stack: int, norm: str, **parts: str) -> dict[str, Any]:
    """MobileBERT and its teacher: 24 layers of width 512, four heads together `inner` wide."""
    return {
        "l": 24,
        "o": [[f"sa_sdp_{inner // 4}"] * 4] * 24,
        "h": [512] * 24,
        "f": [[stack]] * 24,
        "parts": [parts] * 24,
        "model": {"embedding": "trigram", "positions": "absolute", "norm": norm},
    }


ABSOLUTE = {"model": {"positions": "absolute"}}
SDP, DFT, DCT, CONVOLUTION = ("sa", "sdp"), ("l", "dft"), ("l", "dct"), ("c", 9)

NAMED: dict[str, dict[str, Any]] = {
    "bert-tiny": _alike(2, 128),
    "bert-2-256": _alike(2, 256),
    "bert-4-128": _alike(4, 128),
    "bert-mini": _alike(4, 256),
    "bert-small": _alike(4, 512),
    "bert-medium": _alike(8, 512),
    "bert-base": _alike(12, 768),
    "bert-large": _alike(24, 1024),
    "fnet-tiny": _alike(2, 128, DFT),
    "fnet-2-256": _alike(2, 256, DFT),
    "fnet-4-128": _alike(4, 128, DFT),
    "fnet-mini": _alike(4, 256, DFT),
    "convbert-tiny": _alike(2, 128, CONVOLUTION),
    "convbert-2-256": _alike(2, 256, CONVOLUTION),
    "convbert-4-128": _alike(4, 128, CONVOLUTION),
    "convbert-mini": _alike(4, 256, CONVOLUTION),
    "roberta-base": _alike(12, 768) | ABSOLUTE,
    "uno-eelbert": _pattern((2, 128, 2, SDP, [128]))
    | {"model": {"embedding": "hash-ngram", "positions": "absolute"}},
    "fnet-base": _pattern((12, 768, 1, DFT, [3072])) | ABSOLUTE,
    "convbert-small": _alike(12, 256, ("mixed-attention", ""))
    | {"model": {"embedding": "factorised(rank=128)", "positions": "absolute"}},
    "convbert-base": _pattern((12, 768, 12, ("mixed-attention", ""), [3072])) | ABSOLUTE,
    "m2-bert-base": _pattern((12, 768, 1, ("monarch", ""), [3072]))
    | {"parts": [{"feedforward": "monarch-glu"}] * 12}
    | ABSOLUTE,
    "minilm-l6": _pattern((6, 384, 12, SDP, [1536])) | ABSOLUTE,
    "deberta-v3-xsmall": _alike(12, 384) | {"model": {"positions": "disentangled"}},
    "deberta-v3-base": _alike(12, 768) | {"model": {"positions": "disentangled"}},
    "mobilebert": _of_another_width(128, 512, "none", feedforward="relu", block="bottleneck"),
    "mobilebert-tiny": _of_another_width(
        128, 512, "none", feedforward="relu", block="bottleneck(maps=2,reads=inner)"
    ),
    "ib-bert-large": _of_another_width(1024, 4096, "layer", block="inverted-bottleneck"),
    "mosaicbert-base": _alike(12, 768)
    | {
        "parts": [{"feedforward": "glu"}] * 12,
        "model": {"positions": "alibi", "norm": "low-precision-layer"},
    },
    "modernbert-base": _local_and_global(22, 768, 12, 1152),
    "ettin-17m": _local_and_global(7, 256, 4, 384),
    "eurobert-210m": _without_biases(12, 768, 12, 3072, positions="rope(base=250000)"),
    "neobert": _without_biases(28, 768, 12, 2048, positions="rope", output="untied"),
    "gpt2": _pattern((12, 768, 12, ("attention", "mask=causal"), [3072]))
    | {
        "parts": [{"feedforward": "mlp(activation=gelu-tanh)", "residual": "pre"}] * 12,
        "model": {
            "embedding": "learned(norm=none)",
            "norm": "layer(epsilon=1e-05)",
            "positions": "absolute",
        },
    },
    "flexibert-mini": _pattern((2, 256, 2, SDP, [512] * 3), (2, 128, 4, DCT, [1024])),
    "flexibert-large": _pattern((12, 1024, 8, SDP, [2048] * 3), (12, 512, 16, DCT, [4096])),
    "flexibert-no-second-order": _pattern((2, 128, 4, SDP, [1024])),
    "flexibert-no-heteroscedastic": _pattern(
        (2, 256, 4, DCT, [1024] * 3), (2, 128, 4, SDP, [512] * 3)
    ),
}
