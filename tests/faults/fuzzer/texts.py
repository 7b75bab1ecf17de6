"""Changes of files that need not know what is in them: bytes and lines."""

import gzip
import lzma
from pathlib import Path
from random import Random

from fuzzer import values

_PIECES = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r", b"\r\n", b"\t", b"\x1b[31m",
    b"\x85",
    b"\xe2\x80\xa8", b'"', b"'", b"{", b"}", b"[", b"]", b":", b",", b"-", b"\\", b"9" * 400,
    b"\x7f",
)  # fmt: skip


def change_bytes(rng: Random, content: bytes) -> bytes:
    """Return the content with one change somewhere."""
    at = rng.randrange(len(content) + 1)
    end = min(len(content), at + rng.choice((1, 1, 4, 64, 1024)))
    kinds = (
        lambda: content[:at],
        lambda: content[:at] + rng.choice(_PIECES) + content[at:],
        lambda: content[:at] + rng.choice(_PIECES) + content[end:],
        lambda: content[:at] + content[end:],
        lambda: content[:end] + content[at:],
        lambda: content[:at] + rng.randbytes(end - at) + content[end:],
        lambda: b"",
        lambda: content + content,
        lambda: content.decode("latin-1").encode("utf-16"),
        lambda: rng.randbytes(rng.choice((1, 100, 5000))),
    )
    return rng.choices(kinds, (4, 4, 3, 4, 3, 4, 1, 1, 1, 1))[0]()


def change_lines(rng: Random, content: str, *, separator: str = "\t") -> str:
    """Return a text of lines and columns with one line or column changed."""
    lines = content.split("\n")
    at = rng.randrange(len(lines))
    cells = lines[at].split(separator)
    column = rng.randrange(len(cells))
    odd = values.text(rng)
    kinds = (
        lambda: lines.pop(at),
        lambda: lines.insert(at, lines[rng.randrange(len(lines))]),
        lambda: lines.__setitem__(at, odd),
        lambda: lines.insert(at, "x" * 200_000),
        lambda: lines.__setitem__(slice(1, None), []),
        lambda: lines.__setitem__(at, separator.join((*cells[:column], odd, *cells[column + 1 :]))),
        lambda: lines.__setitem__(at, separator.join((*cells[:column], *cells[column + 1 :]))),
        lambda: lines.__setitem__(at, separator.join((*cells, odd))),
        lambda: lines.__setitem__(at, lines[at] + '"'),
        lambda: lines.__setitem__(0, lines[0].upper()),
    )
    rng.choice(kinds)()
    return "\n".join(lines)


def change_file(rng: Random, path: Path) -> None:
    """Change a file in place: its content, or what stands in its place."""
    kind = rng.randrange(14)
    if kind == 0:
        path.unlink()
    elif kind == 1:
        path.unlink()
        path.mkdir()
    elif kind == 2:
        path.unlink()
        path.symlink_to(rng.choice((path.name, "/dev/null", "/etc/passwd", "../" + values.VICTIM)))
    else:
        path.write_bytes(change_bytes(rng, path.read_bytes()))


def packed(rng: Random, content: bytes) -> tuple[str, bytes]:
    """Return the ending and the content of a packed file, whole or broken, honest or not."""
    ending = rng.choice((".gz", ".xz"))
    pack = gzip.compress if ending == ".gz" else lzma.compress
    kinds = (
        lambda: pack(content),
        lambda: change_bytes(rng, pack(content)),
        lambda: content,
        lambda: pack(pack(content)),
        lambda: pack(b"word " * 1_000_000),
        lambda: pack(b"\x00" * 20_000_000),
        lambda: pack(b"x" * 30_000_000),
        lambda: pack(b"a word\n" * 10_000_000),
    )
    return ending, rng.choices(kinds, (3, 6, 1, 1, 1, 1, 1, 1))[0]()
