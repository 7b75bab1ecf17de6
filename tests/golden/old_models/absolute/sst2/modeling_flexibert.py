# SPDX-License-Identifier: Apache-2.0
"""FlexiBERT encoders for transformers: generated from the sources of encoder-nas."""

from abc import ABC
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from functools import partial
from importlib.metadata import entry_points
from itertools import pairwise
from torch import Tensor
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from transformers import AutoConfig
from transformers import AutoModel
from transformers import AutoModelForMaskedLM
from transformers import AutoModelForSequenceClassification
from transformers import PreTrainedModel
from transformers import PretrainedConfig
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.modeling_outputs import MaskedLMOutput
from transformers.modeling_outputs import SequenceClassifierOutput
from types import SimpleNamespace
from typing import Any
from typing import ClassVar
from typing import TYPE_CHECKING
from typing import TypeVar
import math
import torch


# ---- nas.models.dropout


class Dropout(nn.Dropout):
    """`torch.nn.Dropout`, more than twice as fast on a CPU, where torch draws one by one.

    Differs on purpose: on a CPU the probability is rounded to a multiple of 2 ** -16.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Zero features of `x` with probability `p` in training, and scale up the others."""
        if not self.training or x.device.type != "cpu" or not 0 < self.p < 1:
            return F.dropout(x, self.p, self.training)
        return x * _kept(x, self.p).to(x.dtype).mul_(1 / (1 - self.p))


def _kept(x: Tensor, p: float) -> Tensor:
    """Boolean, the shape of `x`, True with probability 1 - p: 16 random bits for each."""
    count = math.prod(x.shape)
    words = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.int16)[:count].view(x.shape) >= round(p * 2**16) - 2**15


# ---- search_spaces.errors


class NasError(Exception):
    """Base class: `except NasError` catches everything this project raises on purpose."""

    def __str__(self) -> str:  # a KeyError subclass would show its message inside quotes
        return str(self.args[0]) if self.args else ""


class UnknownName(NasError, KeyError):
    """A name in an experiment, a command or an architecture that nothing is registered under."""

    def __init__(self, kind: str, name: object, known: Iterable[object]):
        known = sorted(str(k) for k in known)
        close = get_close_matches(str(name), known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        super().__init__(f"No {kind} is called {name!r}.{hint} Available: {', '.join(known)}.")


class InvalidArchitecture(NasError, ValueError):
    """An architecture dictionary that describes no encoder."""


class InvalidSpace(NasError, ValueError):
    """A search space definition that cannot be used."""


class InvalidExperiment(NasError, ValueError):
    """An experiment file or command line with a key or value that is not allowed."""


class InvalidData(NasError, ValueError):
    """Task files, a corpus or a tokenizer that cannot be read or used."""


class RunError(NasError):
    """A run directory that is missing, taken, locked or belongs to another experiment."""


class NotAModel(NasError, ValueError):
    """A folder that holds no exported model, or one whose files do not fit together."""


class PolicyError(NasError, ValueError):
    """A policy was told or asked something impossible, such as a NaN or a result twice."""


class TrialError(NasError):
    """Training one architecture failed; `cause` is one of the names the run record uses.

    Args:
        message: What happened, for the record and the person reading it.
        cause: "nan", "out-of-memory", "time-out" or "error".
    """

    def __init__(self, message: str, cause: str = "error"):
        super().__init__(message, cause)
        self.cause = cause


# ---- search_spaces.registry


T = TypeVar("T")


class Registry(Mapping[str, T]):
    """A read-only mapping that classes and factories enter through `register`.

    Args:
        kind: The word error messages use, as in "No mixer is called 'sa-spd'".
        group: Entry-point group that other packages may add entries through, such as
            "nas.mixers"; they are loaded at the first look-up of a name not found here.
    """

    def __init__(self, kind: str, group: str | None = None):
        self.kind = kind
        self._group = group
        self._entries: dict[str, T] = {}

    def register(self, *names: str) -> Callable[[T], T]:
        """Decorate a class or function to enter it under `names`; a taken name is an error."""

        def add(entry: T) -> T:
            for name in names:
                if name in self._entries:
                    raise ValueError(f"{self.kind} {name!r} is already {self._entries[name]!r}")
                self._entries[name] = entry
            return entry

        return add

    def _load_entry_points(self) -> None:
        if self._group is None:
            return
        group, self._group = self._group, None
        for point in entry_points(group=group):
            if point.name not in self._entries:
                self._entries[point.name] = point.load()

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            self._load_entry_points()
        if name not in self._entries:
            raise UnknownName(self.kind, name, self._entries)
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        self._load_entry_points()
        return iter(self._entries)

    def __len__(self) -> int:
        self._load_entry_points()
        return len(self._entries)


# ---- nas.models.feedforwards.base


# name -> a callable (width, inner) -> FeedForward
FEEDFORWARDS: Registry[Callable[..., "FeedForward"]] = Registry(
    "feed-forward block", group="nas.feedforwards"
)


class FeedForward(nn.Module, ABC):
    """Maps every token by itself; residual, dropout and norm belong to the layer.

    Args:
        width: Width of the hidden states it reads and writes.
        inner: Widths of the inner layers, first to last; at least one.
    """

    def __init__(self, width: int, inner: tuple[int, ...]):
        super().__init__()
        self.width, self.inner = width, tuple(inner)

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """What each axis of each tensor is, in the words of `nas.models.axes`.

        Blocks inherit weights by it; one that does not say inherits only from its equal.
        """
        return {}

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map hidden states `(batch, length, width)` to the same shape."""


# ---- nas.models.feedforwards.mlp


@FEEDFORWARDS.register("mlp")
class MultilayerPerceptron(FeedForward):
    """Linear, GELU, Linear, GELU, ..., Linear back to `width`; no norm inside the stack."""

    def __init__(self, width: int, inner: tuple[int, ...]):
        super().__init__(width, inner)
        widths = (width, *self.inner)
        self.stack = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.output = nn.Linear(self.inner[-1], width)

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        axes = {"output.weight": ("width", "<last"), "output.bias": ("width",)}
        for k in range(len(self.stack)):
            before = f"<inner {k - 1}" if k else "<width"
            axes[f"stack.{k}.weight"] = (f"inner {k}", before)
            axes[f"stack.{k}.bias"] = (f"inner {k}",)
        return axes

    def forward(self, x: Tensor) -> Tensor:
        for linear in self.stack:
            x = F.gelu(linear(x))
        return self.output(x)


# ---- nas.models.initialisation


def initialise(module: nn.Module) -> None:
    """Initialise one module in place, its children not; use as `model.apply(initialise)`."""
    if isinstance(module, nn.Linear | nn.Conv1d | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)


# ---- nas.models.mixers.base


# A kind such as "sa_sdp", or the operation of a family with a number such as "c" (kernel 5: "c_5"),
# to a callable (width, heads, head_width, *, relative) -> Mixer; a family also takes its number.
MIXERS: Registry[Callable[..., "Mixer"]] = Registry("mixer", group="nas.mixers")


class Mixer(nn.Module, ABC):
    """Mixes information between tokens for a group of `heads` heads of one kind.

    A layer splits its heads into groups by kind, runs one mixer per group on the same input and
    concatenates the results, so mixers never know about each other.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        relative: Whether `forward` will be given vectors for the distances between tokens.

    Attributes:
        axes: What each axis of each tensor is, in the words of `nas.models.axes`, so that weights
            can be inherited; tensors not named here are inherited only by equal groups.
    """

    axes: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __init__(self, width: int, heads: int, head_width: int, *, relative: bool = False):
        super().__init__()
        self.width, self.heads, self.head_width = width, heads, head_width
        self.relative = relative

    @abstractmethod
    def forward(self, x: Tensor, keep: Tensor | None, distances: Tensor | None = None) -> Tensor:
        """Mix `x`; neither the content nor the amount of padding may influence real tokens.

        Args:
            x: Hidden states, `(batch, length, width)`.
            keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
            distances: Vectors for the distances key minus query from `1 - length` to
                `length - 1`, `(2 * length - 1, head_width)`; None unless `relative`.

        Returns:
            `(batch, length, heads * head_width)`; at padding, any finite values.
        """


def make_mixer(
    operation: str,
    parameter: str | int,
    width: int,
    heads: int,
    head_width: int,
    *,
    relative: bool = False,
) -> Mixer:
    """Build the mixer for heads of one kind, such as ("sa", "sdp") or ("c", 5).

    Raises:
        UnknownName: If no such mixer is registered.
    """
    if isinstance(parameter, int):
        return MIXERS[operation](width, heads, head_width, parameter, relative=relative)
    return MIXERS[f"{operation}_{parameter}"](width, heads, head_width, relative=relative)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """`(batch, length, heads * head_width)` to `(batch, heads, length, head_width)`."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """`(batch, heads, length, head_width)` to `(batch, length, heads * head_width)`."""
    return x.transpose(1, 2).flatten(2)


# ---- nas.models.mixers.relative


def relative_scores(query: Tensor, distances: Tensor) -> Tensor:
    """Dot product of every query with the vector of its distance to every key.

    One matrix product for all distances; row i of the wanted result then starts one place further
    left than row i - 1, which a view with one number less per row expresses without copying.

    Args:
        query: `(batch, heads, length, head_width)`.
        distances: `(2 * length - 1, head_width)`; row r is for key - query = r - length + 1.

    Returns:
        `(batch, heads, length, length)`, unscaled.
    """
    length = query.shape[2]
    products = query @ F.pad(distances, (0, 0, 0, 1)).t()  # one more column, to be skewed
    used = products.flatten(2)[..., length - 1 : length - 1 + length * (2 * length - 1)]
    return used.unflatten(-1, (length, 2 * length - 1))[..., :length]


def masked_softmax(scores: Tensor, keep: Tensor | None) -> Tensor:
    """Softmax over the real keys; `scores` is `(batch, heads, length, length)`."""
    if keep is not None:
        # The lowest finite number, not -inf: a sequence without any real token must not give NaN.
        scores = scores.masked_fill(~keep[:, None, None, :], torch.finfo(scores.dtype).min)
    return scores.softmax(-1)


def position_weights(query: Tensor, distances: Tensor, keep: Tensor | None) -> Tensor:
    """Attention by distance alone: softmax of the scaled relative scores over real keys."""
    scale = 1 / math.sqrt(query.shape[-1])
    return masked_softmax(relative_scores(query * scale, distances), keep)


# ---- nas.models.mixers.attention


class SelfAttention(Mixer):
    """Every token takes a weighted mean of all values; weights from its query and their keys.

    Query, key and value share one Linear whose output is `[query; key; value]`, each
    `heads * head_width` wide.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        weighted: Whether scores are query W key instead of query key, W learned per head.
        relative: Whether scores depend on the distance between tokens, too.
    """

    axes: ClassVar = {
        "query_key_value.weight": ("out+key+out", "<width"),
        "query_key_value.bias": ("out+key+out",),
        "weighting": ("head", "<feature", "feature"),
    }

    def __init__(
        self, width: int, heads: int, head_width: int, *, weighted: bool, relative: bool = False
    ):
        super().__init__(width, heads, head_width, relative=relative)
        self.query_key_value = nn.Linear(width, 3 * heads * head_width)
        self.weighting = None
        if weighted:
            self.weighting = nn.Parameter(torch.eye(head_width).repeat(heads, 1, 1))

    def forward(self, x: Tensor, keep: Tensor | None, distances: Tensor | None = None) -> Tensor:
        joined = self.query_key_value(x).unflatten(-1, (3, self.heads, self.head_width))
        query, key, value = (part.transpose(1, 2) for part in joined.unbind(2))
        weighted = query if self.weighting is None else query @ self.weighting
        if distances is None and _fused_is_faster(query):
            mask = None if keep is None else keep[:, None, None, :]
            return join_heads(F.scaled_dot_product_attention(weighted, key, value, mask))
        scale = 1 / math.sqrt(self.head_width)
        scores = (weighted * scale) @ key.transpose(2, 3)
        if distances is not None:
            scores = scores + relative_scores(query * scale, distances)
        return join_heads(masked_softmax(scores, keep) @ value)


def _fused_is_faster(query: Tensor) -> bool:
    """On a CPU the fused kernel's backward and its bfloat16 are slower than two products."""
    if query.device.type != "cpu":
        return True
    return query.dtype != torch.bfloat16 and not query.requires_grad


MIXERS.register("sa_sdp")(partial(SelfAttention, weighted=False))
MIXERS.register("sa_wma")(partial(SelfAttention, weighted=True))


# ---- nas.models.mixers.convolution


@MIXERS.register("c")
class SpanConvolution(Mixer):
    """Span-based dynamic convolution; with relative positions, attention by distance is added.

    The kernel of a token comes from its query times a summary of the span around it (a separable
    convolution of the input); the softmax of the kernel weighs the values in the window. Query and
    value share one Linear whose output is `[query; value]`.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        kernel: Tokens in the window, an odd number.
        relative: Whether attention by distance is added.
    """

    axes: ClassVar = {
        "query_value.weight": ("out+out", "<width"),
        "query_value.bias": ("out+out",),
        "depthwise.weight": ("=width", "one", "kernel"),
        "pointwise.weight": ("out", "<width"),
        "pointwise.bias": ("out",),
        "taps.weight": ("tap", "<out"),
        "taps.bias": ("tap",),
    }

    def __init__(
        self, width: int, heads: int, head_width: int, kernel: int, *, relative: bool = False
    ):
        super().__init__(width, heads, head_width, relative=relative)
        assert kernel % 2 == 1, f"kernel {kernel}: architectures allow odd kernels only"
        self.kernel = kernel
        attended = heads * head_width
        self.query_value = nn.Linear(width, 2 * attended)
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width, bias=False)
        self.pointwise = nn.Linear(width, attended)
        self.taps = nn.Linear(attended, heads * kernel)

    def forward(self, x: Tensor, keep: Tensor | None, distances: Tensor | None = None) -> Tensor:
        if keep is not None:
            x = x * keep[..., None]
        query, value = self.query_value(x).chunk(2, -1)
        if keep is not None:
            value = value * keep[..., None]
        span = self.pointwise(self._depthwise(x))
        taps = self.taps(span * query).unflatten(-1, (self.heads, self.kernel)).softmax(-1)
        weights = banded(taps.transpose(1, 2))
        if distances is not None:
            weights = weights + position_weights(split_heads(query, self.heads), distances, keep)
        return join_heads(weights @ split_heads(value, self.heads))

    def _depthwise(self, x: Tensor) -> Tensor:
        # As a picture of height 1: torch has no fast depthwise path for one dimension on a CPU.
        picture = x.transpose(1, 2).unsqueeze(2)
        weight = self.depthwise.weight.unsqueeze(2)
        padding = (0, self.kernel // 2)
        mixed = F.conv2d(picture, weight, padding=padding, groups=self.width)
        return mixed.squeeze(2).transpose(1, 2)


def banded(taps: Tensor) -> Tensor:
    """Matrices whose product with a sequence applies one kernel per position, zeros outside.

    Args:
        taps: `(batch, heads, length, kernel)`; the middle one weighs the token itself.

    Returns:
        `(batch, heads, length, length)`; row i holds its kernel around column i.
    """
    length, kernel = taps.shape[-2:]
    # Zeros after each row, then one number less per row: each kernel moves one place to the right.
    rows = F.pad(taps, (0, length)).flatten(2)[..., : length * (length + kernel - 1)]
    rows = rows.unflatten(-1, (length, length + kernel - 1))
    return rows[..., kernel // 2 : kernel // 2 + length]


# ---- nas.models.mixers.fourier


_TABLE_LENGTH = 128  # longest padded length whose matrices for all sequence lengths are kept


def transform_matrices(kind: str, sizes: Tensor, length: int) -> Tensor:
    """Matrices of the orthonormal transforms of `sizes` points, in the corner of larger ones.

    Args:
        kind: "cos" or "sin": real and negated imaginary part of the unitary discrete Fourier
            transform; "dct": the orthonormal type-II cosine transform.
        sizes: Integers, `(n,)`.
        length: Rows and columns of each matrix.

    Returns:
        `(n, length, length)` in float64, output points in rows; zero outside the first `size` rows
        and columns.
    """
    size = sizes.to(torch.int64)[:, None, None]
    divisor = size.clamp(min=1)
    point = torch.arange(length, device=sizes.device)
    row, column = point[:, None], point
    # Angles are reduced in integers before they become floats: exact at any length.
    if kind == "dct":
        turns = (row * (2 * column + 1)) % (4 * divisor)
        values = torch.cos(turns.double() * (math.pi / 2) / divisor) * (2 / divisor.double()).sqrt()
        values = torch.where(row == 0, (1 / divisor.double()).sqrt(), values)
    else:
        wave = torch.cos if kind == "cos" else torch.sin
        turns = (row * column) % divisor
        values = wave(turns.double() * (2 * math.pi) / divisor) / divisor.double().sqrt()
    return values.masked_fill((row >= size) | (column >= size), 0.0)


@lru_cache(maxsize=64)
def _table(kind: str, length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Matrices for every size from 0 to `length`, `(length + 1, length, length)`."""
    with torch.inference_mode(mode=False):  # it will be used in training, whoever asks first
        sizes = torch.arange(length + 1, device=device)
        return transform_matrices(kind, sizes, length).to(dtype)


@lru_cache(maxsize=64)
def _feature_matrix(
    kind: str, sign: int, size: int, device: torch.device, dtype: torch.dtype
) -> Tensor:
    with torch.inference_mode(mode=False):
        sizes = torch.tensor([size], device=device)
        return (sign * transform_matrices(kind, sizes, size)[0].t()).contiguous().to(dtype)


def _exporting() -> bool:
    # torch before 2.7 does not tell exporting from compiling, where this is right but slower
    return getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)()


def feature_matrix(kind: str, sign: int, size: int, like: Tensor) -> Tensor:
    """Transform of `size` features times `sign`, `(size, size)`, of the device and type of `like`.

    While a graph is exported tensors are stand-ins, which a cache must not keep.
    """
    make = _feature_matrix.__wrapped__ if _exporting() else _feature_matrix
    return make(kind, sign, size, like.device, like.dtype)


def token_matrices(kind: str, keep: Tensor | None, like: Tensor) -> Tensor:
    """Transform matrices over the real tokens of each sequence.

    Args:
        kind: As in `transform_matrices`.
        keep: Boolean, `(batch, length)`, or None where nothing is padded.
        like: Hidden states, `(batch, length, ...)`, for length, device and type.

    Returns:
        `(batch, length, length)`, or `(1, length, length)` when `keep` is None.
    """
    length = like.shape[1]
    # A table looked up by length would fix the length of an exported graph, and fill its file.
    if _exporting() or length > _TABLE_LENGTH:
        sizes = torch.tensor([length], device=like.device) if keep is None else keep.sum(1)
        return transform_matrices(kind, sizes, length).to(like.dtype)
    rounded = max(16, 1 << (length - 1).bit_length())
    table = _table(kind, rounded, like.device, like.dtype)[:, :length, :length]
    return table[length : length + 1] if keep is None else table.index_select(0, keep.sum(1))


class Fourier(Mixer):
    """Transforms the values over tokens and over the features of each head.

    The result is the sum, over the pairs in `terms`, of sign * (token transform) V (feature
    transform): one pair for a cosine transform, two for the real part of a Fourier transform. With
    relative positions, attention by distance alone is added.

    Args:
        width: Width of the hidden states it reads.
        heads: Number of heads in the group.
        head_width: Width of each head.
        terms: Pairs of a transform's kind and the sign it is added with.
        relative: Whether attention by distance is added.
    """

    axes: ClassVar = {
        "value.weight": ("out", "<width"),
        "value.bias": ("out",),
        "query.weight": ("out", "<width"),
        "query.bias": ("out",),
    }

    def __init__(
        self,
        width: int,
        heads: int,
        head_width: int,
        *,
        terms: tuple[tuple[str, int], ...],
        relative: bool = False,
    ):
        super().__init__(width, heads, head_width, relative=relative)
        self.terms = terms
        self.value = nn.Linear(width, heads * head_width)
        self.query = nn.Linear(width, heads * head_width) if relative else None

    def forward(self, x: Tensor, keep: Tensor | None, distances: Tensor | None = None) -> Tensor:
        value = self.value(x)
        heads = value.unflatten(-1, (self.heads, self.head_width))
        mixed = None
        for kind, sign in self.terms:
            features = feature_matrix(kind, sign, self.head_width, value)
            transformed = (heads @ features).flatten(2)
            tokens = token_matrices(kind, keep, value).expand(x.shape[0], -1, -1)
            if mixed is None:
                mixed = torch.bmm(tokens, transformed)
            else:
                mixed = torch.baddbmm(mixed, tokens, transformed)
        if distances is None:
            return mixed
        weights = position_weights(split_heads(self.query(x), self.heads), distances, keep)
        return mixed + join_heads(weights @ heads.transpose(1, 2))


MIXERS.register("l_dft")(partial(Fourier, terms=(("cos", 1), ("sin", -1))))
MIXERS.register("l_dct")(partial(Fourier, terms=(("dct", 1),)))


# ---- nas.models.encoder


NORM_EPSILON = 1e-12
POSITIONS = ("absolute", "relative")


class Embeddings(nn.Module):
    """Sum of token, token type and, if absolute, position vectors; then norm and dropout."""

    def __init__(
        self,
        width: int,
        vocabulary_size: int,
        *,
        token_types: int,
        positions: int,
        dropout: float,
        pad_id: int,
    ):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary_size, width, padding_idx=pad_id)
        self.types = nn.Embedding(token_types, width)
        self.positions = nn.Embedding(positions, width) if positions else None
        self.norm = nn.LayerNorm(width, eps=NORM_EPSILON)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, token_types: Tensor | None) -> Tensor:
        """`(batch, length)` token ids, and token types or None for type 0, to hidden states."""
        shared = 0 if self.positions is None else self.positions.weight[: tokens.shape[1]]
        if token_types is None:
            shared = shared + self.types.weight[0]
        else:
            shared = shared + self.types(token_types)
        return self.dropout(self.norm(self.tokens(tokens) + shared))


class EncoderLayer(nn.Module):
    """Mixed heads, then feed-forward, each with residual and norm; then a projection if asked.

    Args:
        layer: Width, heads and feed-forward widths.
        next_width: Width of the next layer; a projection follows where it differs.
        distances: Longest sequence of relative positions; 0 for none.
        dropout: Probability that a feature of a block's output is zeroed in training.
    """

    def __init__(self, layer: "Layer", next_width: int, *, distances: int, dropout: float):
        super().__init__()
        groups = Counter((h.operation, h.parameter, h.width) for h in layer.heads)
        self.mixers = nn.ModuleDict(
            {
                f"{operation}_{parameter}": make_mixer(
                    operation, parameter, layer.width, n, width, relative=bool(distances)
                )
                for (operation, parameter, width), n in sorted(groups.items(), key=_kind)
            }
        )
        attended = sum(h.width for h in layer.heads)
        self.max_length = distances
        self.distances = None
        if distances:
            self.distances = nn.Embedding(2 * distances - 1, layer.heads[0].width)
        self.mixed = nn.Linear(attended, layer.width)
        self.mixed_norm = nn.LayerNorm(layer.width, eps=NORM_EPSILON)
        self.feedforward = FEEDFORWARDS["mlp"](layer.width, layer.feedforward)
        self.feedforward_norm = nn.LayerNorm(layer.width, eps=NORM_EPSILON)
        self.dropout = Dropout(dropout)
        self.projection = None
        if next_width != layer.width:
            self.projection = nn.Linear(layer.width, next_width)

    def forward(self, x: Tensor, keep: Tensor | None, at: Tensor | None = None) -> Tensor:
        """Map hidden states `(batch, length, width)` to `(batch, length, next_width)`.

        Args:
            x: Hidden states.
            keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
            at: Flattened places that are wanted, `(n,)`, for a result of `(n, next_width)`.
        """
        distances = None
        if self.distances is not None:
            first = self.max_length - x.shape[1]
            distances = self.distances.weight[first : first + 2 * x.shape[1] - 1]
        parts = [mixer(x, keep, distances) for mixer in self.mixers.values()]
        joined = parts[0] if len(parts) == 1 else torch.cat(parts, -1)
        if at is not None:  # everything from here on is the same function of each token
            x, joined = (part.flatten(0, 1).index_select(0, at) for part in (x, joined))
        x = self.mixed_norm(x + self.dropout(self.mixed(joined)))
        x = self.feedforward_norm(x + self.dropout(self.feedforward(x)))
        return x if self.projection is None else self.projection(x)


def _kind(item: tuple[tuple[str, str | int, int], int]) -> str:
    (operation, parameter, _), _ = item
    return f"{operation}_{parameter}"


class Encoder(nn.Module):
    """Any architecture of the space as a module, with exactly the parameters that are counted.

    Args:
        architecture: What to build; anything with `layers` like those of an `Architecture`.
        vocabulary_size: Number of token ids.
        max_length: Longest sequence, in tokens.
        token_types: Number of token types (segments).
        positions: "absolute": one learned vector per position; "relative": in every layer one
            learned vector per distance, shared by its heads.
        dropout: Probability that a feature is zeroed in training.
        pad_id: Token id of padding; what it is embedded as is not trained.
        checkpointing: Whether training keeps only what goes into each layer and computes the rest
            again for the gradients: about a third more time for a fraction of the memory.

    Raises:
        UnknownName: If `positions` or the kind of a head is unknown.
    """

    def __init__(
        self,
        architecture: "Architecture",
        vocabulary_size: int,
        *,
        max_length: int = 128,
        token_types: int = 2,
        positions: str = "absolute",
        dropout: float = 0.1,
        pad_id: int = 0,
        checkpointing: bool = False,
    ):
        super().__init__()
        if positions not in POSITIONS:
            raise UnknownName("kind of positions", positions, POSITIONS)
        self.architecture, self.pad_id = architecture, pad_id
        self.vocabulary_size, self.max_length = vocabulary_size, max_length
        self.checkpointing = checkpointing
        widths = [layer.width for layer in architecture.layers]
        self.width = widths[-1]
        self.embeddings = Embeddings(
            widths[0],
            vocabulary_size,
            token_types=token_types,
            positions=max_length if positions == "absolute" else 0,
            dropout=dropout,
            pad_id=pad_id,
        )
        distances = max_length if positions == "relative" else 0
        self.layers = nn.ModuleList(
            EncoderLayer(layer, following, distances=distances, dropout=dropout)
            for layer, following in zip(architecture.layers, [*widths[1:], widths[-1]], strict=True)
        )
        self.pooler = nn.Linear(self.width, self.width)
        self.apply(initialise)

    def forward(
        self,
        tokens: Tensor,
        keep: Tensor | None = None,
        token_types: Tensor | None = None,
        at: Tensor | None = None,
    ) -> Tensor:
        """Encode sequences of token ids.

        Args:
            tokens: int64, `(batch, length)`.
            keep: Boolean, `(batch, length)`, True for real tokens, which come first; None where
                nothing is padded.
            token_types: int64, `(batch, length)`; None for type 0 everywhere.
            at: Places in the flattened `(batch * length)` whose hidden states are wanted, int64,
                `(n,)`. The last layer's feed-forward runs there alone, for the same result: of a
                small encoder that saves a fifth of a step.

        Returns:
            Hidden states, `(batch, length, width of the last layer)`, meaningless at padding; with
            `at`, `(n, width of the last layer)`.

        Raises:
            InvalidData: If a sequence is longer than `max_length`.
        """
        if tokens.shape[1] > self.max_length:
            raise InvalidData(
                f"A batch is {tokens.shape[1]} tokens long, and this encoder reads at most "
                f"{self.max_length}. Truncate the sequences, or build it with a larger max_length."
            )
        x = self.embeddings(tokens, token_types)
        kept_small = self.checkpointing and self.training and torch.is_grad_enabled()
        for layer in self.layers:
            wanted = at if layer is self.layers[-1] else None
            if kept_small:
                x = checkpoint(layer, x, keep, wanted, use_reentrant=False)
            else:
                x = layer(x, keep, wanted)
        return x

    def pooled(
        self, tokens: Tensor, keep: Tensor | None = None, token_types: Tensor | None = None
    ) -> Tensor:
        """`pool(forward(...))`, without the last layer's feed-forward where nobody looks."""
        batch, length = tokens.shape
        first = torch.arange(0, batch * length, length, device=tokens.device)
        return torch.tanh(self.pooler(self(tokens, keep, token_types, first)))

    def pool(self, hidden: Tensor) -> Tensor:
        """One vector per sequence: tanh of a linear map of the first token, `(batch, width)`."""
        return torch.tanh(self.pooler(hidden[:, 0]))


# ---- nas.models.heads


class MaskedLanguageHead(nn.Module):
    """Scores of all tokens at masked positions; its decoder is the encoder's token embedding.

    The embedding stays the encoder's alone: it is in neither `parameters()` nor `state_dict()` of
    the head, so both can be given to one optimiser and saved side by side.

    Source: Devlin et al., "BERT", NAACL 2019.
    Differs on purpose: the transform ends at the width of the embedding, so that the decoder can be
    tied to it when the last layer has another width.
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        table = encoder.embeddings.tokens
        self._table = (table,)  # in a tuple, where torch does not look for modules
        self.transform = nn.Linear(encoder.width, table.embedding_dim)
        self.norm = nn.LayerNorm(table.embedding_dim, eps=NORM_EPSILON)
        self.bias = nn.Parameter(table.weight.new_zeros(table.num_embeddings))
        self.apply(initialise)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states at the masked positions, `(n, width)`, to logits `(n, vocabulary)`."""
        x = self.norm(F.gelu(self.transform(hidden)))
        return F.linear(x, self._table[0].weight, self.bias)


class ClassificationHead(nn.Module):
    """Dropout and one linear map of the pooled vector.

    Args:
        width: Width of the pooled vector.
        outputs: Number of classes; 1 for a regression.
        dropout: Probability that a feature is zeroed in training.
    """

    def __init__(self, width: int, outputs: int, dropout: float = 0.1):
        super().__init__()
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(width, outputs)
        self.apply(initialise)

    def forward(self, pooled: Tensor) -> Tensor:
        """Pooled vectors `(batch, width)` to logits `(batch, outputs)`."""
        return self.output(self.dropout(pooled))


# ---- nas.models.hf


class FlexiBertConfig(PretrainedConfig):
    """Everything that is needed to build an encoder, as JSON types.

    Args:
        layers: One dictionary per layer: `width`, `heads` (texts such as "sa_sdp_64", one for each
            head) and `feedforward` (widths of the inner layers).
        vocab_size: Number of token ids.
        max_position_embeddings: Longest sequence, in tokens.
        type_vocab_size: Number of token types.
        positions: "absolute" or "relative".
        hidden_dropout_prob: Probability that a feature is zeroed in training.
        pad_token_id: Token id of padding.
        task_names: Tasks whose fine-tuned models lie in folders of these names beside the weights.
        task_name: Which of them `FlexiBertForSequenceClassification` opens; "" for the pre-trained
            encoder with a new head. None takes the first.
        kwargs: What every configuration of `transformers` has.
    """

    model_type = "flexibert"

    def __init__(
        self,
        layers: list[dict[str, Any]] | None = None,
        vocab_size: int = 30522,
        max_position_embeddings: int = 128,
        type_vocab_size: int = 2,
        positions: str = "absolute",
        hidden_dropout_prob: float = 0.1,
        pad_token_id: int = 0,
        task_names: list[str] | None = None,
        task_name: str | None = None,
        **kwargs: Any,
    ):
        # No layers: `transformers` builds an empty configuration to find out what is not default.
        self.layers = layers or [{"width": 128, "heads": ["sa_sdp_64"] * 2, "feedforward": [512]}]
        self.vocab_size = vocab_size
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.positions = positions
        self.hidden_dropout_prob = hidden_dropout_prob
        self.task_names = task_names or []
        self.task_name = task_name
        derived = {
            "hidden_size": self.layers[-1]["width"],
            "num_hidden_layers": len(self.layers),
        }
        super().__init__(pad_token_id=pad_token_id, **(kwargs | derived))

    @classmethod
    def from_architecture(
        cls,
        architecture: Any,
        vocabulary_size: int,
        *,
        max_length: int = 128,
        token_types: int = 2,
        positions: str = "absolute",
        dropout: float = 0.1,
        pad_id: int = 0,
    ) -> "FlexiBertConfig":
        """Describe `Encoder(architecture, vocabulary_size, ...)` of the same arguments."""
        return cls(
            layers=[
                {
                    "width": layer.width,
                    "heads": [f"{h.operation}_{h.parameter}_{h.width}" for h in layer.heads],
                    "feedforward": list(layer.feedforward),
                }
                for layer in architecture.layers
            ],
            vocab_size=vocabulary_size,
            max_position_embeddings=max_length,
            type_vocab_size=token_types,
            positions=positions,
            hidden_dropout_prob=dropout,
            pad_token_id=pad_id,
        )

    def build_encoder(self) -> Encoder:
        """Build the encoder this configuration describes, with new weights."""
        layers = [
            SimpleNamespace(
                width=layer["width"],
                heads=tuple(_parse_head(text) for text in layer["heads"]),
                feedforward=tuple(layer["feedforward"]),
            )
            for layer in self.layers
        ]
        return Encoder(
            SimpleNamespace(layers=layers),
            self.vocab_size,
            max_length=self.max_position_embeddings,
            token_types=self.type_vocab_size,
            positions=self.positions,
            dropout=self.hidden_dropout_prob,
            pad_id=self.pad_token_id,
        )


def _parse_head(text: str) -> SimpleNamespace:
    operation, parameter, width = text.split("_")
    return SimpleNamespace(
        operation=operation,
        parameter=int(parameter) if parameter.isdecimal() else parameter,
        width=int(width),
    )


def _check_padding(attention_mask: Tensor | None) -> Tensor | None:
    """Attention mask of `transformers` (1 for real tokens) to the boolean mask of the encoder."""
    if attention_mask is None:
        return None
    keep = attention_mask.bool()
    if not torch.compiler.is_compiling() and bool((keep[:, 1:] & ~keep[:, :-1]).any()):
        raise ValueError(
            "attention_mask has a real token after padding. FlexiBERT reads sequences padded on "
            'the right: use a tokenizer with padding_side="right".'
        )
    return keep


class FlexiBertModel(PreTrainedModel):
    """An encoder and its pooler."""

    config_class = FlexiBertConfig
    base_model_prefix = "flexibert"
    _keys_to_ignore_on_load_unexpected = [r"^mlm\.", r"^classifier\."]

    def __init__(self, config: FlexiBertConfig):
        super().__init__(config)
        self.encoder = config.build_encoder()
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        initialise(module)

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.embeddings.tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.encoder.embeddings.tokens = value

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        return_dict: bool | None = None,  # noqa: FBT001 - the signature `transformers` expects
    ) -> BaseModelOutputWithPooling | tuple[Tensor, ...]:
        """Encode token ids.

        Args:
            input_ids: int64, `(batch, length)`.
            attention_mask: 1 for real tokens, which come first, `(batch, length)`.
            token_type_ids: int64, `(batch, length)`.
            return_dict: False for a tuple.

        Raises:
            ValueError: If a real token follows padding.
        """
        hidden = self.encoder(input_ids, _check_padding(attention_mask), token_type_ids)
        output = BaseModelOutputWithPooling(
            last_hidden_state=hidden, pooler_output=self.encoder.pool(hidden)
        )
        return output.to_tuple() if return_dict is False else output


class FlexiBertForMaskedLM(PreTrainedModel):
    """An encoder with the head that predicts masked tokens."""

    config_class = FlexiBertConfig
    base_model_prefix = "flexibert"

    def __init__(self, config: FlexiBertConfig):
        super().__init__(config)
        self.flexibert = FlexiBertModel(config)
        self.mlm = MaskedLanguageHead(self.flexibert.encoder)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        initialise(module)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,  # noqa: FBT001 - the signature `transformers` expects
    ) -> MaskedLMOutput | tuple[Tensor, ...]:
        """Logits `(batch, length, vocabulary)`; with labels, the mean loss where not -100."""
        hidden = self.flexibert(input_ids, attention_mask, token_type_ids).last_hidden_state
        logits = self.mlm(hidden)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        output = MaskedLMOutput(loss=loss, logits=logits)
        return output.to_tuple() if return_dict is False else output


# What says where a file of a repository comes from, as `from_pretrained` takes it.
_PLACE = ("cache_dir", "force_download", "local_files_only", "revision", "token")


class FlexiBertForSequenceClassification(PreTrainedModel):
    """An encoder with a head for classes (`num_labels` > 1) or for one number."""

    config_class = FlexiBertConfig
    base_model_prefix = "flexibert"
    _keys_to_ignore_on_load_unexpected = [r"^mlm\."]

    def __init__(self, config: FlexiBertConfig):
        super().__init__(config)
        self.flexibert = FlexiBertModel(config)
        self.classifier = ClassificationHead(
            config.hidden_size, config.num_labels, config.hidden_dropout_prob
        )
        self.post_init()

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: Any,
        *arguments: Any,
        config: Any = None,
        subfolder: str = "",
        task_name: str | None = None,
        **kwargs: Any,
    ) -> "FlexiBertForSequenceClassification":
        """Load one task's fine-tuned model from its folder, or from the folder above it.

        Above it lies the pre-trained encoder, which has no classifier of its own: there `task_name`
        says which task's folder is opened, as `FlexiBertConfig` describes. Asking for another
        number of labels than the first task has gives the pre-trained encoder and a new head.

        Raises:
            ValueError: The model was not fine-tuned on `task_name`.
        """
        place = {name: kwargs[name] for name in _PLACE if name in kwargs}
        if not isinstance(config, PretrainedConfig):
            path = config or pretrained_model_name_or_path
            config, kwargs = cls.config_class.from_pretrained(
                path, subfolder=subfolder, return_unused_kwargs=True, **kwargs
            )
            kwargs |= place
        names = getattr(config, "task_names", None)
        wanted = config.task_name if task_name is None else task_name
        if names and not subfolder and wanted != "":
            if wanted is not None and wanted not in names:
                raise ValueError(
                    f"This model was not fine-tuned on {wanted!r}. "
                    f"Choose task_name from {', '.join(names)}."
                )
            folder = wanted or names[0]
            found = cls.config_class.from_pretrained(
                pretrained_model_name_or_path, subfolder=folder, **place
            )
            if wanted is not None or found.num_labels == config.num_labels:
                config, subfolder = found, folder
        return super().from_pretrained(
            pretrained_model_name_or_path,
            *arguments,
            config=config,
            subfolder=subfolder,
            **kwargs,
        )

    def _init_weights(self, module: nn.Module) -> None:
        initialise(module)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,  # noqa: FBT001 - the signature `transformers` expects
    ) -> SequenceClassifierOutput | tuple[Tensor, ...]:
        """Logits `(batch, num_labels)`; with labels, cross entropy or mean squared error."""
        pooled = self.flexibert(input_ids, attention_mask, token_type_ids).pooler_output
        logits = self.classifier(pooled)
        loss = None
        if labels is not None and self.config.num_labels == 1:
            loss = F.mse_loss(logits.squeeze(-1), labels.to(logits.dtype))
        elif labels is not None:
            loss = F.cross_entropy(logits, labels)
        output = SequenceClassifierOutput(loss=loss, logits=logits)
        return output.to_tuple() if return_dict is False else output


def register_with_transformers() -> None:
    """Let the `Auto` classes of `transformers` find these; calling it twice does no harm."""
    AutoConfig.register(FlexiBertConfig.model_type, FlexiBertConfig, exist_ok=True)
    for auto, model in (
        (AutoModel, FlexiBertModel),
        (AutoModelForMaskedLM, FlexiBertForMaskedLM),
        (AutoModelForSequenceClassification, FlexiBertForSequenceClassification),
    ):
        auto.register(FlexiBertConfig, model, exist_ok=True)
