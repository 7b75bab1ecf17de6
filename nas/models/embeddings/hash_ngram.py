"""Vectors of tokens computed from the characters they are written with: no table is trained.

Source: Cohn et al., "EELBERT: Tiny Models through Dynamic Embeddings", EMNLP 2023 (Industry Track).
Differs on purpose: of the hashing the paper says little, so this is our definition. A token's text,
in Unicode's form NFC, has all n-grams of 1 to `length` characters. An n-gram is folded into a
number, `r = (31 * r + code point) mod (2^61 - 1)` from one character to the next; its feature j is
`2 * (r * h_j mod buckets) / buckets - 1`, with an `h_j` drawn from the seed. A token is the mean of
its n-grams. Special tokens, which say nothing by their letters, have a trained vector each; padding
is zero. A tied output decodes with what is computed, so that no table comes back.
"""

import random
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.embeddings.base import EMBEDDINGS
from search_spaces.errors import InvalidData
from search_spaces.kinds import SLOTS, Kind, ModelShape
from search_spaces.parts import Part, Setting

BASE, MODULUS = 31, (1 << 61) - 1  # of the fold of an n-gram's characters
# What tokens are called that have a trained vector: BERT's names, and RoBERTa's.
SPECIAL = (("[UNK]", "<unk>"), ("[CLS]", "<s>"), ("[SEP]", "</s>"), ("[MASK]", "<mask>"))
POOLINGS = ("sizes", "grams")
MAPS = ("none", "linear")
SETTINGS = {
    "length": Setting(3, least=1, most=8, weight=0.01),
    # below 2^31 no product leaves 64 bits
    "buckets": Setting(1_000_000, least=2, most=1 << 31, weight=0.005),
    "pooling": Setting(POOLINGS[0], "name", POOLINGS, weight=0.005),
    "map": Setting(MAPS[0], "name", MAPS, weight=0.01),
    "seed": Setting(1234, "line", most=(1 << 31) - 1, weight=1e-9),
}
_TOKENS_AT_ONCE = 1_000


def _maps(part: Part) -> bool:
    return dict(part.settings).get("map") == MAPS[1]


def _parameters(shape: ModelShape, part: Part) -> int:
    width = shape.widths[0]
    return len(SPECIAL) * width + _maps(part) * (width + 1) * width


def _shared(a: Part, b: Part) -> Part | None:
    if a.kind != b.kind:
        return None
    return b if _maps(a) else a  # the map where both have one


SLOTS["embedding"].kinds.register("hash-ngram")(
    Kind(
        "hash-ngram",
        "hashed from the characters of a token",
        SETTINGS,
        parameters=_parameters,
        flops=lambda shape, part, length: 2 * length * _maps(part) * shape.widths[0] ** 2,
        shared=_shared,
        refuses={
            "objective": {
                "rtd(sharing=disentangled)": "what two models share is a learned table, and it "
                "has none"
            }
        },
    )
)


def fold(gram: str) -> int:
    """Return the number of an n-gram, below 2^61 - 1."""
    number = 0
    for character in gram:
        number = (number * BASE + ord(character)) % MODULUS
    return number


@lru_cache(maxsize=4)
def signatures(
    texts: tuple[str, ...], width: int, *, length: int, buckets: int, seed: int, pooling: str
) -> Tensor:
    """Return what each text is hashed to, `(texts, width)` float32 on the CPU; zero for an empty.

    The same on every machine. Callers share the tensor: it is not to be changed.

    Args:
        texts: As a tokenizer spells its tokens.
        width: Features.
        length: Characters of the longest n-gram.
        buckets: Values that a feature can have.
        seed: Decides the hash of each feature.
        pooling: The mean over n-grams of each size, and then over sizes ("sizes"), or over all
            n-grams at once ("grams").
    """
    numbers: dict[str, int] = {}  # n-gram -> its row
    rows: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for text in texts:
        own, counts = [], []
        letters = unicodedata.normalize("NFC", text)
        for size in range(1, min(length, len(letters)) + 1):
            grams = [letters[at : at + size] for at in range(len(letters) - size + 1)]
            own += [numbers.setdefault(gram, len(numbers)) for gram in grams]
            counts.append(len(grams))
        shares = np.array(counts if pooling == "grams" else [1] * len(counts), np.float64)
        weights.append(np.repeat(shares / max(shares.sum(), 1) / np.maximum(counts, 1), counts))
        rows.append(np.array(own, np.int64))
    drawn = random.Random(seed)
    factors = np.array([drawn.randrange(1, buckets) for _ in range(width)], np.int64)
    # the rest first: the product then fits into 64 bits, and has the same rest
    folded = np.array([fold(gram) % buckets for gram in numbers], np.int64)
    features = 2 * (folded[:, None] * factors % buckets) / buckets - 1
    found = np.zeros((len(texts), width), np.float32)
    written = [number for number, own in enumerate(rows) if len(own)]
    for first in range(0, len(written), _TOKENS_AT_ONCE):
        some = written[first : first + _TOKENS_AT_ONCE]
        starts = np.cumsum([0, *(len(rows[n]) for n in some[:-1])])
        weight = np.concatenate([weights[n] for n in some])[:, None]
        weighed = features[np.concatenate([rows[n] for n in some])] * weight
        found[some] = np.add.reduceat(weighed, starts, axis=0)
    return torch.from_numpy(found)


def usual_texts(vocabulary_size: int) -> tuple[str, ...]:
    """Return texts of tokens where nobody says them: the special ones, and numbers."""
    special = ("[PAD]", *(names[0] for names in SPECIAL))
    return (*special, *map(str, range(len(special), vocabulary_size)))[:vocabulary_size]


@EMBEDDINGS.register("hash-ngram")
class HashEmbedding(nn.Module):
    """Hashed vectors of all tokens, computed once; `state_dict()` has nothing of them.

    Args:
        vocabulary_size: Number of token ids.
        width: Numbers for each token.
        pad_id: Token id of padding.
        texts: The text of each token id, as the tokenizer spells it; ids beyond them are zero.
        length: Characters of the longest n-gram.
        buckets: Values that a feature of an n-gram can have.
        pooling: How n-grams are put together; see `signatures`.
        map: "linear" for a map of the hashed vectors to those that are added up.
        seed: Decides the hash of each feature.

    Raises:
        InvalidData: If there are more texts than ids.
    """

    axes: ClassVar = {
        "special": (str(len(SPECIAL)), "first"),
        "map.weight": ("first", "<first"),
        "map.bias": ("first",),
    }
    reads_texts = True

    def __init__(
        self,
        vocabulary_size: int,
        width: int,
        *,
        pad_id: int,
        texts: Sequence[str] | None = None,
        length: int = SETTINGS["length"].default,
        buckets: int = SETTINGS["buckets"].default,
        pooling: str = SETTINGS["pooling"].default,
        map: str = SETTINGS["map"].default,  # noqa: A002 - the name of the setting
        seed: int = SETTINGS["seed"].default,
    ):
        super().__init__()
        self.texts = usual_texts(vocabulary_size) if texts is None else tuple(texts)
        if len(self.texts) > vocabulary_size:
            raise InvalidData(
                f"There are texts of {len(self.texts)} tokens, and the encoder knows "
                f"{vocabulary_size}. Give the tokenizer that it is built for."
            )
        places = {text: number for number, text in enumerate(self.texts) if number != pad_id}
        found = [next((places[n] for n in names if n in places), None) for names in SPECIAL]
        spelt = list(self.texts) + [""] * (vocabulary_size - len(self.texts))
        for number in (pad_id, *found):
            if number is not None:
                spelt[number] = ""
        # No buffer: those that are not saved are lost where a model is first built without memory,
        # as `from_pretrained` does; and numpy computes it in memory even there.
        self.hashed = signatures(
            tuple(spelt), width, length=length, buckets=buckets, seed=seed, pooling=pooling
        )
        # token id -> row of `special`, and the number of rows for all others
        kinds = np.full(vocabulary_size, len(SPECIAL))
        for row, number in enumerate(found):
            if number is not None:
                kinds[number] = row
        self.kinds = torch.from_numpy(kinds)
        self.special = nn.Parameter(torch.randn(len(SPECIAL), width) * 0.02)
        self.map = nn.Linear(width, width) if map == MAPS[1] else None

    def _apply(self, *arguments, **kwargs):
        moved = super()._apply(*arguments, **kwargs)
        self._follow(self.special.device)
        return moved

    def _follow(self, device: torch.device) -> None:
        if device.type != "meta" and self.hashed.device != device:
            self.hashed, self.kinds = self.hashed.to(device), self.kinds.to(device)

    @property
    def weight(self) -> Tensor:
        """The vectors of all tokens, `(vocabulary_size, width)`, which a tied output decodes with.

        They are those before the map.
        """
        if self.special.is_meta:  # a model that is built without memory: its shapes are asked for
            return self.special.new_empty(self.hashed.shape)
        return self._vectors(torch.arange(len(self.kinds), device=self.hashed.device))

    def forward(self, tokens: Tensor) -> Tensor:
        vectors = self._vectors(tokens)
        return vectors if self.map is None else self.map(vectors)

    def _vectors(self, tokens: Tensor) -> Tensor:
        self._follow(tokens.device)
        rows = F.pad(self.special, (0, 0, 0, 1))
        hashed = F.embedding(tokens, self.hashed).to(rows.dtype)
        return hashed + F.embedding(F.embedding(tokens, self.kinds[:, None])[..., 0], rows)
