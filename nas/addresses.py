"""Addresses as people may see them: without the keys, passwords and signatures in them."""

import re

_URI = re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]*://)([^\s'\"?]*)(\?[^\s'\"]*)?")
# Options of a connection that say where and how, and let nobody in.
_HARMLESS = frozenset(
    ("region", "scheme", "endpoint_override", "allow_bucket_creation", "allow_bucket_deletion")
)
HIDDEN = "***"


def without_secrets(text: str) -> str:
    """Return `text` with what stands before an "@" and the options hidden in every URI of it.

    "s3://key:secret@bucket/x?token=y&region=eu" becomes "s3://***@bucket/x?token=***&region=eu".
    """
    return _URI.sub(_shown, text)


def has_secrets(text: str) -> bool:
    """Whether an address has anything to hide."""
    return without_secrets(text) != text


def _shown(found: re.Match) -> str:
    scheme, place, options = found[1], found[2], found[3] or ""
    user, at, rest = place.rpartition("@")
    if at:
        place = f"{HIDDEN}@{rest}"
    shown = [_option(part) for part in options[1:].split("&")] if len(options) > 1 else []
    return scheme + place + ("?" if options else "") + "&".join(shown)


def _option(part: str) -> str:
    name, equals, _ = part.partition("=")
    return part if name in _HARMLESS else f"{name if equals else ''}{equals}{HIDDEN}"
