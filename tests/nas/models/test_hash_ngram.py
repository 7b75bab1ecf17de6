"""Hashed embeddings equal a loop over characters, anywhere, and bring no table along."""

import copy
import random
import subprocess
import sys
import unicodedata

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from nas.models.embeddings import make_embedding
from nas.models.embeddings.hash_ngram import MODULUS, fold, signatures
from nas.models.encoder import Encoder
from nas.models.hf import FlexiBertForMaskedLM
from nas.models.hf_config import FlexiBertConfig
from nas.models.outputs import make_output
from search_spaces import Architecture, count_parameters, named_architecture
from search_spaces.errors import InvalidData
from search_spaces.parts import Part

TEXTS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##a", "cat", "##cafe\u0301", "的", "")
USUAL = {"length": 3, "buckets": 10**6, "seed": 1234, "pooling": "sizes"}


def twin(text, width, length, buckets, seed, pooling):
    """One text: each feature of each n-gram by itself, in whole numbers as long as they are."""
    draw = random.Random(seed)
    factors = [draw.randrange(1, buckets) for _ in range(width)]
    text = unicodedata.normalize("NFC", text)
    of_sizes = []
    for size in range(1, length + 1):
        vectors = []
        for start in range(len(text) - size + 1):
            number = 0
            for character in text[start : start + size]:
                number = (number * 31 + ord(character)) % (2**61 - 1)
            vectors.append([2 * ((number * h) % buckets) / buckets - 1 for h in factors])
        if vectors:
            of_sizes.append(vectors)
    if pooling == "grams":
        of_sizes = [[v for vectors in of_sizes for v in vectors]]
    means = [
        [sum(v[j] for v in vectors) / len(vectors) for j in range(width)] for vectors in of_sizes
    ]
    return [sum(mean[j] for mean in means) / len(means) for j in range(width)]


@pytest.mark.parametrize(
    "options",
    [
        USUAL,
        USUAL | {"pooling": "grams"},
        USUAL | {"length": 8, "buckets": 2**31, "seed": 7},
        USUAL | {"length": 1, "buckets": 2},
    ],
    ids=str,
)
def test_it_is_a_loop_over_characters(options):
    texts = ("a", "##a", "unbelievably", "cafe\u0301", "的中国", "\U0001f600\U0001f601")
    slow = torch.tensor([twin(text, 6, **options) for text in texts])
    assert_close(signatures(texts, 6, **options), slow)


def test_known_numbers():
    """Those that the definition was first tried with."""
    found = signatures(("ab",), 4, length=2, buckets=1000, seed=0, pooling="sizes")
    assert_close(found, torch.tensor([[0.6625, -0.0125, -0.1575, 0.18]]))
    words = ("running", "runner", "banana", "bananas", "zxqv")
    found = signatures(words, 256, **USUAL)
    cosine = F.cosine_similarity(found[[0, 2, 2]], found[[1, 3, 4]])
    assert_close(cosine, torch.tensor([0.676, 0.952, -0.003]), atol=5e-4, rtol=0)
    assert 0 < fold("\U0010ffff" * 8) < MODULUS


@pytest.mark.slow
def test_another_process_finds_the_same():
    code = (
        "from nas.models.embeddings.hash_ngram import signatures\n"
        f"found = signatures({TEXTS!r}, 8, **{USUAL!r})\n"
        "print(found.numpy().tobytes().hex())"
    )
    asked = [sys.executable, "-c", code]
    other = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert other.strip() == signatures(TEXTS, 8, **USUAL).numpy().tobytes().hex()


def embedding(text="hash-ngram", width=8, texts=TEXTS):
    return make_embedding(Part.parse(text), 12, width, pad_id=0, texts=texts)


def test_special_tokens_are_trained_and_padding_is_zero():
    made = embedding()
    assert [name for name, _ in made.named_parameters()] == ["special"]
    assert list(made.state_dict()) == ["special"]
    out = made(torch.arange(12))
    assert_close(out[1:5], made.special)
    assert not out[[0, 10, 11]].any()  # padding, and ids that have no text
    assert_close(out[7], signatures(("cat",), 8, **USUAL)[0])
    out.square().sum().backward()
    assert_close(made.special.grad, 2 * made.special)


def test_what_roberta_calls_its_special_tokens_is_trained_too():
    texts = ("<s>", "<pad>", "</s>", "<unk>", "<mask>", "a")
    made = make_embedding(Part.parse("hash-ngram"), 6, 8, pad_id=1, texts=texts)
    assert_close(made(torch.tensor([3, 0, 2, 4])), made.special)
    assert not made(torch.tensor([1])).any()


def test_a_map_may_follow():
    made, plain = embedding("hash-ngram(map=linear)"), embedding()
    with torch.no_grad():
        plain.special.copy_(made.special)
    assert_close(made(torch.arange(12)), made.map(plain(torch.arange(12))))
    assert_close(made.weight, plain(torch.arange(12)))  # what an output decodes with


def test_more_texts_than_tokens_are_an_error():
    with pytest.raises(InvalidData, match="texts of 13 tokens, and the encoder knows 12"):
        embedding(texts=[*TEXTS, "b", "c"])


def test_copies_and_other_precisions_take_the_vectors_along():
    made = embedding()
    tokens = torch.arange(12)
    assert_close(copy.deepcopy(made)(tokens), made(tokens))
    whole = made(tokens)
    assert_close(copy.deepcopy(made).double()(tokens), whole.double())


def test_the_named_point_is_as_small_as_published():
    uno = named_architecture("uno-eelbert")
    counted = count_parameters(uno, vocabulary_size=30_522, max_length=512)
    assert counted == 281_728 + 4 * 128
    tiny = named_architecture("bert-tiny")
    saved = count_parameters(tiny, vocabulary_size=30_522, max_length=512) - count_parameters(
        Architecture.from_dict(
            tiny.to_dict() | {"model": {"embedding": "hash-ngram", "positions": "absolute"}}
        ),
        vocabulary_size=30_522,
        max_length=512,
    )
    assert saved == 30_522 * 128 - 4 * 128


def tiny(output="tied", hashed="hash-ngram"):
    uno = named_architecture("uno-eelbert").to_dict()
    return Architecture.from_dict(uno | {"model": {"embedding": hashed, "output": output}})


def test_a_tied_output_decodes_with_what_is_computed():
    encoder = Encoder(tiny(), 12, texts=TEXTS)
    head = make_output(encoder)
    hidden = torch.randn(3, 128)
    narrow = head.norm(F.gelu(head.transform(hidden)))
    assert_close(head(hidden), narrow @ encoder.embeddings.tokens.weight.T + head.bias)
    head(hidden).square().sum().backward()
    assert encoder.embeddings.tokens.special.grad.abs().sum() > 0
    assert head.tied_decoder() is None


@pytest.mark.parametrize("hashed", ["hash-ngram", "hash-ngram(map=linear,length=2)"])
def test_transformers_load_it_with_its_vectors(tmp_path, hashed):
    config = FlexiBertConfig.from_architecture(tiny(hashed=hashed), 12, texts=TEXTS)
    model = FlexiBertForMaskedLM(config).eval()
    tokens = torch.tensor([[2, 7, 8, 9, 3]])
    model.save_pretrained(tmp_path)
    again = FlexiBertForMaskedLM.from_pretrained(tmp_path).eval()
    assert_close(again(tokens).logits, model(tokens).logits, atol=0, rtol=0)
    assert again.flexibert.encoder.texts == TEXTS
    assert (tmp_path / "model.safetensors").stat().st_size < 1_300_000
    with pytest.raises(ValueError, match="HashEmbedding, which has no row"):
        again.resize_token_embeddings(20)
