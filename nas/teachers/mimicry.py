"""Another mixer in a teacher's layer, taught to give what the layer's attention gave.

Three steps, on states that the layer has always read: features of linear attention learn to weigh
tokens as the attention does (mimicry); the map after the mixer is fitted by regression; mixer and
map are then trained alone, for a short while, towards the attention's output.

Source: Zhang et al., "The Hedgehog & the Porcupine: Expressive Linear Attentions with Softmax
Mimicry", ICLR 2024 (mimicry); Bercovich et al., "Puzzle: Distillation-Based NAS for
Inference-Optimized LLMs", ICML 2025 (blocks trained alone towards the parent's).
Differs on purpose: the heads that stay are mimicked, and the map after them stands in for the
others; steps and rates are ours.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nas.models.blocks import Inside, make_block
from nas.models.initialisation import initialise
from nas.models.mixers.hedgehog import LinearAttention
from nas.models.positions import make_positions
from nas.teachers.attention import attention_of
from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Layer
from search_spaces.parts import Part

if TYPE_CHECKING:
    from nas.models.blocks.plain import EncoderLayer

MIMICRY_STEPS, MIMICRY_RATE = 80, 1e-2
BLOCK_STEPS, BLOCK_RATE = 120, 2e-3
RIDGE = 0.01  # of the mean of the diagonal
# maps that a mixer may have, and which of queries, keys and values they write, in this order
_WRITES = {
    "query_key_value": "qkv", "query_value": "qv", "key_value": "kv",
    "query": "q", "key": "k", "value": "v",
}  # fmt: skip

States = Sequence[tuple[Tensor, Tensor]]  # what a layer reads `(batch, length, width)`, and `keep`


def new_mixer(layer: Layer, of: Architecture, old: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a layer's mixer that its teacher does not have, named as in a layer.

    Its maps to queries, keys and values are the teacher's where it has such; all else is as at any
    start, the same each time.

    Args:
        layer: With one kind of heads.
        of: What the student is built like.
        old: Tensors of the attention whose place it takes, cut to the heads that stay:
            "query_key_value" or "query" and "key_value", with ".weight" and perhaps ".bias".
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        places = make_positions(of.part("positions") or Part("absolute"), 1)
        inside = Inside(places, of.part("norm"), of.part("projection"), 0.0)
        block = make_block(layer, layer.width, inside)
        block.apply(initialise)
    found = {n: v for n, v in block.state_dict().items() if n.startswith("mixers.")}
    for kind in ("weight", "bias"):
        thirds = dict(zip("qkv", _thirds(old, kind), strict=True))
        for name, value in found.items():
            stem, _, tensor = name.rpartition(".")
            written = _WRITES.get(stem.rpartition(".")[2])
            if tensor == kind and written and None not in thirds.values():
                taken = torch.cat([thirds[letter] for letter in written])
                if taken.shape == value.shape:
                    found[name] = taken.clone()
    return found


def _thirds(old: Mapping[str, Tensor], kind: str) -> Sequence[Tensor | None]:
    """Return the rows of queries, keys and values; zeros for biases that are not there."""
    names = ["query_key_value"] if "query_key_value.weight" in old else ["query", "key_value"]
    if kind == "bias" and f"{names[0]}.bias" not in old:
        rows = sum(len(old[f"{name}.weight"]) for name in names)
        return torch.zeros(rows).chunk(3)
    return torch.cat([old[f"{name}.{kind}"] for name in names]).chunk(3)


def fit_mixer(
    layer: "EncoderLayer", teacher: "EncoderLayer", heads: Tensor, states: States
) -> None:
    """Teach a layer's mixer and the map after it, in place, what the teacher's layer gave.

    Args:
        layer: The student's, with one mixer; its norm is the teacher's.
        teacher: The layer whose attention is stood in for.
        heads: Numbers of its heads that the student's were, `(heads,)`.
        states: What the layer has always read, at least one batch.
    """
    (mixer,) = layer.mixers.values()
    targets = _targets(teacher, states)
    if isinstance(mixer, LinearAttention):
        _mimic(layer, mixer, teacher, heads, states)
    _regress(layer, states, targets)
    parameters = [*mixer.parameters(), *layer.mixed.parameters()]
    spread = torch.cat([y[keep] for y, (_, keep) in zip(targets, states, strict=True)]).var(0)
    level = spread.mean().clamp(min=1e-8)

    def loss(number: int) -> Tensor:
        (x, keep), target = states[number], targets[number]
        return (_given(layer, x, keep) - target)[keep].square().mean() / level

    _train(parameters, loss, len(states), BLOCK_STEPS, BLOCK_RATE)
    _regress(layer, states, targets)


def regress(layer: "EncoderLayer", teacher: "EncoderLayer", states: States) -> None:
    """Fit the map after a layer's mixer alone, in place, to what the teacher's layer gave."""
    _regress(layer, states, _targets(teacher, states))


@torch.no_grad()
def _targets(teacher: "EncoderLayer", states: States) -> list[Tensor]:
    return [_given(teacher, x, keep) for x, keep in states]


def unexplained(layer: "EncoderLayer", teacher: "EncoderLayer", states: States) -> float:
    """Return which share of what a teacher's attention gives varies apart from a student's."""
    with torch.no_grad():
        pairs = [
            (_given(layer, x, keep)[keep], _given(teacher, x, keep)[keep]) for x, keep in states
        ]
    mine, its = (torch.cat(of) for of in zip(*pairs, strict=True))
    return float((mine - its).square().sum() / (its - its.mean(0)).square().sum())


def _given(layer: "EncoderLayer", x: Tensor, keep: Tensor) -> Tensor:
    """Return what a layer adds to the states before its feed-forward."""
    return layer.mixed(_mixed(layer, x, keep))


def _mixed(layer: "EncoderLayer", x: Tensor, keep: Tensor) -> Tensor:
    (mixer,) = layer.mixers.values()
    distances = None if layer.distances is None else layer.distances(x.shape[1])
    return mixer(layer.mixed_residual.before(x, layer.mixed_norm), keep, distances)


def _mimic(
    layer: "EncoderLayer",
    mixer: LinearAttention,
    teacher: "EncoderLayer",
    heads: Tensor,
    states: States,
) -> None:
    """Teach feature maps the rows of the attention's weights, by their cross-entropy."""
    weights = []
    with torch.no_grad():
        for x, keep in states:
            seen = attention_of(teacher, x, heads)
            hidden = ~keep[:, None, None, :]
            hidden = hidden if seen.seen is None else hidden | ~seen.seen
            least = torch.finfo(seen.scores.dtype).min
            weights.append(seen.scores.masked_fill(hidden, least).softmax(-1))

    def loss(number: int) -> Tensor:
        x, keep = states[number]
        rows = mixer.weights(layer.mixed_residual.before(x, layer.mixed_norm), keep)
        entropy = -(weights[number] * rows.clamp(min=1e-9).log()).sum(-1)
        return entropy.transpose(1, 2)[keep].mean()

    parameters = [mixer.query_map, mixer.key_map]
    _train(parameters, loss, len(states), MIMICRY_STEPS, MIMICRY_RATE)


@torch.no_grad()
def _regress(layer: "EncoderLayer", states: States, targets: Sequence[Tensor]) -> None:
    """Fit the map after the mixer to the targets, with a ridge."""
    read = torch.cat([_mixed(layer, x, keep)[keep] for x, keep in states]).double()
    wanted = torch.cat([y[keep] for y, (_, keep) in zip(targets, states, strict=True)]).double()
    bias = layer.mixed.bias
    mean, level = read.mean(0) * (bias is not None), wanted.mean(0) * (bias is not None)
    second = (read - mean).T @ (read - mean) / len(read)
    second.diagonal().add_(RIDGE * second.diagonal().mean().clamp(min=1e-8))
    new = torch.linalg.solve(second, (read - mean).T @ (wanted - level) / len(read)).T
    layer.mixed.weight.copy_(new)
    if bias is not None:
        bias.copy_(level - new @ mean)


def _train(parameters: Sequence[nn.Parameter], loss, batches: int, steps: int, rate: float) -> None:
    """Take steps of Adam on some parameters, at a rate that falls to zero."""
    wanted = [parameter.requires_grad_() for parameter in parameters]
    optimizer = torch.optim.Adam(wanted, lr=rate)
    with torch.enable_grad():
        for step, number in _turns(steps, batches):
            optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
            found = torch.autograd.grad(loss(number), wanted, allow_unused=True)
            for parameter, gradient in zip(wanted, found, strict=True):
                parameter.grad = gradient
            optimizer.step()
    for parameter in wanted:
        parameter.grad = None


def _turns(steps: int, batches: int) -> Iterator[tuple[int, int]]:
    return ((step, step % batches) for step in range(steps))
