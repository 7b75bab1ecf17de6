"""Text from outside, such that a terminal, a page and the record can take it.

An error message may hold anything: colours, a new title for the window, half a character. What a
terminal would obey is written out as an escape, what is longer than anybody reads is cut.
"""

import re
import reprlib

LONGEST = 2_000  # characters of a message
_CUT = " … ({} characters left out) … "
# Control characters but for tab and line feed, halves of characters, separators of lines, and what
# changes the direction of what follows.
_ACTED_ON = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Return `text` with everything that a terminal acts on written out, such as \x1b."""
    return _ACTED_ON.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 encoder", "2 encoders", "1,000 encoders"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def message(text: str, longest: int = LONGEST) -> str:
    """Return `text` as a message that can be kept and shown: printable, its middle cut out.

    Args:
        text: Anything.
        longest: Characters from where on it is cut; beginning and end stay.
    """
    if len(text) > longest:
        half = longest // 2
        text = text[:half] + _CUT.format(len(text) - 2 * half) + text[-half:]
    return printable(text)


def one_line(text: str, longest: int) -> str:
    """Return `text` as one printable line, for a list of many.

    Args:
        text: Anything.
        longest: Characters from where on the end is left out.
    """
    text = printable(" ".join(text[: 20 * longest].split()))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def shown(value: object) -> str:
    """Return `value` for a message, short, also if it cannot say what it is."""
    try:
        return message(reprlib.repr(value), 200)
    except Exception:  # noqa: BLE001  its __repr__ may raise whatever it likes
        return f"a {type(value).__name__} that cannot be shown"


def error_text(error: BaseException) -> str:
    """Return the type and the words of `error`, also if its own words raise."""
    try:
        words = str(error)
    except Exception as another:  # noqa: BLE001  its __str__ may raise whatever it likes
        words = f"(its text cannot be had: {type(another).__name__})"
    return message(f"{type(error).__name__}: {words}")
