"""Layers run on two streams, so that what went in is computed again from what came out.

Of streams a and b a layer makes `a' = lambda a + F(b)` and `b' = beta b + G(a')`. Then
`b = (b' - G(a')) / beta` and `a = (a' - F(b)) / lambda`: nothing inside is kept for the gradients
but the pair after every few layers. Adapters, which begin with nothing, learn beside the layers.

Source: Liao, Tan and Monz, "Make Pre-trained Model Reversible: From Parameter to Memory Efficient
Fine-Tuning", NeurIPS 2023.
Differs on purpose: what is read in the end is the stream that carries the layers' states instead of
the mean of both, so that with a scale of nothing untrained adapters give what the layers alone do;
random numbers are replayed from the generator's state at each function instead of a seed that is
set for all; a pair is kept every `segment` layers, because each division by a small scale
multiplies what rounding left.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from nas.models.auxiliary import take_auxiliary
from nas.models.coupling import COUPLINGS

VARIANTS = (1, 2, 3)
# up to so many layers between two pairs that are kept, half precision can be computed back
HALF_SEGMENT = 2


class Adapter(nn.Module):
    """A narrow way beside a map, which gives nothing before it is trained.

    Args:
        reads: Features of what it reads.
        width: Features of what it gives.
        inner: Features between.
    """

    def __init__(self, reads: int, width: int, inner: int):
        super().__init__()
        self.down, self.up = nn.Linear(reads, inner), nn.Linear(inner, width)
        nn.init.normal_(self.down.weight, std=0.02)
        for start in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(start)

    def forward(self, x: Tensor) -> Tensor:
        """Features `(..., reads)` to `(..., width)`."""
        return self.up(F.gelu(self.down(x)))


class _Beside:
    """A hook that adds an adapter to a module's result; an object, so that copies have their own.

    Args:
        adapter: What reads the same as the module.
    """

    def __init__(self, adapter: Adapter):
        self.adapter = adapter

    def __call__(self, module: nn.Module, read: tuple, found: Tensor) -> Tensor:
        return found + self.adapter(read[0])


@COUPLINGS.register("reversible")
class Reversible(nn.Module):
    """Two streams through the layers of an encoder, and the adapters beside them.

    Args:
        layers: The encoder's, of one width.
        variant: 1 has the layer for F and an adapter for G; 2 the other way round; both change
            the streams' places after each layer. 3 has the heads for F and the feed-forward for G.
        scale: What is left of the stream that a layer's result is added to.
        inner: Features inside an adapter.
        segment: Layers between two pairs that are kept; 0 keeps the last pair alone.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        *,
        variant: int = 1,
        scale: float = 0.1,
        inner: int = 8,
        segment: int = 3,
    ):
        super().__init__()
        self.variant, self.scale, self.segment = variant, scale, segment
        settings = torch.tensor([variant, scale, inner, segment], dtype=torch.float64)
        self.register_buffer("settings", settings)
        width = layers[0].feedforward.width
        self.inside = nn.ModuleList(Adapter(width, width, inner) for _ in layers)
        if variant == 3:
            beside = [Adapter(layer.mixed.in_features, width, inner) for layer in layers]
        else:
            # nobody reads what the last one of the first variant would add
            beside = [Adapter(width, width, inner) for _ in layers[: len(layers) - (variant == 1)]]
        self.beside = nn.ModuleList(beside)
        self.hooks = []
        for number, layer in enumerate(layers):
            added = [(layer.feedforward, self.inside[number])]
            added += [(layer.mixed, self.beside[number])] if variant == 3 else []
            self.hooks += [map_.register_forward_hook(_Beside(own)) for map_, own in added]

    def forward(
        self,
        layers: Sequence[nn.Module],
        x: Tensor,
        keep: Tensor | None,
        at: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Yield the states after each layer, or after the last alone where gradients are wanted.

        Args:
            layers: The encoder's.
            x: What the first one reads, `(batch, length, width)`.
            keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
            at: Flattened places that are wanted of the last states, `(n,)`.
            rows: A table of distances; nothing learns through it.
        """
        rows = None if rows is None else rows.detach()
        steps = self._steps(layers, keep, rows)
        a = b = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        length = (self.segment or len(steps)) if torch.is_grad_enabled() else 1
        for first in range(0, len(steps), length):
            own = steps[first : first + length]
            if torch.is_grad_enabled():
                a, b = _Segment.apply(_Run(own, self._half(x)), a, b, *_weights(own))
            else:
                with self._half(x):
                    a, b = own[0](a, b)
            last = first + length >= len(steps)
            if last or not torch.is_grad_enabled():
                found = a if self.variant == 2 else b
                yield found if at is None or not last else found.flatten(0, 1)[at]

    def _half(self, x: Tensor) -> Any:
        """Half precision only where few layers are computed back at a time."""
        kind = x.device.type
        enabled = torch.is_autocast_enabled(kind) and 0 < self.segment <= HALF_SEGMENT
        return torch.autocast(kind, torch.get_autocast_dtype(kind), enabled=enabled)

    def _steps(
        self, layers: Sequence[nn.Module], keep: Tensor | None, rows: Tensor | None
    ) -> list["_Step"]:
        given = () if rows is None else (rows,)
        found = []
        for number, layer in enumerate(layers):
            inside = self.inside[number]
            if self.variant == 3:
                rest = (layer.feedforward, layer.feedforward_norm, layer.feedforward_residual)
                before = [m for m in layer.children() if not any(m is one for one in rest)]
                heads = _Part(
                    lambda x, own=layer: own.after_heads(x, keep, *given),
                    (*before, self.beside[number]),
                )
                fed = _Part(lambda x, own=layer: own.after_feedforward(x, keep), (*rest, inside))
                found.append(_Step(heads, fed, self.scale, self.scale, swapped=False))
                continue
            whole = _Part(lambda x, own=layer: own(x, keep, None, *given), (layer, inside))
            beside = self.beside[number] if number < len(self.beside) else None
            adapter = None if beside is None else _Part(beside, (beside,))
            if self.variant == 1:
                found.append(_Step(whole, adapter, self.scale, 1.0, swapped=True))
            else:
                found.append(_Step(adapter, whole, 1.0, self.scale, swapped=True))
        return found


class _Part(NamedTuple):
    """A function of one stream.

    Attributes:
        function: The function.
        modules: Those whose parameters it reads.
    """

    function: Callable[[Tensor], Tensor]
    modules: tuple[nn.Module, ...]

    def weights(self) -> list[nn.Parameter]:
        found = (p for module in self.modules for p in module.parameters() if p.requires_grad)
        return list({id(p): p for p in found}.values())


class _Step(NamedTuple):
    """One layer on two streams.

    Attributes:
        first: F, of the second stream.
        second: G, of what the first stream has become; None for nothing.
        first_scale: Lambda.
        second_scale: Beta.
        swapped: Whether the streams change places after it.
    """

    first: _Part
    second: _Part | None
    first_scale: float
    second_scale: float
    swapped: bool

    def __call__(
        self, a: Tensor, b: Tensor, note: Callable[[Tensor], None] = lambda x: None
    ) -> tuple[Tensor, Tensor]:
        note(a)
        a = self.first_scale * a + self.first.function(b).to(a.dtype)
        note(a)
        added = 0.0 if self.second is None else self.second.function(a).to(b.dtype)
        b = self.second_scale * b + added
        return (b, a) if self.swapped else (a, b)


class _Run(NamedTuple):
    """What a segment computes.

    Attributes:
        steps: Its layers.
        precision: The context they are computed in, forwards and again.
    """

    steps: list[_Step]
    precision: Any


class _Segment(torch.autograd.Function):
    """Some layers of which the pair that comes out is kept, and nothing else."""

    @staticmethod
    def forward(ctx: Any, run: _Run, a: Tensor, b: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        ctx.run, ctx.drawn = run, []
        with run.precision:
            for step in run.steps:
                a, b = step(a, b, lambda x: ctx.drawn.append(_generator(x)))
                _forget(step)
        ctx.save_for_backward(a, b)
        return a, b

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, da: Tensor, db: Tensor) -> tuple[Tensor | None, ...]:
        (a, b), drawn = ctx.saved_tensors, list(ctx.drawn)
        found: list[list[Tensor | None]] = []
        with ctx.run.precision:
            for step in reversed(ctx.run.steps):
                if step.swapped:
                    a, b, da, db = b, a, db, da
                state = drawn.pop()
                own: list[Tensor | None] = []
                value: Tensor | float = 0.0
                if step.second is not None:
                    value, slope, own = _again(step.second, a, db, state)
                    da = da + slope
                b, db_before = (b - value) / step.second_scale, step.second_scale * db
                value, slope, first = _again(step.first, b, da, drawn.pop())
                a, da, db = (a - value) / step.first_scale, step.first_scale * da, db_before + slope
                found.append([*first, *own])
                _forget(step)
        gradients = [g for own in reversed(found) for g in own]
        return (None, da, db, *gradients)


def _again(
    part: _Part, x: Tensor, slope: Tensor, state: Tensor
) -> tuple[Tensor, Tensor, list[Tensor | None]]:
    """Return what a part makes of a stream, and the gradients of the stream and its weights."""
    weights = part.weights()
    now = _generator(x)
    _put(x, state)
    try:
        with torch.enable_grad():
            read = x.detach().requires_grad_()
            found = part.function(read).to(x.dtype)
        own, *others = torch.autograd.grad(found, [read, *weights], slope, allow_unused=True)
    finally:
        _put(x, now)
    return found.detach(), own, others


def _weights(steps: Sequence[_Step]) -> list[nn.Parameter]:
    """Return the weights of some layers, in the order of their gradients."""
    parts = (part for step in steps for part in (step.first, step.second) if part is not None)
    return [p for part in parts for p in part.weights()]


def _forget(step: _Step) -> None:
    """Drop what modules want beside the objective: of frozen experts it is a constant."""
    parts = (part for part in (step.first, step.second) if part is not None)
    take_auxiliary(module for part in parts for module in part.modules)


def _generator(x: Tensor) -> Tensor:
    return torch.cuda.get_rng_state(x.device) if x.is_cuda else torch.get_rng_state()


def _put(x: Tensor, state: Tensor) -> None:
    if x.is_cuda:
        torch.cuda.set_rng_state(state, x.device)
    else:
        torch.set_rng_state(state)
