"""A share of the text said several times in other words, in place of as much other text.

Source: Haga et al., "BabyLM Challenge: Exploring the Effect of Variation Sets on Language Model
Training Efficiency", 2024. How sentences vary is our definition: see
`nas.training.augmentations.variations`.
"""

import re
from collections.abc import Iterator
from heapq import heappop, heappush

import numpy as np
import tokenizers

from nas.data.tokenizer import CLS, SEP
from nas.training.augmentations.base import AUGMENTATIONS
from nas.training.augmentations.variations import vary
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

_LARGEST = 5  # sentences of a set
_LINES = 2_000  # decoded at once
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]+")

SLOTS["augmentation"].kinds.register("variation-sets")(
    Kind(
        "variation-sets",
        "sentences said again in other words",
        {
            "share": Setting(0.4, "line", most=1, weight=0.1),
            "order": Setting("adjacent", "name", ("adjacent", "dispersed"), weight=0.04),
        },
    )
)


@AUGMENTATIONS.register("variation-sets")
def variation_sets(
    blocks: np.ndarray, tokenizer_json: str, seed: int, *, share: float, order: str
) -> np.ndarray:
    """Return blocks of the same shape in which a share of the tokens are in variation sets.

    The budget stays: what sets add, other sentences of the end of the text make room for.

    Args:
        blocks: Text, `(blocks, length)`; each begins with [CLS], and lines end with [SEP].
        tokenizer_json: What made ids of it.
        seed: Decides how sentences vary, and how often.
        share: Of the tokens; 0 gives the very same blocks.
        order: "adjacent", or "dispersed": no two sentences of a set are within one block.
    """
    if share == 0:
        return blocks
    count, length = blocks.shape
    stream = composed(
        split_lines(blocks), tokenizer_json, seed, share=share,
        gap=0 if order == "adjacent" else 2 * length,
    )  # fmt: skip
    wanted = count * (length - 1)
    found = np.zeros(wanted, blocks.dtype)
    filled = 0
    for ids, _ in stream:
        taken = ids[: wanted - filled]
        found[filled : filled + len(taken)] = taken
        filled += len(taken)
        if filled == wanted:
            break
    body = found.reshape(count, length - 1)
    return np.concatenate([np.full((count, 1), CLS, blocks.dtype), body], axis=1)


def split_lines(blocks: np.ndarray) -> list[np.ndarray]:
    """Return the lines that blocks were cut from, each with its [SEP] but perhaps the last."""
    text = np.asarray(blocks)[:, 1:].ravel()
    return [line for line in np.split(text, np.flatnonzero(text == SEP) + 1) if len(line)]


def composed(
    lines: list[np.ndarray], tokenizer_json: str, seed: int, *, share: float, gap: int
) -> Iterator[tuple[np.ndarray, int]]:
    """Yield lines without end, and the number of the set each is in, or -1.

    Args:
        lines: Ids of each; they begin again when they are used up.
        tokenizer_json: What made them.
        seed: Decides what is drawn.
        share: Of the tokens in sets.
        gap: Fewest tokens from one sentence of a set to the next; 0 puts them side by side.
    """
    rng = np.random.default_rng(seed)
    backend = tokenizers.Tokenizer.from_str(tokenizer_json)
    source = _in_words(lines, backend)
    written = in_sets = sets = 0
    # where each set goes on, its number, and what of it is still to come
    waiting: list[tuple[int, int, list[np.ndarray]]] = []
    while True:
        if waiting and waiting[0][0] <= written:
            _, number, (ids, *later) = heappop(waiting)
            written += len(ids)
            if later:
                heappush(waiting, (written + gap, number, later))
            yield ids, number
            continue
        ids, words = next(source)
        size = int(rng.integers(2, _LARGEST + 1))
        about = size * len(ids)
        enough = share < 1 and in_sets + about / 2 > share * (written + about)
        if not words or enough:
            written += len(ids)
            yield ids, -1
            continue
        others = _varied(words, size - 1, rng, backend)
        in_sets += len(ids) + sum(map(len, others))
        written += len(ids)
        yield ids, sets
        heappush(waiting, (written + gap, sets, others))
        sets += 1


def _in_words(
    lines: list[np.ndarray], backend: tokenizers.Tokenizer
) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Yield the ids of each line and its words; of one cut off, no words."""
    while True:
        for start in range(0, len(lines), _LINES):
            chunk = lines[start : start + _LINES]
            texts = backend.decode_batch([line.tolist() for line in chunk])
            for ids, text in zip(chunk, texts, strict=True):
                yield ids, _WORD.findall(text) if ids[-1] == SEP else []


def _varied(
    words: list[str], count: int, rng: np.random.Generator, backend: tokenizers.Tokenizer
) -> list[np.ndarray]:
    texts, last = [], words
    for _ in range(count):
        last = vary(last if rng.random() < 0.5 else words, rng)
        texts.append(" ".join(last))
    found = backend.encode_batch(texts, add_special_tokens=False)
    return [np.array([*one.ids, SEP]) for one in found]
