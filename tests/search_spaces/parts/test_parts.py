"""The text of a part is read back as the part it was written from, and nothing else is read."""

import pytest

from search_spaces.errors import InvalidArchitecture, NasError
from search_spaces.parts import Part, Setting, is_name, read_value, write_value


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("glu", Part("glu")),
        ("glu(activation=silu)", Part("glu", (("activation", "silu"),))),
        ("moe(experts=4,top=1)", Part("moe", (("experts", 4), ("top", 1)))),
        ("mlm(mask_rate=0.15)", Part("mlm", (("mask_rate", 0.15),))),
        ("fsam(base=adamw(rate=2,x=3),rho=0.1)",
         Part("fsam", (("base", "adamw(rate=2,x=3)"), ("rho", 0.1)))),
    ],
)  # fmt: skip
def test_a_text_and_its_part_are_one(text, part):
    assert Part.parse(text) == part
    assert str(part) == text


def test_settings_are_sorted_whatever_the_order_they_are_written_in():
    assert Part.parse(" moe(top=1, experts=4)".strip()) == Part.parse("moe(experts=4,top=1)")
    assert Part.of("moe", {"top": 1, "experts": 4}) == Part.parse("moe(experts=4,top=1)")


@pytest.mark.parametrize(
    "text",
    [
        None,
        3,
        "",
        "a_b",
        "glu(",
        "glu()",
        "glu(x)",
        "glu(x=)",
        "glu(x=1,x=2)",
        "(x=1)",
        "a b",
        "-a",
    ],
)
def test_what_is_no_part_is_refused_with_an_example(text):
    with pytest.raises(InvalidArchitecture, match="glu"):
        Part.parse(text, "feedforward")


@pytest.mark.parametrize("value", [0, -3, 10**15, 0.1, 5e-4, 1e-300, "silu"])
def test_values_are_read_back_exactly(value):
    assert read_value(write_value(value)) == value
    assert type(read_value(write_value(value))) is type(value)


@pytest.mark.parametrize("text", ["inf", "nan", "1e999", "9" * 5000])
def test_what_is_no_finite_number_stays_a_text(text):
    assert read_value(text) == text


@pytest.mark.parametrize(
    ("setting", "good", "bad"),
    [
        (Setting(4), [1, "8", 4.0], [0, -1, 2.5, True, "x", float("nan"), 10**400, None]),
        (Setting(0.3, "line", most=1), [0, 1, "0.5"], [-0.1, 1.1, float("inf"), "x", False]),
        (Setting("gelu", "name", ("gelu", "silu")), ["silu"], ["relu", 1, None]),
        (Setting(5, least=3, odd=True), [3, 9], [1, 4, 6]),
        (Setting(2, allowed=(2, 4)), [2, 4], [3, 8]),
    ],
)
def test_a_setting_takes_what_it_allows_and_names_that_otherwise(setting, good, bad):
    for value in good:
        assert type(setting.check(value, "x")) is type(setting.default)
    for value in bad:
        with pytest.raises(NasError, match="Allowed"):
            setting.check(value, "x")


def test_names_can_stand_in_every_text():
    assert is_name("hash-ngram")
    for name in ("a_b", "a(b", "a=b", "a,b", "", "a;b", "a|b", "é", None):
        assert not is_name(name)
