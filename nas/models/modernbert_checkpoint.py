"""ModernBERT checkpoints of Hugging Face as encoders of the space.

Source: Warner et al., "Smarter, Better, Faster, Longer: A Modern Bidirectional Encoder", ACL 2025;
the names are those of `transformers`.
Differs on purpose: a pooler and two types of token, both zero, that ModernBERT does not have, so
that the encoder is used as every other.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.models.checkpoint_files import CONFIG, WEIGHTS, read_weights
from nas.models.checkpoint_sizes import (
    LONGEST,
    pad_id_of,
    read_as_said,
    require_numbers,
    require_sizes,
)
from nas.models.encoder import Encoder
from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidData

_NEEDED = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings",
)  # fmt: skip
_WINDOWS = ("local_attention", "global_attn_every_n_layers")  # numbers, where they are said
_SIZES = {
    "vocab_size": ("embeddings.tok_embeddings.weight", 0),
    "hidden_size": ("embeddings.tok_embeddings.weight", 1),
    "intermediate_size": ("layers.0.mlp.Wo.weight", 1),
}
_OUTER = {
    "embeddings.tokens": "embeddings.tok_embeddings",
    "embeddings.norm": "embeddings.norm",
    "output_norm": "final_norm",
}
_LAYER = {
    "mixed": "attn.Wo",
    "mixed_norm": "attn_norm",
    "feedforward.gated.0": "mlp.Wi",
    "feedforward.output": "mlp.Wo",
    "feedforward_norm": "mlp_norm",
}
_JOINED = "attn.Wqkv"  # queries, keys and values in the rows of one map
_FULL, _LOCAL = "full_attention", "sliding_attention"


def load_modernbert(
    folder: Path, config: dict[str, Any], *, dropout: float | None = None
) -> Encoder:
    """Build the encoder that a `ModernBertModel` checkpoint holds, in evaluation mode.

    A head on top is left behind.

    Args:
        folder: With model.safetensors.
        config: What its config.json says.
        dropout: Probability that a feature is zeroed in training; None as the checkpoint says.

    Raises:
        InvalidData: It is ModernBERT in a form the space does not have, or not complete.
    """
    require_numbers(config, (*_NEEDED, *(name for name in _WINDOWS if name in config)), folder)
    if config["max_position_embeddings"] > LONGEST:  # its positions are turned, not looked up
        raise InvalidData(
            f"{folder / CONFIG} has max_position_embeddings "
            f"{config['max_position_embeddings']!r:.30}, and an encoder here reads at most "
            f"{LONGEST:,} tokens. Correct it."
        )
    # a model with a head on top keeps its encoder under this name
    theirs = {name.removeprefix("model."): v for name, v in read_weights(folder).items()}
    if config.get("layer_types"):  # says more of a wrong number of layers than their tensors do
        with read_as_said(folder):
            layer_kinds(config)
    require_sizes(config, theirs, _SIZES, "layers.", folder)
    with read_as_said(folder):
        architecture = modernbert_architecture(config)
    encoder = Encoder(
        architecture,
        config["vocab_size"],
        max_length=config["max_position_embeddings"],
        dropout=config.get("mlp_dropout", 0.0) if dropout is None else dropout,
        pad_id=pad_id_of(config, folder),
    )
    own = encoder.state_dict()
    taken = {name: _taken(name, value, theirs, folder) for name, value in own.items()}
    encoder.load_state_dict(taken)
    return encoder.eval()


def modernbert_architecture(config: Mapping[str, Any]) -> Architecture:
    """Return the point of the space that a ModernBERT configuration describes.

    Raises:
        InvalidData: It asks for something the space does not have.
    """
    activation = config.get("hidden_activation", "gelu")
    if activation not in ("gelu", "silu"):
        raise InvalidData(
            f"The checkpoint's hidden_activation is {activation!r}, and gated feed-forwards of the "
            "space have gelu or silu. Give a checkpoint with one of these."
        )
    bases = _bases(config)
    kinds = layer_kinds(config)
    near = f"window={max(1, config.get('local_attention', 128) // 2)}"
    bias, gated = (
        "" if config.get(f"{part}_bias") else "bias=none" for part in ("attention", "mlp")
    )
    norm = "" if config.get("norm_bias") else "bias=none,"
    usual = {
        "feedforward": _part(
            "glu", "" if activation == "gelu" else f"activation={activation}", gated
        ),
        "block": _part("plain", bias),
        "residual": "pre",
    }
    layers = len(kinds)
    return Architecture.from_dict(
        {
            "l": layers,
            "o": ["attention"] * layers,
            "p": [_settings(bias, near if kind == _LOCAL else "") for kind in kinds],
            "h": [config["hidden_size"]] * layers,
            "n": [config["num_attention_heads"]] * layers,
            "f": [[config["intermediate_size"]]] * layers,
            # the first mixer reads what the norm of the embeddings gave
            "parts": [{**usual, "residual": "pre(norms=feedforward)"}, *[usual] * (layers - 1)],
            "model": {
                "positions": f"rope(base={bases[_FULL]},local={bases[_LOCAL]})",
                "norm": f"layer({norm}epsilon={config.get('norm_eps', 1e-5)!r})",
            },
        }
    )


def layer_kinds(config: Mapping[str, Any]) -> list[str]:
    """Return of each layer whether it sees everything or a window, in the words of `transformers`.

    Raises:
        InvalidData: There is something else.
    """
    every = config.get("global_attn_every_n_layers", 3)
    kinds = config.get("layer_types") or [
        _LOCAL if i % every else _FULL for i in range(config["num_hidden_layers"])
    ]
    if len(kinds) != config["num_hidden_layers"] or not set(kinds) <= {_FULL, _LOCAL}:
        raise InvalidData(
            f"The checkpoint's layer_types are {kinds!r:.80} for {config['num_hidden_layers']} "
            f"layers. Give a checkpoint of ModernBERT: {_FULL} or {_LOCAL} for each."
        )
    return list(kinds)


def _bases(config: Mapping[str, Any]) -> dict[str, int]:
    """Return the base of rotary positions, by kind of layer."""
    found = {}
    for kind, old, usual in ((_FULL, "global", 160_000), (_LOCAL, "local", 10_000)):
        given = (config.get("rope_parameters") or {}).get(kind)
        base = config.get(f"{old}_rope_theta", usual) if given is None else given["rope_theta"]
        turned = "default" if given is None else given.get("rope_type", "default")
        # older files say nothing of local layers where all have one base
        base = found.get(_FULL) if base is None else base
        if turned != "default" or int(base) != base:
            raise InvalidData(
                f"The checkpoint's rotary positions are {turned!r} with the base {base!r}, and "
                "those of the space have a whole base and no scaling. Give a checkpoint with "
                "these."
            )
        found[kind] = int(base)
    return found


def _taken(name: str, own: Tensor, theirs: Mapping[str, Tensor], folder: Path) -> Tensor:
    """Return what a tensor of ours is in the checkpoint."""
    stem, _, tensor = name.rpartition(".")
    if name.startswith("pooler"):
        return own
    if name == "embeddings.types.weight":
        return torch.zeros_like(own)
    rows = slice(None)
    if stem in _OUTER:
        source = f"{_OUTER[stem]}.{tensor}"
    else:
        _, number, inner = stem.split(".", 2)
        place = inner
        if inner.startswith("mixers."):
            third = len(own) if inner.endswith(".query") else len(own) // 2
            rows = slice(0, third) if inner.endswith(".query") else slice(third, 3 * third)
        source = f"layers.{number}.{_LAYER.get(place, _JOINED)}.{tensor}"
    if source not in theirs:
        raise InvalidData(
            f"{folder / WEIGHTS} has no tensor {source!r}. Give a folder that "
            "ModernBertModel.save_pretrained wrote."
        )
    value = theirs[source]
    whole = value[rows] if value.dim() else value
    if whole.shape != own.shape or (rows.stop and len(value) != 3 * third):
        raise InvalidData(
            f"{folder / WEIGHTS}: {source!r} has the shape {tuple(value.shape)}, which is not what "
            f"{CONFIG} asks for. Put back the files that belong together."
        )
    return whole.to(own.dtype).clone()


def _settings(*given: str) -> str:
    return ",".join(text for text in given if text)


def _part(kind: str, *given: str) -> str:
    settings = _settings(*given)
    return f"{kind}({settings})" if settings else kind
