import json
import os
import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from search_spaces import Architecture, Head, Layer, named_architecture
from search_spaces.errors import InvalidArchitecture, NasError, UnknownName

DATA = Path(os.environ.get("NAS_DATA") or Path(__file__).parents[3] / ".." / "shared" / "data")


def per_layer(**changes):
    return {
        "l": 2,
        "o": ["sa", "c"],
        "h": [128, 256],
        "n": [2, 4],
        "f": [[512, 512, 512], [1024]],
        "p": ["sdp", 5],
        **changes,
    }


def per_head(**changes):
    return {
        "l": 2,
        "o": [["sa_sdp_64", "l_dct_64"], ["c_5_42", "sa_wma_42", "l_dft_42"]],
        "h": [128, 128],
        "f": [[256, 1024], [512]],
        **changes,
    }


@pytest.mark.parametrize("dictionary", [per_layer(), per_head()])
def test_both_formats_round_trip(dictionary):
    read = Architecture.from_dict(dictionary)
    written = read.to_dict()
    assert written == dictionary
    assert json.loads(json.dumps(written)) == dictionary
    assert Architecture.from_dict(written) == read


def test_numpy_numbers_and_tuples_become_json():
    read = Architecture.from_dict(per_layer(h=tuple(np.array([128, 256])), l=np.int64(2)))
    assert json.dumps(read.to_dict()) == json.dumps(Architecture.from_dict(per_layer()).to_dict())


def test_layers_hold_what_the_dictionary_says():
    first, second = Architecture.from_dict(per_layer()).layers
    assert first == Layer(128, (Head("sa", "sdp", 64),) * 2, (512, 512, 512))
    assert (second.head_width, second.inner_width, second.kinds) == (64, 256, {"c_5": 4})
    mixed = Architecture.from_dict(per_head()).layers[1]
    assert mixed.kinds == {"c_5": 1, "l_dft": 1, "sa_wma": 1}
    assert [(str(head), n) for head, n in mixed.groups] == [
        ("c_5_42", 1),
        ("l_dft_42", 1),
        ("sa_wma_42", 1),
    ]
    assert mixed.inner_width == 126
    assert not mixed.uniform


def test_head_names():
    head = Head("sa", "sdp", 64)
    assert (str(head), head.kind) == ("sa_sdp_64", "sa_sdp")
    assert (str(Head("c", 5, 32)), Head("c", 5, 32).kind) == ("c_5_32", "c_5")
    assert Head.parse("c_13_42") == Head("c", 13, 42)
    assert sorted([Head("sa", "wma", 1), Head("c", 9, 1), Head("c", 5, 1)])[0] == Head("c", 5, 1)


@pytest.mark.parametrize("text", ["sa_64", "c_64", "conv_64", "sa_sdp_x_64", "_64", "sa_sdp_0"])
def test_a_head_without_its_parts_is_told_how_one_is_written(text):
    with pytest.raises(InvalidArchitecture, match=f"is '{text}'.*operation_parameter_width"):
        Head.parse(text)


def test_hash_ignores_order_of_heads_and_format():
    shuffled = per_head(o=[["l_dct_64", "sa_sdp_64"], ["sa_wma_42", "l_dft_42", "c_5_42"]])
    assert Architecture.from_dict(shuffled) == Architecture.from_dict(per_head())
    assert Architecture.from_dict(shuffled).to_dict() == shuffled
    same = {
        "l": 2,
        "o": [["sa_sdp_64"] * 2, ["c_5_64"] * 4],
        "h": [128, 256],
        "f": [[512] * 3, [1024]],
    }
    assert Architecture.from_dict(same).hash == Architecture.from_dict(per_layer()).hash


@pytest.mark.parametrize(
    "changes",
    [
        {"h": [256, 256]},
        {"n": [4, 4]},
        {"p": ["wma", 5]},
        {"p": ["sdp", 9]},
        {"f": [[512, 512], [1024]]},
        {"f": [[1024], [512, 512, 512]]},
    ],
)
def test_hash_sees_every_choice(changes):
    assert Architecture.from_dict(per_layer(**changes)) != Architecture.from_dict(per_layer())


@pytest.mark.golden
def test_hash_never_changes():
    # run records and exported models are looked up by it
    read = Architecture.from_dict(per_layer())
    assert read.hash == "15303293c4e4be8424221d3674bbfecd7583e14ea3adc37b36377f24e7ff02cd"
    assert read.short == read.hash[:10]
    assert len({read, Architecture.from_dict(per_layer())}) == 1


def test_immutable_and_picklable():
    read = Architecture.from_dict(per_head())
    with pytest.raises(AttributeError, match="cannot be changed"):
        read.layers = ()
    with pytest.raises(AttributeError, match="cannot be changed"):
        del read.layers
    copied = pickle.loads(pickle.dumps(read))
    assert copied == read
    assert copied.to_dict() == read.to_dict()


def test_built_from_layers_chooses_a_format():
    uniform = Layer(128, (Head("sa", "sdp", 64),) * 2, (512,))
    narrow = Layer(128, (Head("sa", "sdp", 32),) * 2, (512,))
    assert "p" in Architecture([uniform]).to_dict()
    assert "p" not in Architecture([uniform], "per-head").to_dict()
    assert "p" not in Architecture([uniform, narrow]).to_dict()
    with pytest.raises(InvalidArchitecture, match="cannot express .* Use style='per-head'"):
        Architecture([narrow], "per-layer")
    with pytest.raises(UnknownName, match="'per-heads'. Did you mean 'per-head'"):
        Architecture([uniform], "per-heads")


def test_describe_is_one_line_a_person_can_read():
    assert named_architecture("flexibert-mini").describe() == (
        "4 layers 256·256·128·128 | 2×sa_sdp 2×sa_sdp 4×l_dct 4×l_dct | ff 512³ 512³ 1024 1024"
    )
    assert "24 layers" in named_architecture("flexibert-large").describe()
    assert "(8×sa_sdp)×12 (16×l_dct)×12" in named_architecture("flexibert-large").describe()
    assert "256>1024" in Architecture.from_dict(per_head()).describe()
    read = named_architecture("bert-tiny")
    assert repr(read) == f"<Architecture {read.short}: {read.describe()}>"
    assert len(read) == 2


@pytest.mark.parametrize(
    ("dictionary", "message"),
    [
        ([], "is a dictionary with the keys l, o, h, n, f, p, or l, o, h, f; got a list"),
        ("x", "got a str"),
        ({}, r"has no 'l' \(number of layers\).* given: none"),
        (per_layer(heads=[1, 1]), "no key 'heads'.*Its keys are l, o, h, n, f, p"),
        (per_layer(widths=[1, 1]), r"no key 'widths'\. Did you mean 'h' \(widths\)"),
        (per_layer(N=[2, 2]), "no key 'N'"),
        ({k: v for k, v in per_layer().items() if k != "f"}, r"no 'f' \(lists of feed-forward"),
        (per_head(n=[2, 3]), "per-head format has no key 'n'"),
        (per_layer(l=0), r"l \(number of layers\) is 0\. Give a positive whole number"),
        (per_layer(l=True), "is True"),
        (per_layer(l=2.0), r"is 2\.0"),
        (per_layer(h=[128]), r"'h' \(widths\) has 1 entries, but l is 2.*make 'h' 2 long"),
        (per_layer(n=[2, 4, 4]), "'n' .* has 3 entries, but l is 2"),
        (per_layer(h=128), "'h' .* is 128. Give a list with one entry for each of the 2 layers"),
        (per_layer(h=[128, 0]), r"h\[1\] \(the width of layer 1\) is 0"),
        (per_layer(h=[128, "256"]), r"h\[1\] .* is '256'\. Give a positive whole number"),
        (per_layer(n=[2, -4]), r"n\[1\] \(the number of heads of layer 1\) is -4"),
        (per_layer(n=[2, 3]), r"h\[1\] = 256, .* n\[1\] = 3 heads.* such as 2, or the width 258"),
        (
            per_layer(o=["sa", "att"]),
            r"o\[1\], p\[1\]: No operation is called 'att'.* c, .*l, .*sa",
        ),
        (per_layer(o=["sa", 5]), "No operation is called 5"),
        (per_layer(p=["sdp", "dct"]), r"'dct', which operation 'c' .* odd whole number of 3 or"),
        (per_layer(p=["sdp", 4]), r"p\[1\] is 4, which operation 'c' \(dynamic convolution\)"),
        (per_layer(p=["sdp", 1]), "is 1, which operation 'c'"),
        (per_layer(p=["sdp", "5"]), "is '5', which operation 'c'"),
        (per_layer(p=["dft", 5]), r"p\[0\] is 'dft', .* 'sa' .* Allowed: 'sdp' or 'wma'"),
        (per_layer(f=[[], [512]]), r"f\[0\] is \[\]\. Give the feed-forward widths of layer 0"),
        (per_layer(f=[512, [512]]), r"f\[0\] is 512\. Give .* such as \[1024\]"),
        (
            per_layer(f=[[512, 1.5], [1]]),
            r"f\[0\]\[1\] \(a feed-forward width of layer 0\) is 1\.5",
        ),
        (per_layer(o=[["sa_sdp_64"], "c"]), r"o\[0\] is a list of heads, .* but 'p' is given too"),
        (per_head(o=[["sa_sdp_64"], "c_5_64"]), r"o\[1\] is 'c_5_64'\. .* each layer is a list"),
        (per_head(o=[["sa_sdp_64"], []]), r"o\[1\] is \[\]"),
        (per_head(o=[["sa_sdp"], ["c_5_64"]]), r"o\[0\]\[0\] is 'sa_sdp'\. A head is written"),
        (per_head(o=[["sa_sdp_0"], ["c_5_64"]]), r"o\[0\]\[0\] is 'sa_sdp_0'"),
        (per_head(o=[["sa_sdp_64"], ["c_4_64"]]), r"o\[1\]\[0\] is 4, which operation 'c'"),
        (per_head(o=[["sa_sdp_64", 3], ["c_5_64"]]), r"o\[0\]\[1\] is 3"),
        (
            per_head(o=[["sa_sdp_64"], ["c_5_64", "c_5_32"]]),
            r"Layer 1: A layer has heads of different widths \(32, 64\)",
        ),
    ],
)
def test_bad_dictionaries_say_what_to_do(dictionary, message):
    with pytest.raises(InvalidArchitecture, match=message) as caught:
        Architecture.from_dict(dictionary)
    assert isinstance(caught.value, NasError)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ((128, (), (512,)), "has no heads"),
        ((128, (Head("sa", "sdp", 64),), ()), "has no feed-forward widths"),
        ((0, (Head("sa", "sdp", 64),), (512,)), "width 0 and .* must be positive"),
    ],
)
def test_bad_layers_say_what_is_wrong(layer, message):
    with pytest.raises(InvalidArchitecture, match=message):
        Layer(*layer)


def test_no_layers():
    with pytest.raises(InvalidArchitecture, match="has no layers"):
        Architecture(())


@pytest.mark.parametrize("table", ["nas_bench_bert_half", "edgetran_a100"])
def test_published_tables_round_trip(table):
    path = DATA / "tables" / f"{table}.jsonl"
    if not path.exists():
        pytest.skip(f"needs {path.name}, which is not part of the project")
    records = [json.loads(line)["architecture"] for line in path.open()]
    read = [Architecture.from_dict(record) for record in records]
    assert [json.dumps(a.to_dict(), sort_keys=True) for a in read] == [
        json.dumps(record, sort_keys=True) for record in records
    ]
    assert all((a == b) == (a.hash == b.hash) for a, b in pairwise(read))


@pytest.mark.parametrize("heads", [2**32, 10**18, 5 * 2**20, 10**400])
def test_numbers_of_heads_that_nobody_builds_are_refused_at_once(heads):
    dictionary = {"l": 1, "o": ["sa"], "p": ["sdp"], "h": [2**32], "n": [heads], "f": [[8]]}
    with pytest.raises(InvalidArchitecture, match=r"h\[0\].* at most 999,999,999"):
        Architecture.from_dict(dictionary)
    with pytest.raises(InvalidArchitecture, match=r"n\[0\].* at most 4,096"):
        Architecture.from_dict(dictionary | {"h": [64]})
