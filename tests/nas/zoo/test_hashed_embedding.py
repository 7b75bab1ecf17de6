"""A model without a table is small on disk, and answers alike without the project installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from nas.data.tokenizer import Tokenizer, train_tokenizer
from nas.evaluation.suites.glue import glue_task
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.models.outputs import make_output
from nas.zoo import export_model, load_model
from nas.zoo.loading import load_masked_model
from search_spaces import named_architecture

SHARED = Path(os.environ.get("NAS_DATA", Path(__file__).parents[4] / "shared" / "data"))
REAL = SHARED / "checkpoints" / "all-minilm-l6-v2" / "tokenizer.json"
LARGEST = 1_300_000  # bytes; as published, with three digits
TEXTS = ["the cat sat on the mat", "unbelievably"]


def export(folder, tokenizer):
    torch.manual_seed(0)
    architecture = named_architecture("uno-eelbert")
    options = {"vocabulary_size": tokenizer.vocabulary_size, "max_length": 512}
    encoder = Encoder(architecture, texts=tokenizer.texts, **options).eval()
    head = ClassificationHead(encoder.width, 2, 0.1).eval()
    own = {f"encoder.{k}": v for k, v in encoder.state_dict().items()}
    classifier = own | {f"classifier.{k}": v for k, v in head.state_dict().items()}
    export_model(
        folder,
        architecture=architecture,
        weights=own | {f"mlm.{k}": v for k, v in make_output(encoder).state_dict().items()},
        tokenizer_json=tokenizer.json,
        model_options=options,
        card={"architecture": architecture.describe(), "scores": {"glue": 0.5}},
        task_weights={glue_task("sst2"): classifier},
    )
    return encoder, head


@pytest.mark.parametrize(
    "real",
    [
        False,
        pytest.param(
            True,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(not REAL.is_file(), reason="no checkpoint; set NAS_DATA"),
            ],
        ),
    ],
)
def test_the_smallest_published_is_as_small_here(tmp_path, real):
    tokenizer = Tokenizer.read(REAL) if real else train_tokenizer(TEXTS, 80)
    encoder, head = export(tmp_path / "uno", tokenizer)
    size = (tmp_path / "uno" / "sst2" / "model.safetensors").stat().st_size
    assert 4 * 282_240 < size < LARGEST
    found = tokenizer.encode_batch(TEXTS, max_length=32)
    tokens = torch.from_numpy(found.tokens[: found.offsets[1]]).long()[None]
    loaded = load_model(tmp_path / "uno", task="sst2")
    assert_close(loaded(tokens).logits, head(encoder.pooled(tokens)), atol=1e-6, rtol=0)
    # with what predicts its masked tokens: a bias of each
    whole = (tmp_path / "uno" / "model.safetensors").stat().st_size
    assert whole - size > 4 * tokenizer.vocabulary_size
    assert whole < LARGEST + 4 * tokenizer.vocabulary_size


@pytest.mark.slow
def test_it_answers_alike_where_the_project_is_not_installed(tmp_path):
    encoder, head = export(tmp_path / "uno", train_tokenizer(TEXTS, 80))
    script = f"""
import sys, torch
for name in ("nas", "search_spaces", "surrogates"):  # as if it were not installed
    sys.modules[name] = None
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer
folder, trust = {str(tmp_path / "uno")!r}, dict(trust_remote_code=True)
batch = AutoTokenizer.from_pretrained(folder, **trust)({TEXTS[0]!r}, return_tensors="pt")
models = AutoModelForSequenceClassification, AutoModelForMaskedLM
found = [m.from_pretrained(folder, **trust).eval()(**batch).logits.detach() for m in models]
torch.save([batch["input_ids"], *found], "out.pt")
"""
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
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
    tokens, classes, masked = torch.load(tmp_path / "out.pt", weights_only=True)
    assert_close(classes, head(encoder.pooled(tokens)), atol=1e-6, rtol=0)
    output = make_output(encoder).eval()
    output.load_state_dict(load_masked_model(tmp_path / "uno").mlm.state_dict())
    assert_close(masked, output(encoder(tokens)), atol=1e-5, rtol=0)
