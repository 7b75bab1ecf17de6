"""The transformers classes give what the encoder gives, and behave as transformers expects."""

import pytest
import torch
from torch.testing import assert_close
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM

from nas.models.encoder import Encoder
from nas.models.hf import (
    FlexiBertConfig,
    FlexiBertForMaskedLM,
    FlexiBertForSequenceClassification,
    FlexiBertModel,
    register_with_transformers,
)
from search_spaces import Architecture

ARCHITECTURE = Architecture.from_dict(
    {
        "l": 2,
        "o": [["sa_sdp_8", "l_dft_8"], ["c_5_8", "sa_wma_8", "l_dct_8"]],
        "h": [16, 24],
        "f": [[32], [24, 24]],
    }
)
IDS = torch.tensor([[2, 9, 8, 3], [2, 7, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


def config(**options):
    return FlexiBertConfig.from_architecture(ARCHITECTURE, 40, max_length=16, **options)


@pytest.mark.parametrize("positions", ["absolute", "relative"])
def test_model_is_the_encoder(positions):
    model = FlexiBertModel(config(positions=positions)).eval()
    encoder = Encoder(ARCHITECTURE, 40, max_length=16, positions=positions).eval()
    encoder.load_state_dict(model.encoder.state_dict())
    output = model(input_ids=IDS, attention_mask=MASK)
    hidden = encoder(IDS, MASK.bool())
    assert torch.equal(output.last_hidden_state, hidden)
    assert torch.equal(output.pooler_output, encoder.pool(hidden))
    types = torch.tensor([[0, 0, 1, 1]] * 2)
    assert torch.equal(
        model(IDS, MASK, types, return_dict=False)[0], encoder(IDS, MASK.bool(), types)
    )
    assert torch.equal(model(IDS).last_hidden_state, encoder(IDS))


def test_config_survives_json(tmp_path):
    original = config(positions="relative", dropout=0.3)
    original.save_pretrained(tmp_path)
    loaded = FlexiBertConfig.from_pretrained(tmp_path)
    assert loaded.to_dict() == original.to_dict()
    assert (loaded.hidden_size, loaded.num_hidden_layers) == (24, 2)
    assert loaded.layers[1]["heads"] == ["c_5_8", "sa_wma_8", "l_dct_8"]
    FlexiBertModel(FlexiBertConfig())  # transformers builds empty ones


def test_masked_language_model():
    model = FlexiBertForMaskedLM(config()).eval()
    labels = torch.full_like(IDS, -100)
    labels[0, 1] = 5
    output = model(IDS, MASK, labels=labels)
    assert output.logits.shape == (2, 4, 40)
    assert_close(output.loss, -output.logits[0, 1].log_softmax(-1)[5])
    output.loss.backward()
    assert model.get_input_embeddings().weight.grad.abs().sum() > 0
    assert torch.equal(model(IDS, MASK, return_dict=False)[0], output.logits)


@pytest.mark.parametrize("labels", [torch.tensor([0, 2]), torch.tensor([0.5, -1.0])])
def test_sequence_classification(labels):
    settings = config()
    settings.num_labels = 3 if labels.dtype == torch.int64 else 1
    model = FlexiBertForSequenceClassification(settings).eval()
    output = model(IDS, MASK, labels=labels)
    if settings.num_labels == 3:
        expected = torch.nn.functional.cross_entropy(output.logits, labels)
    else:
        expected = (output.logits[:, 0] - labels).square().mean()
    assert_close(output.loss, expected)
    assert torch.equal(model(IDS, MASK, return_dict=False)[0], output.logits)


def test_left_padding_is_refused():
    with pytest.raises(ValueError, match='real token after padding.*padding_side="right"'):
        FlexiBertModel(config())(IDS.flip(1), MASK.flip(1))


def test_auto_classes_after_registration(tmp_path):
    register_with_transformers()
    register_with_transformers()
    model = FlexiBertForMaskedLM(config()).eval()
    model.save_pretrained(tmp_path)
    assert type(AutoConfig.from_pretrained(tmp_path)) is FlexiBertConfig
    base = AutoModel.from_pretrained(tmp_path)
    assert type(base) is FlexiBertModel
    assert not base.training
    assert torch.equal(
        base(IDS, MASK).last_hidden_state, model.flexibert(IDS, MASK).last_hidden_state
    )
    again = AutoModelForMaskedLM.from_pretrained(tmp_path)
    assert torch.equal(again(IDS, MASK).logits, model(IDS, MASK).logits)


def test_new_embeddings_can_be_set():
    model = FlexiBertModel(config()).eval()
    table = torch.nn.Embedding(50, 16)
    model.set_input_embeddings(table)
    assert model.get_input_embeddings() is table
    assert model(torch.tensor([[2, 49, 3]])).last_hidden_state.shape == (1, 3, 24)
