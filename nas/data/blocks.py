"""Running text as blocks of ids, some of them held out."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from nas.data.tokenizer import CLS, SEP, UNK, Tokenizer
from nas.limits import available_memory
from search_spaces.errors import InvalidData

_VALIDATION_SHARE = 0.05
_VALIDATION_BLOCKS = 512
_LINES_PER_CALL, _CHARACTERS_PER_CALL = 2000, 4_000_000
_MOST_UNKNOWN = 0.5
_MEMORY_SHARE = 0.2  # of a corpus as ids, which preparing has three of at a time


def first_lines(lines: Iterator[str], characters: float) -> list[str]:
    """Take lines until they have so many characters; an iterator goes on behind them."""
    taken, left = [], characters
    for line in lines:
        taken.append(line)
        left -= len(line)
        if left < 0:
            break
    return taken


def blocks_of(
    tokenizer: Tokenizer,
    lines: Iterable[str],
    block_length: int,
    corpus_tokens: int | None,
    kind: type,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the blocks to train on and those held out, `(blocks, block_length)` each.

    Args:
        tokenizer: Encodes the lines.
        lines: Running text.
        block_length: Tokens of a block, [CLS] among them.
        corpus_tokens: Tokens of the text to keep at most; None keeps all.
        kind: Type of the ids.

    Raises:
        InvalidData: There are less than two blocks, more than memory holds, or nothing but
            unknown tokens.
    """
    pieces, total = [], 0
    lines = iter(lines)
    while chunk := first_lines(islice(lines, _LINES_PER_CALL), _CHARACTERS_PER_CALL):
        pieces.append(tokenizer.encode_lines(chunk).astype(kind))
        total += len(pieces[-1])
        if total * pieces[-1].itemsize > available_memory() * _MEMORY_SHARE:
            raise InvalidData(
                f"The corpus has more than {total:,} tokens, too many for the "
                f"{available_memory() / 1e9:.1f} GB of memory here. Keep fewer, such as with "
                f"recipe: {{corpus_tokens: {total // 2}}}, or give the machine more memory."
            )
        if corpus_tokens is not None and total >= corpus_tokens:
            break
    stream = np.concatenate(pieces) if pieces else np.zeros(0, kind)
    pieces.clear()
    if corpus_tokens is not None:
        stream = stream[:corpus_tokens]
    count = len(stream) // (block_length - 1)
    if count < 2:
        raise InvalidData(
            f"The corpus gives {len(stream)} tokens, and pre-training needs at least two blocks "
            f"of {block_length}. Give more text, or a smaller block length."
        )
    unknown = np.sum(stream == UNK) / max(1, np.sum(stream != SEP))
    if unknown > _MOST_UNKNOWN:
        raise InvalidData(
            f"The corpus has no usable text: {unknown:.0%} of its tokens are unknown to the "
            "tokenizer. Give text in the tokenizer's language and script, or train a tokenizer "
            "on it with tokenizer: wordpiece or bpe."
        )
    body = stream[: count * (block_length - 1)].reshape(count, block_length - 1)
    blocks = np.concatenate([np.full((count, 1), CLS, kind), body], axis=1)
    held_out = min(_VALIDATION_BLOCKS, max(1, round(count * _VALIDATION_SHARE)))
    return blocks[:-held_out], blocks[-held_out:]
