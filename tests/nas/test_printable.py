"""Text from outside, as a terminal and the record can take it."""

import pytest

from nas.printable import error_text, message, printable, shown


class NoText(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("[/usr/lib/cuda] [bold]x", "[/usr/lib/cuda] [bold]x"),
        ("\x1b]0;mine\x07", r"\x1b]0;mine\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("half \ud800", r"half \ud800"),
        ("back\u202ewards", r"back\u202ewards"),
        ("nul\0\r", r"nul\x00\x0d"),
        ("two\n\tlines, 7 µs, 見", "two\n\tlines, 7 µs, 見"),
    ],
    ids=["markup", "title", "c1", "surrogate", "direction", "nul", "plain"],
)
def test_what_a_terminal_acts_on_is_written_out(text, written):
    assert printable(text) == written
    assert printable(written) == written
    written.encode()


def test_a_long_message_keeps_its_beginning_and_its_end():
    found = message("a" * 5_000 + "z" * 5_000)
    assert len(found) < 2_100
    assert found.startswith("aaa")
    assert found.endswith("zzz")
    assert "8000 characters left out" in found


def test_errors_and_values_that_cannot_say_what_they_are():
    assert error_text(NoText()) == "NoText: (its text cannot be had: RuntimeError)"
    assert "NoText" in shown(NoText())
    assert len(shown(10**5_000)) < 300
