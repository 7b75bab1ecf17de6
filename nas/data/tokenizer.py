"""Tokenizers trained on a corpus: text to ids whose special tokens never move.

Sources: Schuster and Nakajima, "Japanese and Korean Voice Search", ICASSP 2012 (WordPiece);
Radford et al., "Language Models are Unsupervised Multitask Learners", 2019 (byte-level BPE).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from search_spaces.errors import InvalidData
from search_spaces.registry import Registry

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(len(SPECIAL_TOKENS))
# In place of a word's place: of special tokens, and of further tokens of a word.
WORDLESS, FURTHER = -1, -2
# What the special tokens of RoBERTa and others after it are called, in the same order.
_OTHER_NAMES = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")

_ALPHABET_LIMIT = 1000
_TEXTS_PER_BLOCK = 1000
_CHARACTERS_PER_BLOCK = 4_000_000
_CONTROL = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f\\x{feff}\\x{fffd}]"
_OVERLONG = re.compile(r"\S{1000}(?=\S)")


@dataclass(frozen=True)
class Encoded:
    """Ids of many sequences, one after the other.

    Attributes:
        tokens: All ids, int32.
        offsets: Where each sequence begins in `tokens`, and the end of the last, int64, `(n + 1,)`.
        second_start: Index within the sequence where the second sentence begins; the length of
            the sequence where there is none, int32, `(n,)`.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    second_start: np.ndarray


class Tokenizer:
    """Turns text into ids.

    Args:
        backend: The trained tokenizer of the `tokenizers` library.

    Attributes:
        special: The ids of [PAD], [UNK], [CLS], [SEP] and [MASK], in this order: 0 to 4 in a
            tokenizer that is trained here, others in that of a checkpoint.
        names: What these five are called; "<s>" for [CLS] and so on in RoBERTa's.
        cls: The id of [CLS].
        sep: The id of [SEP].
        between: The ids that part a first text from a second.

    Raises:
        InvalidData: It lacks one of the special tokens.
    """

    def __init__(self, backend: tokenizers.Tokenizer):
        self.names = special_names(backend)
        self.special = tuple(backend.token_to_id(token) for token in self.names)
        if None in self.special:
            lacking = SPECIAL_TOKENS[self.special.index(None)]
            raise InvalidData(
                f"The tokenizer has no token {lacking}. Give one with {', '.join(SPECIAL_TOKENS)}, "
                "as BERT's has them."
            )
        self._backend = backend
        self._backend.no_padding()
        cls, sep = self.names[CLS], self.names[SEP]
        self.cls, self.sep = self.special[CLS], self.special[SEP]
        self.between = (self.sep,) * (1 if self.names is SPECIAL_TOKENS else 2)  # RoBERTa has two
        between = " ".join([sep] * len(self.between))
        self._backend.post_processor = processors.TemplateProcessing(
            single=f"{cls} $A {sep}",
            pair=f"{cls} $A {between} $B:1 {sep}:1",
            special_tokens=[(cls, self.special[CLS]), (sep, self.special[SEP])],
        )

    def require_trained_here(self) -> None:
        """Check that it can serve for pre-training from scratch, which knows ids by heart.

        Raises:
            InvalidData: The special tokens have other ids than in a tokenizer trained here.
        """
        for number, token in enumerate(SPECIAL_TOKENS):
            if self.special[number] != number:
                raise InvalidData(
                    f"The tokenizer gives {token} the id {self.special[number]}, and pre-training "
                    f"needs {number}. Leave the tokenizer out to train one on the data, or start "
                    "from the checkpoint that it belongs to: nas search --from FOLDER."
                )

    @classmethod
    def from_json(cls, text: str, source: str = "This") -> "Tokenizer":
        """Return the tokenizer whose `json` is `text`.

        Args:
            text: As in tokenizer.json.
            source: Where it came from, for the message.

        Raises:
            InvalidData: The text describes no tokenizer.
        """
        try:
            backend = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the library raises nothing narrower
            raise InvalidData(
                f"{source} is no tokenizer: {error}. Give the tokenizer.json of a run or of an "
                "exported model."
            ) from None
        return cls(backend)

    @classmethod
    def read(cls, path: str | Path) -> "Tokenizer":
        """Return the tokenizer in the file `path`.

        Raises:
            InvalidData: The file is missing, or describes no tokenizer that can be used here.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidData(
                f"The tokenizer {path} cannot be read ({error}). Give the tokenizer.json of a run "
                "or of an exported model."
            ) from None
        return cls.from_json(text, str(path))

    @property
    def json(self) -> str:
        """The whole tokenizer as text, in the format of tokenizer.json."""
        self._backend.no_truncation()
        return self._backend.to_str()

    @property
    def vocabulary_size(self) -> int:
        """How many ids there are, special tokens included."""
        return self._backend.get_vocab_size()

    @property
    def texts(self) -> tuple[str, ...]:
        """How each token is spelt, by its id: with "##" where it goes on with a word, for example.

        Ids that no token has are empty.
        """
        numbers = self._backend.get_vocab()
        found = [""] * (max(numbers.values()) + 1)
        for text, number in numbers.items():
            found[number] = text
        return tuple(found)

    def encode_batch(
        self, first: Sequence[str], second: Sequence[str] | None = None, *, max_length: int
    ) -> Encoded:
        """Return the ids of sentences, or of pairs of them, with [CLS] and [SEP] in place.

        Args:
            first: The first sentences.
            second: The second sentences, as many as first, or None.
            max_length: Tokens a sequence may have; the longer sentence is cut first.
        """
        self._backend.enable_truncation(max_length, strategy="longest_first")
        inputs = list(first) if second is None else list(zip(first, second, strict=True))
        found = self._backend.encode_batch_fast(inputs)
        lengths = np.fromiter((len(e.ids) for e in found), np.int64, len(found))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        tokens = np.fromiter(chain.from_iterable(e.ids for e in found), np.int32, offsets[-1])
        second_start = lengths.astype(np.int32)
        if second is not None:
            types = np.fromiter(
                chain.from_iterable(e.type_ids for e in found), np.int64, offsets[-1]
            )
            second_start -= np.add.reduceat(types, offsets[:-1]).astype(np.int32)
        return Encoded(tokens, offsets, second_start)

    def encode_words(
        self, texts: Sequence[Sequence[str]], *, max_length: int
    ) -> tuple[Encoded, np.ndarray]:
        """Return the ids of lists of words, with [CLS] and [SEP] in place, and where words begin.

        Args:
            texts: Words of each text.
            max_length: Tokens a sequence may have; words behind are cut.

        Returns:
            The ids; and for each of them the place of its word among the words of all texts, where
            it is the word's first, `FURTHER` where it is another of its tokens, and `WORDLESS` for
            special tokens.
        """
        self._backend.enable_truncation(max_length)
        found = self._backend.encode_batch([list(words) for words in texts], is_pretokenized=True)
        lengths = np.array([len(e.ids) for e in found], np.int64)
        places, before = [], 0
        for encoding, words in zip(found, texts, strict=True):
            last = None
            for word in encoding.word_ids:
                first = word is not None and word != last
                places.append(before + word if first else WORDLESS if word is None else FURTHER)
                last = word if word is not None else last
            before += len(words)
        tokens = np.fromiter(chain.from_iterable(e.ids for e in found), np.int32, lengths.sum())
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return Encoded(tokens, offsets, lengths.astype(np.int32)), np.array(places, np.int64)

    def encode_places(self, texts: Sequence[str]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the ids of texts without special tokens, and where in its text each stands.

        Returns:
            For each text `(tokens,)` int32; and the first character of each token with the one
            after its last, `(tokens, 2)` int32.
        """
        self._backend.no_truncation()
        found = self._backend.encode_batch(list(texts), add_special_tokens=False)
        ids = [np.array(e.ids, np.int32) for e in found]
        return ids, [np.array(e.offsets, np.int32).reshape(-1, 2) for e in found]

    def encode_lines(self, lines: Sequence[str]) -> np.ndarray:
        """Return the ids of running text, `(tokens,)` int32: every line ends with [SEP]."""
        self._backend.no_truncation()
        found = self._backend.encode_batch_fast(list(lines), add_special_tokens=False)
        sep = self.special[SEP]
        ids = chain.from_iterable(chain(e.ids, (sep,)) for e in found)
        return np.fromiter(ids, np.int32, sum(len(e.ids) + 1 for e in found))

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids` without special tokens."""
        return self._backend.decode([int(i) for i in ids])


@lru_cache(maxsize=1)
def token_texts(tokenizer_json: str) -> tuple[str, ...]:
    """Return how a tokenizer spells each of its tokens, by their ids.

    Raises:
        InvalidData: The text describes no tokenizer.
    """
    return Tokenizer.from_json(tokenizer_json).texts


def special_names(backend: tokenizers.Tokenizer) -> tuple[str, ...]:
    """Return what the special tokens are called, in the order of `SPECIAL_TOKENS`."""
    other = all(backend.token_to_id(name) is not None for name in _OTHER_NAMES)
    usual = backend.token_to_id(SPECIAL_TOKENS[CLS]) is not None
    return _OTHER_NAMES if other and not usual else SPECIAL_TOKENS


_KINDS: Registry = Registry("kind of tokenizer")


def train_tokenizer(
    texts: Iterable[str],
    vocabulary_size: int,
    *,
    kind: str = "wordpiece",
    keep_marks: bool = False,
) -> Tokenizer:
    """Train a tokenizer; the same texts give the same tokenizer, in any process.

    Args:
        texts: Sentences or paragraphs.
        vocabulary_size: Most ids to make, special tokens included; a small corpus gives fewer.
        kind: "wordpiece" (lower case, accents removed, as BERT) or "bpe" (bytes, as GPT-2).
        keep_marks: Let letters keep their accents and other marks; "bpe" always does.

    Raises:
        UnknownName: There is no such kind.
        InvalidData: There is no text, or the vocabulary cannot hold even the single characters.
    """
    train = _KINDS[kind]
    # A trainer takes quadratic time for a word of megabytes, which is no word.
    texts = [_OVERLONG.sub(r"\g<0> ", text) for text in texts if text.strip()]
    if not texts:
        raise InvalidData(
            "There is no text to train a tokenizer on. Give a corpus, or tasks with sentences."
        )
    return Tokenizer(train(texts, vocabulary_size, keep_marks=keep_marks))


def _marks_kept() -> normalizers.Normalizer:
    """Return BERT's normaliser, but marks stay on their letters, in one form.

    Its cleaning is left out, which takes what joins or parts letters of Indic scripts for control
    characters; those that are none of any script go.
    """
    return normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(tokenizers.Regex(_CONTROL), ""),
            normalizers.BertNormalizer(clean_text=False, strip_accents=False, lowercase=True),
        ]
    )


@_KINDS.register("wordpiece")
def _train_wordpiece(
    texts: list[str], vocabulary_size: int, *, keep_marks: bool
) -> tokenizers.Tokenizer:
    normalizer = _marks_kept() if keep_marks else normalizers.BertNormalizer(lowercase=True)
    alphabet = _alphabet(texts, normalizer)
    # The library numbers continuation characters in the order of a hash map that differs from
    # process to process; named as special tokens first, they get the same numbers every time.
    pieces = [*SPECIAL_TOKENS, *alphabet, *(f"##{character}" for character in alphabet)]
    _check_size(vocabulary_size, len(pieces))
    trained = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    trained.normalizer = normalizer
    trained.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary_size,
        special_tokens=pieces,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    trained.train_from_iterator(texts, trainer)
    backend = tokenizers.Tokenizer(models.WordPiece(trained.get_vocab(), unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = normalizer, pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.add_special_tokens(list(SPECIAL_TOKENS))
    return backend


@_KINDS.register("bpe")
def _train_bpe(texts: list[str], vocabulary_size: int, *, keep_marks: bool) -> tokenizers.Tokenizer:
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    _check_size(vocabulary_size, len(SPECIAL_TOKENS) + len(alphabet))
    backend = tokenizers.Tokenizer(models.BPE(unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def _alphabet(texts: list[str], normalizer: normalizers.Normalizer) -> list[str]:
    """Return the most frequent characters, ties in their own order."""
    counts: Counter[str] = Counter()
    for block in _joined(texts):
        counts.update(normalizer.normalize_str(block))
    ranked = sorted((c for c in counts if not c.isspace()), key=lambda c: (-counts[c], c))
    return sorted(ranked[:_ALPHABET_LIMIT])


def _joined(texts: list[str]) -> Iterator[str]:
    """Yield texts side by side, as many as the normaliser can hold."""
    block, size = [], 0
    for text in texts:
        block.append(text)
        size += len(text)
        if len(block) == _TEXTS_PER_BLOCK or size > _CHARACTERS_PER_BLOCK:
            yield " ".join(block)
            block, size = [], 0
    yield " ".join(block)


def _check_size(vocabulary_size: int, needed: int) -> None:
    if vocabulary_size < needed:
        raise InvalidData(
            f"A vocabulary of {vocabulary_size} is too small: the special tokens and single "
            f"characters of this text take {needed}. Allow at least {needed}."
        )
