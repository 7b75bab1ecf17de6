"""A model of BERT's form as transformers' own classes have it: what they answer is the same."""

import pytest
import torch
from torch.testing import assert_close
from transformers import (
    AutoModel,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from nas.evaluation.suites.glue import glue_task
from nas.evaluation.suites.task import Task
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.zoo.plain_bert import require_plain, write_plain
from search_spaces import Architecture
from search_spaces.errors import InvalidData

KEEP = torch.arange(9) < torch.tensor([[9], [2], [5]])
TOKENS = torch.randint(5, 8, (3, 9), generator=torch.Generator().manual_seed(0))
TOKENS = TOKENS.masked_fill(~KEEP, 0)


def shape(layers=2, **changes):
    usual = {"o": [["sa_sdp_8"] * 3] * layers, "h": [24] * layers, "f": [[20]] * layers}
    return Architecture.from_dict({"l": layers, **usual, **changes})


def model(pooling, outputs, size):
    options = {"vocabulary_size": size, "max_length": 16, "pooling": pooling}
    torch.manual_seed(0)
    encoder = Encoder(shape(), **options).eval()
    head = ClassificationHead(24, outputs).eval()
    with torch.no_grad():
        for parameter in (*encoder.parameters(), *head.parameters()):
            parameter.add_(0.2 * torch.randn_like(parameter))
    weights = {f"encoder.{k}": v for k, v in encoder.state_dict().items()}
    weights |= {f"classifier.{k}": v for k, v in head.state_dict().items()}
    return options, encoder, head, weights


@pytest.mark.parametrize(("name", "outputs"), [("mnli", 3), ("stsb", 1)])
def test_a_classifier_of_the_first_token(name, outputs, tokenizer_text, tmp_path):
    text, size = tokenizer_text
    options, encoder, head, weights = model("first", outputs, size)
    place = write_plain(tmp_path, shape(), options, weights, text, glue_task(name))
    theirs = AutoModelForSequenceClassification.from_pretrained(place).eval()
    assert type(theirs).__name__ == "BertForSequenceClassification"
    assert theirs.config.num_labels == outputs
    with torch.no_grad():
        expected = head(encoder.pooled(TOKENS, KEEP))
        assert_close(theirs(TOKENS, KEEP.long()).logits, expected, atol=1e-5, rtol=1e-5)
    assert len(AutoTokenizer.from_pretrained(place)) == size


def test_a_reader_of_means_gives_its_states(tokenizer_text, tmp_path):
    text, size = tokenizer_text
    options, encoder, _, weights = model("mean", 2, size)
    for task in (glue_task("sst2"), None):
        place = write_plain(tmp_path, shape(), options, weights, text, task)
        theirs = AutoModel.from_pretrained(place).eval()
        with torch.no_grad():
            last = theirs(TOKENS, KEEP.long()).last_hidden_state
            assert_close(last[KEEP], encoder(TOKENS, KEEP)[KEEP], atol=1e-5, rtol=1e-5)


def test_a_classifier_of_words(tokenizer_text, tmp_path):
    text, size = tokenizer_text
    options, encoder, head, weights = model("mean", 2, size)
    task = Task("tags", "tags", ("text",), "tags", ("no", "yes"), ("f1",), "us", kind="words")
    place = write_plain(tmp_path, shape(), options, weights, text, task)
    theirs = AutoModelForTokenClassification.from_pretrained(place).eval()
    with torch.no_grad():
        expected = head(encoder(TOKENS, KEEP))[KEEP]
        assert_close(theirs(TOKENS, KEEP.long()).logits[KEEP], expected, atol=1e-5, rtol=1e-5)
    assert theirs.config.id2label == {0: "no", 1: "yes"}


def test_a_reader_of_spans(tokenizer_text, tmp_path):
    text, size = tokenizer_text
    options, encoder, head, weights = model("mean", 2, size)
    facts = {"labels": ("no answer",), "metrics": ("token_f1",), "source": "us", "kind": "span"}
    task = Task("asked", "", ("question", "context"), "answers", **facts, own=True)
    place = write_plain(tmp_path, shape(), options, weights, text, task)
    theirs = AutoModelForQuestionAnswering.from_pretrained(place).eval()
    with torch.no_grad():
        expected = head(encoder(TOKENS, KEEP))
        found = theirs(TOKENS, KEEP.long())
    for side, logits in enumerate((found.start_logits, found.end_logits)):
        assert_close(logits[KEEP], expected[..., side][KEEP], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"o": [["sa_sdp_8"] * 2] * 2}, "its heads together are not as wide as the layer"),
        ({"f": [[20], [24]]}, "its layers differ from each other"),
        ({"o": [["c_5_8"] * 3] * 2}, "its heads are c_5, not sa_sdp alone"),
        ({"model": {"norm": "rms"}}, "it has norm=rms"),
    ],
)
def test_another_form_is_refused(changes, message):
    with pytest.raises(InvalidData, match=f"cannot be a BertModel: {message}. Leave --bert out"):
        require_plain(shape(**changes), {"vocabulary_size": 10, "max_length": 16})


@pytest.fixture(scope="module")
def tokenizer_text(tmp_path_factory, make_checkpoint):
    from tokenizers import Tokenizer

    folder = tmp_path_factory.mktemp("tiny")
    make_checkpoint(folder)
    text = (folder / "tokenizer.json").read_text()
    return text, Tokenizer.from_str(text).get_vocab_size()
