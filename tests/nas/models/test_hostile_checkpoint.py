"""Configurations of trained encoders that ask for what their tensors do not have: one message."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import DistilBertConfig, DistilBertModel

from nas.models.checkpoints import load_encoder
from search_spaces.errors import NasError

HUGE = (10**9, 10**12, 2**63, 10**400)
SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size",
    "max_position_embeddings", "type_vocab_size",
)  # fmt: skip
DISTILBERT = ("vocab_size", "dim", "n_layers", "hidden_dim", "max_position_embeddings")
NO_IDS = (10**9, 2**63, -1, "16", 1.5, [16], float("nan"), "x" * 5000, True)
ODD = {
    "global_attn_every_n_layers": (0, "x", []), "rope_parameters": (5, [1]),
    "layer_types": (5, [[]], ["x"]), "local_attention": ("x", None, [], float("inf")),
    "norm_eps": ("x", -1), "hidden_activation": ([], 5),
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory, make_checkpoint, make_modernbert):
    place = tmp_path_factory.mktemp("checkpoints")
    make_checkpoint(place / "bert")
    make_modernbert(place / "modernbert")
    sizes = {"vocab_size": 50, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}
    DistilBertModel(DistilBertConfig(**sizes)).save_pretrained(place / "distilbert")
    return place


def refusal(folders, tmp_path, family, key, value):
    """Return the message about a checkpoint whose configuration has another value."""
    folder = shutil.copytree(folders / family, tmp_path / "changed")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: value}))
    with pytest.raises(NasError) as caught:
        load_encoder(folder, dropout=0.0)
    assert len(str(caught.value)) < 1000 + len(str(folder))
    return str(caught.value)


@pytest.mark.parametrize("value", HUGE, ids=lambda value: f"{len(str(value))} digits")
@pytest.mark.parametrize(
    ("family", "key"),
    [
        *(("bert", key) for key in SIZES),
        *(("distilbert", key) for key in DISTILBERT),
        *(("modernbert", key) for key in SIZES[:5]),
    ],
)
def test_nothing_is_built_of_numbers_that_the_tensors_do_not_have(
    folders, tmp_path, family, key, value
):
    said = refusal(folders, tmp_path, family, key, value)
    assert any(words in said for words in ("asks for", "max_position_embeddings", "layer_types"))


@pytest.mark.parametrize("shape", [(32, 32, 1), (1024,), (31, 32), (0, 32)], ids=str)
def test_parts_that_are_joined_are_alike(folders, tmp_path, shape):
    folder = shutil.copytree(folders / "bert", tmp_path / "changed")
    tensors = load_file(folder / "model.safetensors")
    name = "encoder.layer.0.attention.self.key.weight"
    save_file({**tensors, name: torch.zeros(shape)}, folder / "model.safetensors")
    with pytest.raises(NasError, match=r"self.key.weight' has the shape .*asks for \(32, 32\)"):
        load_encoder(folder, dropout=0.0)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_are_finite(folders, tmp_path, value):
    folder = shutil.copytree(folders / "bert", tmp_path / "changed")
    tensors = load_file(folder / "model.safetensors")
    name = "encoder.layer.1.output.dense.weight"
    tensors[name][3, 2] = value
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(NasError, match=f"'{name}' has numbers that are NaN or infinite"):
        load_encoder(folder, dropout=0.0)


@pytest.mark.parametrize("value", NO_IDS, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert"])
def test_padding_is_one_of_the_tokens(folders, tmp_path, family, value):
    said = refusal(folders, tmp_path, family, "pad_token_id", value)
    assert "pad_token_id" in said
    assert "none of its" in said


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, some in ODD.items() for v in some])
def test_a_modernbert_of_another_form(folders, tmp_path, key, value):
    refusal(folders, tmp_path, "modernbert", key, value)
