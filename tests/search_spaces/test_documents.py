"""YAML and JSON from outside: one meaning, within bounds, or a message."""

import pytest

from search_spaces import load_space
from search_spaces.documents import DEEPEST, read_document, read_json, read_yaml
from search_spaces.errors import InvalidSpace

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]"
    for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = {
    "trials: 3\nname: x\ntrials: 4": "'trials' is given twice, in line 1 and in line 3",
    "recipe:\n  a: 1\n  a: 2": "'a' is given twice, in line 2 and in line 3",
    BOMB: "holds more than 200,000 values",
    "a: &a [*a]": "line 1 refers to itself",
    "[" * 100_000: f"nested more than {DEEPEST} deep",
    "{a: " * 100_000: f"nested more than {DEEPEST} deep",
    "a:\n  b: " + "9" * 5000: "line 2 has a number of 5,000 digits",
    "a: !!int x": "'x', which is not of the type int",
    "a: !!bool x": "'x', which is not of the type bool",
    "a: !!python/object/apply:os.system [x]": "a value of the type",
    "a: !!binary x": "a value of the type",
    "? [1, 2]\n: 3": "a list or a mapping as a key",
    "a: \0": "special characters",
    "a: b: c": "mapping values are not allowed",
    "- x\n" * 250_000: "holds more than 200,000 values",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_yaml_out_of_bounds_is_refused_with_its_line(text):
    with pytest.raises(InvalidSpace) as refused:
        read_yaml(text, "x.yaml", InvalidSpace)
    assert str(refused.value).startswith("x.yaml is no valid YAML: ")
    assert REFUSED[text] in str(refused.value)
    assert len(str(refused.value)) < 1000


def test_yaml_within_bounds_means_what_it_says():
    text = "a: &a {x: 1.5, y: [1, .inf]}\nb: {<<: *a, x: 2}\nc: 2026-01-31\nd: on\ne: 1e-3"
    found = read_yaml(text.encode(), "x", InvalidSpace)
    assert found == {
        "a": {"x": 1.5, "y": [1, float("inf")]},
        "b": {"x": 2, "y": [1, float("inf")]},
        "c": "2026-01-31",
        "d": True,
        "e": "1e-3",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"layers: [2]\nwidths: \xff", "line 2 is not UTF-8 text"),
        (b"#" * (2 << 20), "has more than 1,048,576 bytes"),
    ],
)
def test_files_that_are_no_text_or_too_large_are_refused(tmp_path, content, message):
    path = tmp_path / "space.yaml"
    path.write_bytes(content)
    for read in (lambda: read_document(path, InvalidSpace), lambda: load_space(path)):
        with pytest.raises(InvalidSpace, match=message):
            read()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"l": 2, "o": 1, "l": 3}', "the key 'l' is given twice"),
        ("[" * 100_000, "nested more than"),
        ("[" * (DEEPEST + 2) + "]" * (DEEPEST + 2), "nested more than"),
        ('{"l": ' + "9" * 5000 + "}", "a number of 5,000 digits"),
        (b"\xff", "not UTF-8"),
        ("{", "Expecting property name"),
    ],
    ids=range(6),
)
def test_json_out_of_bounds_is_refused(text, message):
    with pytest.raises(InvalidSpace, match=message):
        read_json(text, "x.json", InvalidSpace)
