import numpy as np
import pytest

from search_spaces import Architecture, load_space, named_architecture
from search_spaces.architectures.features import (
    encode_features,
    encode_naive,
    encode_one_hot,
    feature_names,
)
from search_spaces.errors import InvalidSpace


def test_feature_names_fit_the_columns():
    mini = named_architecture("flexibert-mini")
    encoded = encode_features([mini], 6)
    names = feature_names(6)
    assert encoded.shape == (1, len(names))
    row = dict(zip(names, encoded[0], strict=True))
    assert row["layers"] == 4
    assert row["mean log2 width"] == 7.5
    assert row["mean share sa_sdp"] == row["mean share l_dct"] == 0.5
    assert (row["layer 0 log2 ff width"], row["layer 0 ff depth"]) == (9, 3)
    assert (row["layer 3 log2 heads"], row["layer 3 present"]) == (2, 1)
    assert row["layer 4 present"] == row["layer 5 log2 width"] == 0


def test_features_of_mixed_heads():
    mixed = Architecture.from_dict(
        {"l": 1, "o": [["sa_wma_4", "c_5_4", "c_11_4", "l_dft_4"]], "h": [16], "f": [[8, 32]]}
    )
    row = dict(zip(feature_names(1), encode_features([mixed], 1)[0], strict=True))
    assert row["layer 0 share c"] == 0.5
    assert row["layer 0 share sa_wma"] == row["layer 0 share l_dft"] == 0.25
    assert (row["layer 0 log2 kernel"], row["layer 0 log2 ff width"]) == (3, 4)


@pytest.mark.golden
def test_naive_encoding_of_the_paper():
    encoded = encode_naive([named_architecture("flexibert-mini"), named_architecture("bert-tiny")])
    assert encoded.shape == (2, 21)
    stack = 512.0**3
    sa, dct = [256, 2, 0, 0, stack], [128, 4, 1, 1, 1024]
    assert encoded[0].tolist() == [4, *sa, *sa, *dct, *dct]
    assert encoded[1].tolist() == [2, *[128, 2, 0, 0, 512] * 2, *[0] * 10]
    kernels = [load_space("flexibert-small").definition.operations["c"], (0, 1, 2)]
    for kernel, place in zip(*kernels, strict=True):
        layer = {"l": 1, "o": ["c"], "p": [kernel], "h": [4], "n": [1], "f": [[1]]}
        assert encode_naive([Architecture.from_dict(layer)])[0].tolist() == [1, 4, 1, 2, place, 1]


def test_one_hot_distances_count_differences():
    space = load_space("flexibert-test-fine")
    sample = [x for x in space.sample(50) if len(x) == 4]
    encoded = encode_one_hot(sample)
    assert set(np.unique(encoded)) == {0.0, 1.0}
    a, b = sample[:2]
    differ = 0
    for one, other in zip(a.layers, b.layers, strict=True):
        differ += one.width != other.width
        differ += len(one.heads) != len(other.heads)
        differ += one.kinds.keys() != other.kinds.keys()
        differ += one.feedforward != other.feedforward
    assert np.square(encoded[0] - encoded[1]).sum() == 2 * differ


def test_too_deep_and_mixed_architectures_are_refused():
    mini = named_architecture("flexibert-mini")
    mixed = Architecture.from_dict({"l": 1, "o": [["sa_wma_4", "c_5_4"]], "h": [8], "f": [[8]]})
    with pytest.raises(InvalidSpace, match="has 4 layers, but max_layers is 2"):
        encode_features([mini], 2)
    with pytest.raises(InvalidSpace, match="Use max_layers=4 or more"):
        encode_one_hot([mini], 3)
    with pytest.raises(InvalidSpace, match="knows only layers of one kind of head"):
        encode_naive([mixed])


def test_nothing_to_encode():
    assert len(encode_features([], 4)) == len(encode_one_hot([])) == len(encode_naive([])) == 0
