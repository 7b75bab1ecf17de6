"""Self-attention with what encoders of today add: shared keys, a window, gates, no biases.

Source: Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models from Multi-Head
Checkpoints", EMNLP 2023; Beltagy, Peters, Cohan, "Longformer", 2020 (windows); Charpentier and
Samuel, "GPT or BERT: why not both?", 2024 (gates); Warner et al., "Smarter, Better, Faster,
Longer" (ModernBERT), ACL 2025 (a window in some layers, no biases); Radford et al., "Language
Models are Unsupervised Multitask Learners" (GPT-2), 2019 (a causal mask).
Differs on purpose: how many queries share a key is set, not how many keys there are, so that any
number of heads will do (the last keys may have fewer queries); a gate opens by GELU from where it
is 1 and so starts by passing everything on (our definition).
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.mixers.base import MIXERS, exporting, join_heads, split_heads
from nas.models.mixers.relative import masked_softmax
from nas.models.mixers.scores import ScoringMixer, least
from search_spaces.kinds import Kind
from search_spaces.operations import OPERATIONS, HeadGroup
from search_spaces.parts import Part, Setting, Value

UNLIMITED = 65_536  # no sequence is longer
OPEN = 1.1444507183528787  # where GELU is 1
SETTINGS = {
    "queries": Setting(1, least=1, weight=0.01),
    "window": Setting(UNLIMITED, least=1, weight=0.005),
    "gate": Setting("none", "name", ("none", "gelu"), weight=0.01),
    "bias": Setting("learned", "name", ("learned", "none"), weight=0.005),
    "mask": Setting("none", "name", ("none", "causal"), weight=0.01),
}


def _setting(part: Part, name: str) -> Value:
    return dict(part.settings).get(name, SETTINGS[name].default)


def _written(group: HeadGroup, part: Part) -> int:
    """Numbers that all linear maps write for a token."""
    gated = _setting(part, "gate") != "none"
    return group.inner * (1 + gated) + 2 * _shared(group, part)


def _shared(group: HeadGroup, part: Part) -> int:
    """Numbers that all keys of a token are, or all values."""
    return math.ceil(group.heads / _setting(part, "queries")) * group.head_width


def _parameters(group: HeadGroup, part: Part) -> int:
    maps = (group.width + (_setting(part, "bias") == "learned")) * _written(group, part)
    return maps + group.more_for_values * _shared(group, part)


def _flops(group: HeadGroup, part: Part, length: int) -> int:
    beside = group.relative or group.rows
    pairs = length * length if beside else pairs_seen(length, _setting(part, "window"))
    scores = 4 * pairs * group.inner + 2 * length * length * group.inner * group.relative
    shared = _shared(group, part)
    rows = 2 * group.rows * (group.width * (group.inner + shared) + 2 * length * group.inner)
    maps = group.width * _written(group, part) + group.more_for_values * shared
    return 2 * length * maps + scores + rows


def pairs_seen(length: int, window: int) -> int:
    """Return the pairs of tokens that are computed: all, or blocks of a window and its neighbours.

    Whichever are fewer.
    """
    return min(length * length, math.ceil(length / window) * 3 * window * window)


OPERATIONS.register("attention")(
    Kind(
        "attention",
        "self-attention",
        SETTINGS,
        parameters=_parameters,
        flops=_flops,
        attends=True,
        causal=True,
        splits=True,
    )
)


@MIXERS.register("attention")
class GroupedAttention(ScoringMixer):
    """Self-attention whose keys and values serve several queries, near by or everywhere.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        relative: Whether scores depend on the distance between tokens, too.
        queries: Heads that share one key and one value.
        window: Tokens to each side that a query sees.
        gate: "gelu" to multiply what a head gathers with GELU of a map of the token itself.
        bias: "none" for linear maps without biases.
        mask: "causal" for tokens that never see a later one.
    """

    axes: ClassVar = {
        "query.weight": ("out", "<width"),
        "query.bias": ("out",),
        "key_value.weight": ("shared key+shared out", "<width"),
        "key_value.bias": ("shared key+shared out",),
        "key.weight": ("shared key", "<width"),
        "key.bias": ("shared key",),
        "value.weight": ("shared out", "<values"),
        "value.bias": ("shared out",),
        "gate.weight": ("out", "<width"),
        "gate.bias": ("out",),
        **ScoringMixer.axes,
    }
    unpads: ClassVar = True
    causal: ClassVar = True

    def __init__(
        self,
        width: int,
        heads: int,
        head_width: int,
        *,
        relative: bool = False,
        queries: int = SETTINGS["queries"].default,
        window: int = SETTINGS["window"].default,
        gate: str = SETTINGS["gate"].default,
        bias: str = SETTINGS["bias"].default,
        mask: str = SETTINGS["mask"].default,
    ):
        super().__init__(width, heads, head_width, relative=relative)
        self.queries, self.window, self.masked = queries, window, mask == "causal"
        self.shared = math.ceil(heads / queries)
        inner, biased = heads * head_width, bias == "learned"
        self.query = nn.Linear(width, inner, bias=biased)
        self.key_value = nn.Linear(width, 2 * self.shared * head_width, bias=biased)
        self.gate = None if gate == "none" else nn.Linear(width, inner, bias=biased)

    def read_positions(self, positions) -> None:
        super().read_positions(positions)
        self.rotation = positions.rotation(self.head_width, local=self.window < UNLIMITED)

    def split_values(self, width: int) -> None:
        shared, biased = self.shared * self.head_width, self.query.bias is not None
        self.splits = True
        del self.key_value
        self.key = nn.Linear(self.width, shared, bias=biased)
        self.value = nn.Linear(width, shared, bias=biased)

    def forward(
        self,
        x: Tensor,
        keep: Tensor | None,
        distances: Tensor | None = None,
        rows: Tensor | None = None,
        values: Tensor | None = None,
        *,
        causal: bool = False,
    ) -> Tensor:
        return self.mix(self.maps(x, values), keep, distances, rows, causal=causal)

    def maps(self, x: Tensor, values: Tensor | None = None) -> tuple[Tensor, ...]:
        gate = () if self.gate is None else (F.gelu(self.gate(x) + OPEN),)
        if not self.splits:
            return (*gate, self.query(x), self.key_value(x))
        own = () if values is None else (self.value(values),)
        return (*gate, self.query(x), self.key(x), *own)

    def mix(
        self,
        maps: tuple[Tensor, ...],
        keep: Tensor | None,
        distances: Tensor | None = None,
        rows: Tensor | None = None,
        *,
        causal: bool = False,
    ) -> Tensor:
        query, key, value = self.split(maps)
        length = query.shape[2]
        alone = distances is None and rows is None and self.penalty is None
        if alone and not exporting() and pairs_seen(length, self.window) < length * length:
            query, key = self.turned(query, key)
            causal = causal or self.masked
            gathered = banded_attention(query, key, value, keep, self.window, causal=causal)
        else:
            seen = self.seen(length, query.device, causal=causal)
            gathered = self.attend(query, key, value, keep, distances, rows, seen)
        gathered = join_heads(gathered)
        return gathered if self.gate is None else gathered * maps[0]

    def seen(self, length: int, device: torch.device, *, causal: bool = False) -> Tensor | None:
        seen = super().seen(length, device, causal=causal or self.masked)
        if self.window == UNLIMITED:
            return seen
        place = torch.arange(length, device=device)
        near = (place[:, None] - place).abs() <= self.window
        return near if seen is None else near & seen

    def split(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor | None]:
        query, *shared = maps if self.gate is None else maps[1:]
        if not self.splits:
            shared = shared[0].chunk(2, -1)
        key, value = (*(self._spread(part) for part in shared), None)[:2]
        return split_heads(query, self.heads), key, value

    def of_rows(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        if self.splits:
            return split_heads(self.query(rows), self.heads), self._spread(self.key(rows))
        key = self.shared * self.head_width
        bias = self.key_value.bias
        keys = F.linear(rows, self.key_value.weight[:key], None if bias is None else bias[:key])
        return split_heads(self.query(rows), self.heads), self._spread(keys)

    def _spread(self, shared: Tensor) -> Tensor:
        """Give every head the key or value it shares."""
        split = split_heads(shared, self.shared)
        if self.queries == 1:
            return split
        return split.repeat_interleave(self.queries, 1)[:, : self.heads]


def banded_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    keep: Tensor | None,
    window: int,
    *,
    causal: bool = False,
) -> Tensor:
    """Attention to the tokens of a window, in blocks: time and memory grow with the length alone.

    Args:
        query: `(batch, heads, length, head_width)`.
        key: Same shape.
        value: Same shape.
        keep: Boolean, `(batch, length)`; None where nothing is padded.
        window: Tokens to each side that a query sees.
        causal: Whether it sees those before it alone, and its own.

    Returns:
        `(batch, heads, length, head_width)`.
    """
    length = query.shape[2]
    blocks = math.ceil(length / window)
    rest = blocks * window - length
    # a block of queries sees the keys of its own block and of the two beside it
    asked = F.pad(query, (0, 0, 0, rest)).unflatten(2, (blocks, window))
    beside = (0, 0, window, window + rest)
    keys, values = (F.pad(x, beside).unfold(2, 3 * window, window) for x in (key, value))
    real = torch.ones(1, length, dtype=torch.bool, device=query.device) if keep is None else keep
    real = F.pad(real, beside[2:]).unfold(1, 3 * window, window)
    row = torch.arange(window, device=query.device)[:, None] + window
    further = row - torch.arange(3 * window, device=query.device)
    near = (further.abs() <= window) & ((further >= 0) if causal else True)
    scores = (asked * (1 / math.sqrt(query.shape[-1]))) @ keys
    scores = scores.masked_fill(~(real[:, None, :, None] & near), least(scores))
    mixed = masked_softmax(scores, None) @ values.transpose(-1, -2)
    return mixed.flatten(2, 3)[:, :, :length]
