"""Every registered encoding keeps the contract of `encode`."""

import numpy as np
import pytest

from search_spaces import FiniteSpace, encode, load_space, named_architecture
from search_spaces.architectures.features import encode_features, encode_naive, encode_one_hot
from search_spaces.errors import InvalidSpace, UnknownName
from search_spaces.vectors.encodings import ENCODINGS

SPACE = load_space("flexibert-test")
SAMPLE = SPACE.sample(40, seed=2)


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_contract_of_every_encoding(encoding):
    encoded = encode(SAMPLE, encoding, SPACE)
    assert encoded.dtype == np.float64
    assert len(encoded) == 40
    assert np.isfinite(encoded).all()
    assert len(np.unique(encoded, axis=0)) == 40
    assert (encode(SAMPLE, encoding, SPACE) == encoded).all()
    assert len(encode([], encoding, SPACE)) == 0
    with pytest.raises(InvalidSpace):
        encode([named_architecture("bert-base")], encoding, SPACE)


def test_names_lead_to_the_functions():
    assert (encode(SAMPLE) == encode_features(SAMPLE, 4)).all()
    assert (encode(SAMPLE, "one-hot") == encode_one_hot(SAMPLE)).all()
    assert (encode(SAMPLE, "naive") == encode_naive(SAMPLE)).all()
    indices = encode(SAMPLE, "indices", SPACE)
    assert all((row == SPACE.indices_of(a)).all() for row, a in zip(indices, SAMPLE, strict=True))


@pytest.mark.golden
def test_published_lengths():
    shallow = [named_architecture("bert-tiny")]
    assert encode(shallow, "naive", SPACE).shape == (1, 21)
    assert encode(shallow, "indices", load_space("flexibert-2")).shape == (1, 37)


def test_what_cannot_be_encoded():
    with pytest.raises(InvalidSpace, match="none was given. Give one as space="):
        encode(SAMPLE, "indices")
    with pytest.raises(InvalidSpace, match="'finite' has none"):
        encode(SAMPLE, "indices", FiniteSpace(SAMPLE))
    with pytest.raises(UnknownName, match="No encoding is called 'onehot'. Did you mean 'one-hot'"):
        encode(SAMPLE, "onehot")
