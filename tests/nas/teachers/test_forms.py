"""BERT in forms that people have: another activation, one or many types of tokens."""

import pytest
import torch
from torch.testing import assert_close
from transformers import BertConfig, BertModel

from nas.data.batches import batches
from nas.models.encoder import Encoder
from nas.teachers.calibration import calibrate
from nas.teachers.checkpoint import read_checkpoint
from nas.teachers.extraction import extract
from nas.teachers.space import teacher_space
from search_spaces import load_space

SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
SIZES |= {"intermediate_size": 64, "max_position_embeddings": 40}
FORMS = {
    "relu": {"hidden_act": "relu"},
    "gelu by tanh": {"hidden_act": "gelu_new"},
    "one type": {"type_vocab_size": 1},
    "many types": {"type_vocab_size": 5},
}


@pytest.fixture(scope="module", params=FORMS)
def form(request, checkpoint, tmp_path_factory):
    """A teacher of a form, and the same model of `transformers`."""
    folder = tmp_path_factory.mktemp("form")
    (folder / "tokenizer.json").write_bytes((checkpoint / "tokenizer.json").read_bytes())
    vocabulary = read_checkpoint(checkpoint).vocabulary_size
    torch.manual_seed(0)
    model = BertModel(BertConfig(vocab_size=vocabulary, **SIZES, **FORMS[request.param])).eval()
    with torch.no_grad():  # far from the small starting weights
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return read_checkpoint(folder), model


@pytest.fixture(scope="module")
def text(data):
    return list(batches(data.tasks["stsb"]["train"], batch_size=16))


@torch.no_grad()
def test_a_teacher_of_any_form_equals_transformers(form, text):
    teacher, model = form
    whole = teacher.build(max_length=32, pooling="mean").eval()
    known = model.config.type_vocab_size
    for batch in text:
        # one that knows of one type takes both texts of a pair for the same
        types = batch.token_types if known > 1 else torch.zeros_like(batch.token_types)
        states = whole.states(batch.tokens, batch.keep, batch.token_types)
        expected = model(batch.tokens, batch.keep.long(), types, output_hidden_states=True)
        for mine, its in zip(states, expected.hidden_states, strict=True):
            assert_close(mine[batch.keep], its[batch.keep], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_teacher_of_any_form_can_be_cut(form, text):
    teacher, _ = form
    whole = teacher.build(max_length=32, pooling="mean").eval()
    worth = calibrate(whole, text)
    weights = extract(teacher.architecture, whole.state_dict(), worth, range(3))
    for name, tensor in whole.state_dict().items():
        assert_close(weights[name], tensor)
    space = load_space(teacher_space(teacher.architecture))
    assert teacher.architecture in space
    cut = min(space.sample(20, seed=0), key=len)
    assert {layer.parts for layer in cut.layers} == {teacher.architecture.layers[0].parts}
    found = extract(cut, whole.state_dict(), worth, range(len(cut)))
    student = Encoder(cut, teacher.vocabulary_size, max_length=32, pooling="mean")
    student.load_state_dict(found)
