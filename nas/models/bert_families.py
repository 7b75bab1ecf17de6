"""Encoders that are BERT under other names: their configurations and tensors in BERT's words.

Sources: Devlin et al., "BERT", NAACL 2019; Sanh et al., "DistilBERT", 2019; Clark et al.,
"ELECTRA", ICLR 2020; Liu et al., "RoBERTa", 2019; the names are those of `transformers`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from search_spaces.registry import Registry

Config, Tensors = dict[str, Any], dict[str, Tensor]

# model_type of a configuration -> (configuration, tensors) to the same in the words of BERT
FAMILIES: Registry[Callable[[Config, Tensors], tuple[Config, Tensors]]] = Registry(
    "family of encoders", group="nas.checkpoints"
)


@FAMILIES.register("bert")
def bert(config: Config, tensors: Tensors) -> tuple[Config, Tensors]:
    """BERT, MiniLM and whatever else is a `BertModel`, with any head on top."""
    # a model with a head on top keeps its encoder under this name; old files name norms otherwise
    renamed = {}
    for name, value in tensors.items():
        name = name.removeprefix("bert.")
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight")
        renamed[name.replace("LayerNorm.beta", "LayerNorm.bias")] = value
    return config, renamed


_ELECTRA_EMBEDDING = 128  # where a configuration does not say


@FAMILIES.register("electra")
def electra(config: Config, tensors: Tensors) -> tuple[Config, Tensors]:
    """A discriminator or generator; small ones have embeddings narrower than their layers."""
    return {"embedding_size": _ELECTRA_EMBEDDING, **config}, {
        name.removeprefix("electra."): value for name, value in tensors.items()
    }


_DISTILBERT = {
    "attention.q_lin": "attention.self.query",
    "attention.k_lin": "attention.self.key",
    "attention.v_lin": "attention.self.value",
    "attention.out_lin": "attention.output.dense",
    "sa_layer_norm": "attention.output.LayerNorm",
    "ffn.lin1": "intermediate.dense",
    "ffn.lin2": "output.dense",
    "output_layer_norm": "output.LayerNorm",
}
_DISTILBERT_KEYS = {
    "dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "hidden_dim": "intermediate_size",
    "activation": "hidden_act",
    "dropout": "hidden_dropout_prob",
}


@FAMILIES.register("distilbert")
def distilbert(config: Config, tensors: Tensors) -> tuple[Config, Tensors]:
    """DistilBERT: no token types, so that they are all the same zero."""
    changed = {_DISTILBERT_KEYS.get(key, key): value for key, value in config.items()}
    renamed = {}
    for name, value in tensors.items():
        name = name.removeprefix("distilbert.")
        if name.startswith("transformer.layer."):
            number, _, rest = name.removeprefix("transformer.layer.").partition(".")
            stem, _, kind = rest.rpartition(".")
            name = f"encoder.layer.{number}.{_DISTILBERT.get(stem, stem)}.{kind}"
        renamed[name] = value
    return _one_type({**changed, "type_vocab_size": 2}, renamed)


@FAMILIES.register("roberta")
def roberta(config: Config, tensors: Tensors) -> tuple[Config, Tensors]:
    """RoBERTa: positions are counted from behind the id of padding."""
    renamed = {name.removeprefix("roberta."): value for name, value in tensors.items()}
    first = (config.get("pad_token_id") or 0) + 1
    table = "embeddings.position_embeddings.weight"
    if table in renamed:
        renamed[table] = renamed[table][first:]
    longest = config["max_position_embeddings"] - first
    changed = {**config, "max_position_embeddings": longest, "pad_token_id": 0}
    if config.get("type_vocab_size") == 1:
        return _one_type({**changed, "type_vocab_size": 2}, renamed)
    return changed, renamed


def _one_type(config: Config, tensors: Mapping[str, Tensor]) -> tuple[Config, Tensors]:
    """Give an encoder two token types that are the same."""
    name = "embeddings.token_type_embeddings.weight"
    row = tensors.get(name)
    if row is None:  # as wide as there are, whatever the configuration says
        row = torch.zeros(1, tensors["embeddings.word_embeddings.weight"].shape[1])
    return config, {**tensors, name: row[:1].repeat(2, 1)}
