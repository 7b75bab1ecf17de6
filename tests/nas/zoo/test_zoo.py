"""Exported folders: what is in them, who can load them, and what broken ones say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save_file
from torch.testing import assert_close
from transformers import AutoModel, AutoTokenizer

from nas.data.tokenizer import train_tokenizer
from nas.models.encoder import Encoder
from nas.models.heads import MaskedLanguageHead
from nas.zoo import export_model, load_model
from search_spaces import Architecture
from search_spaces.errors import NasError, NotAModel

ROOT = Path(__file__).parents[3]
ARCHITECTURE = Architecture.from_dict(
    {
        "l": 2,
        "o": [["sa_sdp_8", "l_dft_8"], ["c_5_8", "sa_wma_8", "l_dct_8"]],
        "h": [16, 24],
        "f": [[32], [24, 24]],
    }
)
FIRST, SECOND = ["the cat sat", "a dog ran on the mat"], ["it purred", "no"]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["the cat sat on the mat", "a dog ran", "it purred"], 60)


@pytest.fixture(scope="module")
def trained(tokenizer):
    torch.manual_seed(0)
    encoder = Encoder(ARCHITECTURE, tokenizer.vocabulary_size, max_length=32).eval()
    return encoder, MaskedLanguageHead(encoder)


def export(folder, tokenizer, weights, architecture=ARCHITECTURE, **options):
    return export_model(
        folder,
        architecture=architecture,
        weights=weights,
        tokenizer_json=tokenizer.json,
        model_options={"vocabulary_size": tokenizer.vocabulary_size, "max_length": 32} | options,
        card={
            "architecture": architecture.describe(),
            "scores": {"glue": 0.71239, "cola": 0.5},
            "run": {"policy": "boshnas"},
        },
    )


def all_weights(trained):
    encoder, head = trained
    return encoder.state_dict() | {f"mlm.{k}": v for k, v in head.state_dict().items()}


@pytest.fixture
def folder(tmp_path, tokenizer, trained):
    return export(tmp_path / "found", tokenizer, all_weights(trained))


def encoded(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return tokenizer(FIRST, SECOND, padding=True, return_tensors="pt")


def test_everything_is_in_the_folder(folder, tokenizer):
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "architecture.json",
        "checksums.json",
        "config.json",
        "model.safetensors",
        "modeling_flexibert.py",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert [p.name for p in folder.parent.iterdir()] == ["found"]
    stored = json.loads((folder / "architecture.json").read_text())
    assert Architecture.from_dict(stored) == ARCHITECTURE
    assert json.loads((folder / "tokenizer.json").read_text()) == json.loads(tokenizer.json)
    card = (folder / "README.md").read_text()
    assert "| glue | 0.7124 |" in card
    assert "| policy | boshnas |" in card
    assert ARCHITECTURE.describe() in card


def test_loads_the_same_model_three_ways(folder, trained):
    ours, theirs = load_model(folder), AutoModel.from_pretrained(folder)
    batch = encoded(folder)
    assert not ours.training
    assert type(ours) is type(theirs)
    expected = trained[0](batch.input_ids, batch.attention_mask.bool(), batch.token_type_ids)
    assert torch.equal(ours(**batch).last_hidden_state, expected)
    assert torch.equal(theirs(**batch).last_hidden_state, expected)
    assert torch.equal(theirs(**batch).pooler_output, trained[0].pool(expected))


def test_tokenizer_agrees_with_the_one_of_the_run(folder, tokenizer):
    batch, expected = encoded(folder), tokenizer.encode_batch(FIRST, SECOND, max_length=32)
    for row in range(2):
        start, end = expected.offsets[row], expected.offsets[row + 1]
        keep = batch.attention_mask[row].bool()
        assert batch.input_ids[row][keep].tolist() == expected.tokens[start:end].tolist()
        assert batch.token_type_ids[row][keep].sum() == end - start - expected.second_start[row]


def test_an_encoder_alone_and_prefixed_names(tmp_path, tokenizer, trained):
    plain = export(tmp_path / "plain", tokenizer, trained[0].state_dict())
    prefixed = {f"encoder.{k}": v for k, v in trained[0].state_dict().items()}
    second = export(tmp_path / "prefixed", tokenizer, prefixed)
    batch = encoded(plain)
    outputs = [load_model(f)(**batch).pooler_output for f in (plain, second)]
    outputs.append(AutoModel.from_pretrained(plain)(**batch).pooler_output)
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])


@pytest.mark.slow  # what a fast suite asks of it: test_pipelines_without_and_with_the_project
def test_loads_where_the_project_is_not_installed(folder, tmp_path):
    batch = encoded(folder)
    expected = load_model(folder)(**batch).last_hidden_state
    script = f"""
import sys, torch, transformers
for name in ("nas", "search_spaces", "surrogates"):  # as if it were not installed
    sys.modules[name] = None
folder = {str(folder)!r}
tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
batch = tokenizer({FIRST!r}, {SECOND!r}, padding=True, return_tensors="pt")
model = transformers.AutoModel.from_pretrained(folder, trust_remote_code=True)
logits = transformers.AutoModelForMaskedLM.from_pretrained(folder, trust_remote_code=True)(**batch)
torch.save([model(**batch).last_hidden_state.detach(), logits.logits.detach()], "out.pt")
"""
    environment = os.environ | {
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-I", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    hidden, logits = torch.load(tmp_path / "out.pt", weights_only=True)
    assert_close(hidden, expected)
    assert logits.shape == (*batch.input_ids.shape, len(AutoTokenizer.from_pretrained(folder)))


def test_an_existing_folder_is_left_alone(folder, tokenizer, trained):
    before = (folder / "config.json").read_bytes()
    with pytest.raises(NasError, match="found exists already. Choose another folder"):
        export(folder, tokenizer, trained[0].state_dict())
    assert (folder / "config.json").read_bytes() == before


def test_nothing_is_left_of_an_interrupted_export(tmp_path, tokenizer, trained, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("nas.zoo.writing.model_card", interrupted)  # the last file that is written
    with pytest.raises(KeyboardInterrupt):
        export(tmp_path / "half", tokenizer, trained[0].state_dict())
    assert list(tmp_path.iterdir()) == []


def test_a_tokenizer_of_another_run_is_refused(tmp_path, tokenizer):
    size = tokenizer.vocabulary_size - 1
    weights = Encoder(ARCHITECTURE, size, max_length=32).state_dict()
    with pytest.raises(NotAModel, match=f"tokenizer has {size + 1} tokens, and the model {size}"):
        export(tmp_path / "a", tokenizer, weights, vocabulary_size=size)
    with pytest.raises(NotAModel, match="tokenizer_json is no tokenizer"):
        export_model(
            tmp_path / "b",
            architecture=ARCHITECTURE,
            weights=weights,
            tokenizer_json="{}",
            model_options={"vocabulary_size": size, "max_length": 32},
            card={},
        )
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_model_are_refused(tmp_path, tokenizer, trained):
    weights = dict(trained[0].state_dict())
    wrong = weights | {"pooler.bias": torch.zeros(7)}
    with pytest.raises(NotAModel, match=r"pooler.bias' has shape \(7,\), and .* needs \(24,\)"):
        export(tmp_path / "a", tokenizer, wrong)
    lacking = {k: v for k, v in weights.items() if k != "pooler.bias"}
    with pytest.raises(NotAModel, match="lack 'encoder.pooler.bias'"):
        export(tmp_path / "b", tokenizer, lacking)
    with pytest.raises(NotAModel, match="have the unknown entry 'encoder.extra'"):
        export(tmp_path / "c", tokenizer, weights | {"extra": torch.zeros(1)})
    assert list(tmp_path.iterdir()) == []


def test_folders_that_hold_no_model(tmp_path, folder):
    with pytest.raises(NotAModel, match="nowhere is no folder. Give one"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotAModel, match=r"empty has no config\.json"):
        load_model(tmp_path / "empty")
    (tmp_path / "empty" / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(NotAModel, match="has model_type 'bert'; only 'flexibert' can be loaded"):
        load_model(tmp_path / "empty")
    (tmp_path / "empty" / "config.json").write_text("[1")
    with pytest.raises(NotAModel, match="is no JSON: "):
        load_model(tmp_path / "empty")
    config = json.loads((folder / "config.json").read_text())
    for layers in ([{"width": 4}], [config["layers"][0] | {"heads": ["sa_spd_8"]}], 3):
        text = json.dumps(config | {"layers": layers})
        (tmp_path / "empty" / "config.json").write_text(text)
        with pytest.raises(NotAModel, match="describes no encoder"):
            load_model(tmp_path / "empty")


def test_weights_that_are_missing_cut_short_or_do_not_fit(folder):
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    tensors = load(whole)  # not load_file, which maps the file that is cut short below
    for length in (len(whole) // 2, 5, 0):
        path.write_bytes(whole[:length])
        with pytest.raises(NotAModel, match=f"safetensors has {length:,} bytes instead of .* cut"):
            load_model(folder)
    changed = bytearray(whole)
    changed[-1] ^= 1
    path.write_bytes(changed)
    with pytest.raises(NotAModel, match="is not the file that was exported: its checksum differs"):
        load_model(folder)
    # A model of version 0.1.0 has no checksums: what is wrong shows when the file is read.
    (folder / "checksums.json").unlink()
    for length in (len(whole) // 2, 5, 0):
        path.write_bytes(whole[:length])
        with pytest.raises(NotAModel, match=r"model\.safetensors cannot be read .*cut short"):
            load_model(folder)
    path.unlink()
    with pytest.raises(NotAModel, match=r"has no model\.safetensors"):
        load_model(folder)
    name = "flexibert.encoder.pooler.bias"
    save_file(tensors | {name: torch.zeros(3)}, path)
    with pytest.raises(NotAModel, match=r"'encoder.pooler.bias' has shape \(3,\)"):
        load_model(folder)
    tensors.pop(name)
    save_file(tensors, path)
    with pytest.raises(NotAModel, match="lack 'encoder.pooler.bias'"):
        load_model(folder)
