"""BERT checkpoints of Hugging Face as encoders of the space, and back.

A folder that `transformers.BertModel.save_pretrained` wrote becomes an `Encoder`; an encoder whose
layers are all alike, scaled dot products with absolute positions, becomes a `BertModel`. Outputs
are equal, up to the order of additions.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from nas.models.bert_families import FAMILIES
from nas.models.checkpoint_files import CONFIG, WEIGHTS, read_config, read_weights
from nas.models.checkpoint_sizes import pad_id_of, read_as_said, require_numbers, require_sizes
from nas.models.encoder import Encoder
from nas.models.norms.layer import NORM_EPSILON
from nas.whole_files import whole_file, write_whole
from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidData
from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS, SLOTS

_NEEDED = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size",
)  # fmt: skip
_TABLE = "embeddings.word_embeddings.weight"
_SIZES = {
    "vocab_size": (_TABLE, 0),
    "hidden_size": (_TABLE, 1),
    "max_position_embeddings": ("embeddings.position_embeddings.weight", 0),
    "type_vocab_size": ("embeddings.token_type_embeddings.weight", 0),
    "intermediate_size": ("encoder.layer.0.intermediate.dense.weight", 0),
}
# where vectors that are summed are narrower than the layers, as in small ELECTRAs
_NARROW_SIZES = {
    **_SIZES,
    "hidden_size": ("embeddings_project.weight", 0),
    "embedding_size": (_TABLE, 1),
}
_OUTER = {
    "embeddings.tokens.table.weight": _TABLE,
    "embeddings.tokens.map": "embeddings_project",
    "embeddings.tokens.weight": "embeddings.word_embeddings.weight",
    "embeddings.types.weight": "embeddings.token_type_embeddings.weight",
    "embeddings.positions.weight": "embeddings.position_embeddings.weight",
    "embeddings.norm": "embeddings.LayerNorm",
    "pooler": "pooler.dense",
}
_LAYER = {
    "mixed": "attention.output.dense",
    "mixed_norm": "attention.output.LayerNorm",
    "feedforward.stack.0": "intermediate.dense",
    "feedforward.output": "output.dense",
    "feedforward_norm": "output.LayerNorm",
}
_JOINED = "mixers.sa_sdp.query_key_value"
# a checkpoint's hidden_act -> the feed-forward of the space; of several, the first is written
_FEEDFORWARDS = {
    "gelu": "mlp",
    "gelu_python": "mlp",
    "gelu_new": "mlp(activation=gelu-tanh)",
    "gelu_pytorch_tanh": "mlp(activation=gelu-tanh)",
    "gelu_fast": "mlp(activation=gelu-tanh)",
    "relu": "relu",
}
_PARTS = tuple(f"attention.self.{part}" for part in ("query", "key", "value"))


def load_bert(folder: str | Path, *, dropout: float | None = None) -> Encoder:
    """Build the encoder that a `BertModel` checkpoint holds, in evaluation mode.

    Heads on top, such as the one that predicts masked tokens, are left behind; a checkpoint without
    a pooler gets a new one.

    Args:
        folder: With config.json and model.safetensors.
        dropout: Probability that a feature is zeroed in training; None as the checkpoint says.

    Raises:
        InvalidData: The folder holds no such checkpoint, or BERT in a form the space does not have.
    """
    folder = Path(folder)
    config, theirs = _read(folder)
    encoder = Encoder(
        bert_architecture(config),
        config["vocab_size"],
        max_length=config["max_position_embeddings"],
        token_types=config["type_vocab_size"],
        dropout=config.get("hidden_dropout_prob", 0.1) if dropout is None else dropout,
        pad_id=pad_id_of(config, folder),
    )
    own = encoder.state_dict()
    taken: dict[str, Tensor] = {}
    for name, sources in _sources(own).items():
        missing = [source for source in sources if source not in theirs]
        if missing and name.startswith("pooler"):
            taken[name] = own[name]
            continue
        if missing:
            raise InvalidData(
                f"{folder / WEIGHTS} has no tensor {missing[0]!r}. "
                "Give a folder that BertModel.save_pretrained wrote."
            )
        rows, *others = own[name].shape
        wanted = (rows // len(sources), *others)
        for source in sources:
            if theirs[source].shape != wanted:
                raise InvalidData(
                    f"{folder / WEIGHTS}: {source!r} has the shape {tuple(theirs[source].shape)}, "
                    f"but {CONFIG} asks for {wanted}. Put back the files that belong together."
                )
        value = torch.cat([theirs[source] for source in sources]).to(own[name].dtype)
        taken[name] = value
    encoder.load_state_dict(taken)
    return encoder.eval()


def save_bert(encoder: Encoder, folder: str | Path) -> None:
    """Write `encoder` as a folder that `transformers.BertModel.from_pretrained` loads.

    Args:
        encoder: All layers alike: heads "sa_sdp" as wide as the layer together, one inner
            feed-forward layer; absolute positions.
        folder: Made if absent; its config.json and model.safetensors are replaced.

    Raises:
        InvalidData: The encoder is not of BERT's form; the message names what differs.
    """
    config, theirs = in_words_of_bert(encoder)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / WEIGHTS) as partial:
        save_file(theirs, partial, metadata={"format": "pt"})
    write_whole(folder / CONFIG, json.dumps(config, indent=2) + "\n")


def in_words_of_bert(encoder: Encoder) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the configuration and the tensors of the `BertModel` that an encoder is.

    Raises:
        InvalidData: It is not of BERT's form; the message names what differs.
    """
    layer = require_bert(encoder)
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": next(
            act for act, part in _FEEDFORWARDS.items() if part == str(layer.part("feedforward"))
        ),
        "hidden_size": layer.width,
        "num_hidden_layers": len(encoder.layers),
        "num_attention_heads": len(layer.heads),
        "intermediate_size": layer.feedforward[0],
        "vocab_size": encoder.vocabulary_size,
        "max_position_embeddings": encoder.max_length,
        "type_vocab_size": encoder.embeddings.types.num_embeddings,
        "layer_norm_eps": encoder.embeddings.norm.eps,
        "hidden_dropout_prob": encoder.embeddings.dropout.p,
        "attention_probs_dropout_prob": 0.0,  # as the encoder was trained
        "pad_token_id": encoder.pad_id,
        "position_embedding_type": "absolute",
    }
    own = encoder.state_dict()
    theirs: dict[str, Tensor] = {}
    for name, targets in _sources(own).items():
        parts = own[name].detach().cpu().chunk(len(targets))
        theirs |= {t: part.clone() for t, part in zip(targets, parts, strict=True)}
    return config, theirs


def bert_architecture(config: dict[str, Any]) -> Architecture:
    """Return the point of the space that a BERT configuration describes.

    Raises:
        InvalidData: It asks for something the space does not have, such as another activation.
    """
    wanted = {
        "hidden_act": (*_FEEDFORWARDS, None),
        "position_embedding_type": ("absolute", None),
        "is_decoder": (False, None),
    }
    for key, allowed in wanted.items():
        if config.get(key) not in allowed:
            known = " or ".join(repr(value) for value in allowed if value is not None)
            raise InvalidData(
                f"The checkpoint's {key} is {config.get(key)!r}, and BERT encoders of the space "
                f"have {known}. Give a checkpoint of BertModel with it."
            )
    layers = config["num_hidden_layers"]
    described = {
        "o": "sa",
        "p": "sdp",
        "h": config["hidden_size"],
        "n": config["num_attention_heads"],
        "f": [config["intermediate_size"]],
    }
    epsilon = config.get("layer_norm_eps") or NORM_EPSILON
    model = {} if epsilon == NORM_EPSILON else {"norm": f"layer(epsilon={epsilon!r})"}
    if _narrow(config):
        model["embedding"] = f"projected(rank={config['embedding_size']})"
    model = {"model": model} if model else {}
    lists = {k: [v] * layers for k, v in described.items()}
    parts = {}
    if (feedforward := _FEEDFORWARDS[config.get("hidden_act") or "gelu"]) != "mlp":
        parts = {"parts": [{"feedforward": feedforward}] * layers}
    return Architecture.from_dict({"l": layers, **lists, **parts, **model})


def _narrow(config: dict[str, Any]) -> bool:
    """Whether vectors that are summed are of another width than the layers."""
    return config.get("embedding_size", config["hidden_size"]) != config["hidden_size"]


def require_bert(encoder: Encoder) -> Any:
    """Return the layer that all layers of an encoder are like.

    Raises:
        InvalidData: It is not of BERT's form; the message names what differs.
    """
    layers = encoder.architecture.layers
    first = layers[0]
    kinds = sorted({head.kind for layer in layers for head in layer.heads})
    usual = {slot: SLOTS[slot].default_part for slot in (*LAYER_SLOTS, *MODEL_SLOTS)}
    special = sorted(
        {
            f"{slot}={part}"
            for slots, owners in ((LAYER_SLOTS, layers), (MODEL_SLOTS, [encoder.architecture]))
            for slot in slots
            for part in (owner.part(slot) for owner in owners)
            if slot != "positions"
            and part != usual[slot]
            and part.kind != "layer"
            and not (slot == "feedforward" and str(part) in _FEEDFORWARDS.values())
        }
    )
    shapes = {
        (layer.width, len(layer.heads), tuple(layer.feedforward), layer.parts) for layer in layers
    }
    reasons = {
        f"its heads are {', '.join(kinds)}, not sa_sdp alone": kinds != ["sa_sdp"],
        "its layers differ from each other": len(shapes) > 1,
        "it stacks several feed-forward layers": len(first.feedforward) > 1,
        "its heads together are not as wide as the layer": (
            sum(h.width for h in first.heads) != first.width
        ),
        "its positions are relative": encoder.layers[0].distances is not None,
        "its positions are not learned": encoder.embeddings.positions is None,
        f"it has {', '.join(special)}": bool(special),
    }
    found = [reason for reason, applies in reasons.items() if applies]
    if found:
        raise InvalidData(
            f"This encoder cannot be a BertModel: {found[0]}. Export it with nas export, which "
            "writes any architecture for AutoModel."
        )
    return first


def _sources(own: dict[str, Tensor]) -> dict[str, list[str]]:
    """Names of our tensors to the names of the tensors of `BertModel` they are made of."""
    found = {}
    for name in own:
        if name in _OUTER:
            found[name] = [_OUTER[name]]
            continue
        stem, _, kind = name.rpartition(".")
        if not stem.startswith("layers."):
            found[name] = [f"{_OUTER[stem]}.{kind}"]
            continue
        _, number, inner = stem.split(".", 2)
        theirs = _PARTS if inner == _JOINED else (_LAYER[inner],)
        found[name] = [f"encoder.layer.{number}.{part}.{kind}" for part in theirs]
    return found


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a checkpoint's configuration and tensors in the words of BERT, checked."""
    config = read_config(folder)
    family = config.get("model_type")
    if not isinstance(family, str) or family not in FAMILIES:
        raise InvalidData(
            f"The checkpoint's model_type is {family!r}, which cannot be read as an encoder. Read "
            f"are {', '.join(sorted(FAMILIES))}. Give a checkpoint of one of these."
        )
    tensors = read_weights(folder)
    with read_as_said(folder):
        config, tensors = FAMILIES[family](config, tensors)
    require_numbers(config, _NEEDED, folder)
    if _NARROW_SIZES["hidden_size"][0] not in tensors:  # without that map the number says nothing
        config = {key: value for key, value in config.items() if key != "embedding_size"}
    if _narrow(config):
        require_numbers(config, ("embedding_size",), folder)
    sizes = _NARROW_SIZES if _narrow(config) else _SIZES
    require_sizes(config, tensors, sizes, "encoder.layer.", folder)
    return config, tensors
