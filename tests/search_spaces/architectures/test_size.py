import pytest

from search_spaces import (
    Architecture,
    count_flops,
    count_parameters,
    count_parameters_as_published,
    list_named_architectures,
    named_architecture,
)
from search_spaces.errors import InvalidArchitecture, UnknownName


def one_layer(operation="sa", parameter="sdp", heads=2, stack=(8,), width=4):
    return Architecture.from_dict(
        {"l": 1, "o": [operation], "p": [parameter], "h": [width], "n": [heads], "f": [list(stack)]}
    )


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "expected"), [("bert-mini", 29_421_657), ("flexibert-mini", 22_658_457)]
)
def test_published_counts(name, expected):
    assert count_parameters_as_published(named_architecture(name)) == expected


def test_published_count_of_convolutions_and_without_the_language_head():
    convolution, attention = one_layer("c", 3), one_layer()
    small = {"vocabulary_size": 10, "max_length": 2, "token_types": 1}
    # one attention head and one convolution head of width 2: 5 maps 4 -> 2, depthwise 12, kernel 9
    mixed = 5 * 5 * 2 + 12 + 9
    assert count_parameters_as_published(convolution, **small) - count_parameters_as_published(
        attention, **small
    ) == mixed - (3 * 5 * 4 + 4)
    head = (4 + 1) * 4 + 2 * 4 + 5 * 10 - (4 + 1) * 4
    with_head = count_parameters_as_published(attention, **small)
    assert with_head - count_parameters_as_published(attention, **small, masked_lm=False) == head


def test_published_count_knows_only_uniform_layers():
    mixed = Architecture.from_dict({"l": 1, "o": [["sa_sdp_2", "l_dct_2"]], "h": [4], "f": [[8]]})
    with pytest.raises(InvalidArchitecture, match="Layer 0 has .* Use count_parameters"):
        count_parameters_as_published(mixed)


# width 4, two heads of width 2, feed-forward 8, 10 tokens, 3 positions, 2 segments
OUTSIDE = (10 + 3 + 2) * 4 + 8 + 20  # embeddings, their norm, pooler
REST = 20 + 8 + 40 + 36 + 8  # output projection, norm, feed-forward, norm
LINEAR = 20


@pytest.mark.parametrize(
    ("operation", "parameter", "mixing"),
    [
        ("sa", "sdp", 3 * LINEAR),
        ("sa", "wma", 3 * LINEAR + 2 * 4),
        ("l", "dft", LINEAR),
        ("l", "dct", LINEAR),
        ("c", 3, LINEAR + 4 * 3 + LINEAR + (4 * 6 + 6) + LINEAR),
    ],
)
def test_parameters_by_hand(operation, parameter, mixing):
    encoder = one_layer(operation, parameter)
    count = count_parameters(encoder, vocabulary_size=10, max_length=3)
    assert count == OUTSIDE + REST + mixing
    relative = count_parameters(encoder, vocabulary_size=10, max_length=3, positions="relative")
    extra = 5 * 2 + (LINEAR if operation == "l" else 0)  # one table, queries for transforms
    assert relative == count - 3 * 4 + extra
    language = count_parameters(encoder, vocabulary_size=10, max_length=3, masked_lm=True)
    assert language == count + 20 + 8 + 10


def test_parameters_of_mixed_heads_and_of_a_change_of_width():
    mixed = Architecture.from_dict(
        {"l": 2, "o": [["sa_sdp_2", "l_dct_2"], ["sa_sdp_2"]], "h": [4, 6], "f": [[8], [8, 3]]}
    )
    first = 3 * 10 + 10 + 20 + 8 + 40 + 36 + 8
    second = 3 * (7 * 2) + 3 * 6 + 12 + 7 * 8 + 9 * 3 + 4 * 6 + 12
    outside = 15 * 4 + 8 + 7 * 6
    assert count_parameters(mixed, vocabulary_size=10, max_length=3) == (
        outside + first + 5 * 6 + second
    )


@pytest.mark.parametrize(
    ("operation", "parameter", "mixing", "relative"),
    [
        ("sa", "sdp", 3 * 160 + 2 * 200, 200),
        ("sa", "wma", 3 * 160 + 2 * 200 + 80, 200),
        # two transforms of 5 x 2 numbers: 5 * 10 * log2(10) rounded is 166
        ("l", "dct", 160 + 2 * 166, 160 + 400),
        ("c", 3, 3 * 160 + 120 + 2 * 5 * 4 * 6 + 120 + 20, 400),
    ],
)
def test_flops_by_hand(operation, parameter, mixing, relative):
    encoder = one_layer(operation, parameter)
    linear = 2 * 5 * (16 + 32 + 32) + 2 * 16
    assert count_flops(encoder, length=5, vocabulary_size=10) == mixing + linear
    with_positions = count_flops(encoder, length=5, vocabulary_size=10, positions="relative")
    assert with_positions == mixing + linear + relative
    language = count_flops(encoder, length=5, vocabulary_size=10, masked_lm=True)
    assert language == mixing + linear + 2 * 5 * 4 * (4 + 10)


def test_flops_of_a_change_of_width():
    narrow, wide = one_layer(), one_layer(width=8, heads=4)
    both = Architecture([*narrow.layers, *wide.layers])
    alone = [count_flops(x, length=5, vocabulary_size=1) for x in (narrow, wide)]
    pooler = 2 * 16
    assert count_flops(both, length=5, vocabulary_size=1) == sum(alone) - pooler + 2 * 5 * 32


def test_unknown_positions():
    with pytest.raises(UnknownName, match="'relativ'. Did you mean 'relative'"):
        count_parameters(one_layer(), vocabulary_size=1, positions="relativ")
    with pytest.raises(UnknownName, match="kind of positions"):
        count_flops(one_layer(), length=1, vocabulary_size=1, positions="rotary")


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "millions"),
    [("bert-tiny", 4.39), ("bert-mini", 11.17), ("bert-small", 28.76), ("bert-base", 109.48)],
)
def test_counts_of_the_bert_miniatures(name, millions):
    encoder = named_architecture(name)
    count = count_parameters(encoder, vocabulary_size=30522, max_length=512)
    assert count / 1e6 == pytest.approx(millions, abs=0.005)


def test_every_named_architecture_is_built():
    assert "flexibert-large" in list_named_architectures()
    for name in list_named_architectures():
        assert count_parameters(named_architecture(name), vocabulary_size=100) > 0
    assert named_architecture("FlexiBERT_Mini") == named_architecture("flexibert-mini")
    with pytest.raises(UnknownName, match="'bert-mni'. Did you mean 'bert-mini'"):
        named_architecture("bert-mni")


@pytest.mark.golden
def test_size_of_flexibert_large():
    large = named_architecture("flexibert-large")
    assert count_parameters_as_published(large, max_length=514, token_types=1) / 1e6 == (
        pytest.approx(345.3, abs=0.5)
    )
