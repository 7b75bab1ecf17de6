"""Encoders of BERT's relatives: hidden states equal to those of `transformers`, layer by layer."""

import json

import pytest
import torch
from torch.testing import assert_close
from transformers import (
    AutoModel,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    DistilBertModel,
    ElectraConfig,
    ElectraForPreTraining,
    ElectraModel,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaModel,
)

from nas.models.bert_checkpoint import load_bert, save_bert
from nas.models.bert_families import FAMILIES
from search_spaces import count_parameters
from search_spaces.errors import InvalidData

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
SIZES |= {"intermediate_size": 48, "vocab_size": 50, "max_position_embeddings": 24}
DISTIL = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "vocab_size": 50}
MODELS = {
    "bert, masked language": lambda: BertForMaskedLM(BertConfig(**SIZES)),
    "bert, relu": lambda: BertModel(BertConfig(**SIZES, hidden_act="relu")),
    "bert, gelu by tanh": lambda: BertModel(BertConfig(**SIZES, hidden_act="gelu_new")),
    "distilbert, relu": lambda: DistilBertModel(DistilBertConfig(**DISTIL, activation="relu")),
    "distilbert": lambda: DistilBertModel(DistilBertConfig(**DISTIL, max_position_embeddings=24)),
    "distilbert, masked language": lambda: DistilBertForMaskedLM(DistilBertConfig(**DISTIL)),
    "distilbert, classes": lambda: DistilBertForSequenceClassification(DistilBertConfig(**DISTIL)),
    "electra": lambda: ElectraModel(ElectraConfig(**SIZES, embedding_size=32)),
    "electra, discriminator": lambda: ElectraForPreTraining(
        ElectraConfig(**SIZES, embedding_size=32)
    ),
    "electra, small": lambda: ElectraForPreTraining(ElectraConfig(**SIZES, embedding_size=12)),
    "roberta": lambda: RobertaModel(RobertaConfig(**SIZES, type_vocab_size=1, layer_norm_eps=1e-5)),
    "roberta, masked language": lambda: RobertaForMaskedLM(
        RobertaConfig(**SIZES, type_vocab_size=1, layer_norm_eps=1e-5)
    ),
}


def spread(model):
    with torch.no_grad():  # far from the small starting weights, which would hide differences
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


@pytest.mark.parametrize("name", MODELS)
def test_hidden_states_are_those_of_transformers(name, tmp_path):
    torch.manual_seed(0)
    spread(MODELS[name]()).save_pretrained(tmp_path)
    encoder, theirs = load_bert(tmp_path), AutoModel.from_pretrained(tmp_path).eval()
    keep = torch.arange(9) < torch.tensor([[9], [2], [5]])
    pad = theirs.config.pad_token_id
    tokens = torch.randint(5, 50, (3, 9)).masked_fill(~keep, pad)
    with torch.no_grad():
        expected = theirs(tokens, keep.long(), output_hidden_states=True).hidden_states
        found = encoder.states(tokens, keep)
    assert len(found) == len(expected) == 3
    for mine, its in zip(found, expected, strict=True):
        assert_close(mine[keep], its[keep], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "gelu_new"])
def test_another_activation_is_a_point_that_goes_back(activation, tmp_path):
    spread(BertModel(BertConfig(**SIZES, hidden_act=activation))).save_pretrained(tmp_path / "a")
    encoder = load_bert(tmp_path / "a")
    save_bert(encoder, tmp_path / "b")
    tokens = torch.randint(5, 50, (2, 7))
    with torch.no_grad():
        given, back = (
            AutoModel.from_pretrained(tmp_path / name).eval()(tokens) for name in ("a", "b")
        )
    assert back.last_hidden_state.equal(given.last_hidden_state)


def test_every_family_is_tried():
    tried = {name.partition(",")[0] for name in MODELS}
    assert tried == set(FAMILIES)


def test_another_epsilon_is_a_point_that_goes_back(tmp_path):
    spread(RobertaModel(RobertaConfig(**SIZES, type_vocab_size=1, layer_norm_eps=1e-5)))
    model = spread(RobertaModel(RobertaConfig(**SIZES, type_vocab_size=1, layer_norm_eps=1e-5)))
    model.save_pretrained(tmp_path / "a")
    encoder = load_bert(tmp_path / "a")
    assert str(encoder.architecture.part("norm")) == "layer(epsilon=1e-05)"
    save_bert(encoder, tmp_path / "b")
    assert json.loads((tmp_path / "b" / "config.json").read_text())["layer_norm_eps"] == 1e-5
    tokens = torch.randint(5, 50, (2, 7))
    theirs = AutoModel.from_pretrained(tmp_path / "b").eval()
    with torch.no_grad():
        assert_close(theirs(tokens).last_hidden_state, encoder(tokens), atol=1e-5, rtol=1e-5)


def test_a_narrow_electra_is_a_point_that_no_bert_is(tmp_path):
    ElectraModel(ElectraConfig(**SIZES, embedding_size=16)).save_pretrained(tmp_path / "a")
    encoder = load_bert(tmp_path / "a")
    assert str(encoder.architecture.part("embedding")) == "projected(rank=16)"
    assert sum(p.numel() for p in encoder.parameters()) == count_parameters(
        encoder.architecture, vocabulary_size=50, max_length=24
    )
    with pytest.raises(InvalidData, match=r"cannot be a BertModel: .*projected\(rank=16\)"):
        save_bert(encoder, tmp_path / "b")


def test_a_number_that_bert_does_not_know_changes_nothing(tmp_path):
    BertModel(BertConfig(**SIZES, embedding_size=16)).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["embedding_size"] == 16
    assert load_bert(tmp_path).architecture.part("embedding").kind == "learned"


@pytest.mark.parametrize("said", [24, 0, "narrow", None])
def test_a_narrow_electra_with_a_wrong_width_is_refused(said, tmp_path):
    ElectraModel(ElectraConfig(**SIZES, embedding_size=16)).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"embedding_size": said}))
    with pytest.raises(InvalidData, match="embedding_size"):
        load_bert(tmp_path)


@pytest.mark.parametrize("files", [("pytorch_model.bin",), ("model.safetensors.index.json",)])
def test_weights_in_other_files_are_refused_with_the_way_to_convert(files, tmp_path):
    spread(BertForMaskedLM(BertConfig(**SIZES))).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    for name in files:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InvalidData, match=r"Convert it once: python -c .*save_pretrained"):
        load_bert(tmp_path)
