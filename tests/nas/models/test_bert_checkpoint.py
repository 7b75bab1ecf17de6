"""BERT checkpoints: read from `transformers`, written for it, equal outputs both ways."""

import json
import os
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close
from transformers import BertConfig, BertForMaskedLM, BertModel

from nas.models.bert_checkpoint import load_bert, save_bert
from nas.models.encoder import Encoder
from search_spaces import Architecture, named_architecture
from search_spaces.errors import InvalidData

MINI = named_architecture("bert-mini")
SHARED = Path(os.environ.get("NAS_DATA", Path(__file__).parents[4] / "shared" / "data"))
MINILM = SHARED / "checkpoints" / "all-minilm-l6-v2"


def bert(**changes):
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    sizes |= {"intermediate_size": 48, "vocab_size": 50, "max_position_embeddings": 24}
    return BertConfig(**{**sizes, **changes})


def spread(model, std=0.2):
    with torch.no_grad():  # far from the small starting weights, which would hide differences
        for p in model.parameters():
            p.add_(std * torch.randn_like(p))
    return model.eval()


def batch():
    tokens = torch.randint(5, 50, (3, 9))
    return tokens, torch.arange(9) < torch.tensor([[9], [1], [5]]), torch.randint(0, 2, (3, 9))


def agree(encoder, model):
    tokens, keep, types = batch()
    with torch.no_grad():
        ours, theirs = encoder(tokens, keep, types), model(tokens, keep.long(), types)
        assert_close(ours[keep], theirs.last_hidden_state[keep], atol=1e-5, rtol=1e-5)
        assert_close(encoder.pool(ours), theirs.pooler_output, atol=1e-5, rtol=1e-5)


def test_a_checkpoint_is_read(tmp_path):
    model = spread(BertModel(bert()))
    model.save_pretrained(tmp_path)
    encoder = load_bert(tmp_path)
    assert not encoder.training
    agree(encoder, model)


def test_bert_mini_is_a_point_of_the_space(tmp_path):
    sizes = {"hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 1024}
    model = spread(BertModel(bert(**sizes)), std=0.05)
    model.save_pretrained(tmp_path)
    encoder = load_bert(tmp_path, dropout=0.0)
    assert encoder.architecture == MINI
    agree(encoder, model)


def test_an_encoder_is_written_and_comes_back(tmp_path):
    encoder = spread(Encoder(MINI, 50, max_length=24), std=0.05)
    save_bert(encoder, tmp_path / "new" / "folder")
    model = BertModel.from_pretrained(tmp_path / "new" / "folder")
    agree(encoder, model.eval())
    again = load_bert(tmp_path / "new" / "folder")
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert {p.name for p in (tmp_path / "new" / "folder").iterdir()} == {
        "config.json",
        "model.safetensors",
    }


def test_heads_on_top_are_left_behind_and_a_missing_pooler_is_new(tmp_path):
    model = spread(BertForMaskedLM(bert()))
    model.save_pretrained(tmp_path)
    tokens, keep, types = batch()
    with torch.no_grad():
        ours = load_bert(tmp_path)(tokens, keep, types)
        theirs = model.bert(tokens, keep.long(), types).last_hidden_state
    assert_close(ours[keep], theirs[keep], atol=1e-5, rtol=1e-5)


def other(**changes):
    layers = {"o": "sa", "p": "sdp", "h": 32, "n": 4, "f": [48]} | changes
    return Architecture.from_dict({"l": 2, **{k: [v] * 2 for k, v in layers.items()}})


@pytest.mark.parametrize(
    ("architecture", "options", "reason"),
    [
        (other(o="l", p="dct"), {}, "heads are l_dct, not sa_sdp"),
        (other(f=[48, 48]), {}, "stacks several"),
        (other(), {"positions": "relative"}, "positions are relative"),
        (
            Architecture.from_dict({"l": 1, "o": [["sa_sdp_8"] * 3], "h": [32], "f": [[48]]}),
            {},
            "not as wide",
        ),
        (
            Architecture.from_dict(
                {"l": 2, "o": ["sa"] * 2, "p": ["sdp"] * 2, "h": [32, 16], "n": [4] * 2}
                | {"f": [[48]] * 2}
            ),
            {},
            "layers differ",
        ),
    ],
)
def test_what_is_no_bert_is_not_written(architecture, options, reason, tmp_path):
    with pytest.raises(InvalidData, match=rf"cannot be a BertModel: .*{reason}.*nas export"):
        save_bert(Encoder(architecture, 50, max_length=24, **options), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"hidden_act": "swish"},
            "hidden_act is 'swish', and BERT .* of the space have 'gelu' or .*'relu'",
        ),
        ({"model_type": "gpt2"}, "model_type is 'gpt2'.*Read are bert, distilbert"),
        ({"hidden_size": None}, "has no number 'hidden_size'"),
        ({"intermediate_size": 64}, "has the shape .* Put back"),
        ({"num_hidden_layers": 3}, r"no tensor 'encoder\.layer\.2\..*save_pretrained"),
    ],
)
def test_checkpoints_that_do_not_fit_are_explained(changes, message, tmp_path):
    BertModel(bert()).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")
    with pytest.raises(InvalidData, match=message):
        load_bert(tmp_path)


def test_a_folder_without_a_checkpoint_is_explained(tmp_path):
    with pytest.raises(InvalidData, match=r"config\.json cannot be read"):
        load_bert(tmp_path)
    BertModel(bert()).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(InvalidData, match=r"model\.safetensors cannot be read.*never loaded"):
        load_bert(tmp_path)


@pytest.mark.skipif(not MINILM.is_dir(), reason="no checkpoint; set NAS_DATA")
def test_minilm_with_its_real_weights():
    theirs = BertModel.from_pretrained(MINILM, local_files_only=True).float().eval()
    ours = load_bert(MINILM).eval()
    named = named_architecture("minilm-l6")
    assert ours.architecture.layers == named.layers
    assert sum(p.numel() for p in ours.parameters()) == 22_713_216
    tokens = torch.randint(1000, 30_000, (2, 12), generator=torch.Generator().manual_seed(0))
    keep = torch.arange(12) < torch.tensor([12, 7])[:, None]
    with torch.no_grad():
        expected = theirs(torch.where(keep, tokens, 0), attention_mask=keep.long())
        found = ours(tokens, keep)
    assert_close(found[keep], expected.last_hidden_state[keep], atol=1e-5, rtol=1e-5)
    assert_close(ours.pool(found, keep), expected.pooler_output, atol=1e-5, rtol=1e-5)
