"""A package of somebody else: one kind in every slot. Entry points name this module."""

import torch
from torch import nn
from torch.nn import functional as F

from nas.models.blocks import BLOCKS, EncoderLayer
from nas.models.embeddings import EMBEDDINGS
from nas.models.feedforwards import FEEDFORWARDS, FeedForward
from nas.models.mixers.base import MIXERS, Mixer
from nas.models.norms import NORMS
from nas.models.outputs import OUTPUTS, MaskedLanguageHead
from nas.models.positions import POSITIONS, Positions
from nas.models.projections import PROJECTIONS
from nas.models.residuals import RESIDUALS, Residual
from nas.training.objectives import PRETRAINING_OBJECTIVES, MaskedTokens
from nas.training.optimizers import OPTIMIZERS
from nas.training.schedule import Schedule
from nas.training.schedules import SCHEDULES
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SIZE = {"size": Setting(4)}


def _size(part):
    return dict(part.settings).get("size", 4)


def _kind(slot, parameters=lambda shape, part: 0):
    SLOTS[slot].kinds.register("strange")(Kind("strange", "a strange one", SIZE, parameters))


_kind("mixer", lambda group, part: group.projection + _size(part))
_kind("feedforward", lambda shape, part: 2 * shape.width * _size(part))
_kind("block", lambda shape, part: _size(part))
_kind("residual", lambda shape, part: 2 * shape.norm + 2 * _size(part))
_kind("embedding", lambda shape, part: (shape.vocabulary_size + shape.widths[0]) * _size(part))
_kind("positions")
_kind("norm", lambda width, part: 1)
_kind("output", lambda shape, part: (shape.widths[0] + 1) * shape.vocabulary_size)
_kind(
    "projection",
    lambda shape, part: sum(
        a * b for a, b in zip(shape.widths, shape.widths[1:], strict=False) if a != b
    ),
)
for _slot in ("objective", "optimizer", "finetune_optimizer", "schedule"):
    _kind(_slot)


@MIXERS.register("strange")
class StrangeMixer(Mixer):
    """The mean of all values, times a learned factor."""

    def __init__(self, width, heads, head_width, *, relative=False, size=4):
        super().__init__(width, heads, head_width, relative=relative)
        self.value = nn.Linear(width, heads * head_width)
        self.factor = nn.Parameter(torch.ones(size))

    def forward(self, x, keep, distances=None):
        value = self.value(x)
        weight = torch.ones_like(value[..., :1]) if keep is None else keep[..., None].to(value)
        mean = (value * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1)
        return (mean * self.factor.mean()).expand_as(value)


@FEEDFORWARDS.register("strange")
class StrangeFeedForward(FeedForward):
    """A bottleneck, whatever the inner widths."""

    def __init__(self, width, inner, size=4):
        super().__init__(width, inner)
        self.down = nn.Linear(width, size, bias=False)
        self.up = nn.Linear(size, width, bias=False)

    def forward(self, x):
        return self.up(F.relu(self.down(x)))


@BLOCKS.register("strange")
class StrangeBlock(EncoderLayer):
    """A plain one, times a learned factor."""

    def __init__(self, layer, next_width, inside, size=4):
        super().__init__(layer, next_width, inside)
        self.factor = nn.Parameter(torch.ones(size))

    def forward(self, x, keep, at=None):
        return super().forward(x, keep, at) * self.factor.mean()


@RESIDUALS.register("strange")
class StrangeResidual(Residual):
    """What a block writes, times a learned factor."""

    normed = True

    def __init__(self, width, size=4):
        super().__init__(width)
        self.factor = nn.Parameter(torch.ones(size))

    def before(self, x, norm):
        return x

    def after(self, x, y, norm):
        return norm(x + y * self.factor.mean())


@EMBEDDINGS.register("strange")
class StrangeEmbedding(nn.Module):
    """A product of two tables."""

    def __init__(self, vocabulary_size, width, *, pad_id, size=4):
        super().__init__()
        self.table = nn.Embedding(vocabulary_size, size)
        self.map = nn.Linear(size, width, bias=False)

    @property
    def weight(self):
        return self.map(self.table.weight)

    def forward(self, tokens):
        return self.map(self.table(tokens))


class Waves(nn.Module):
    """Sines of the position."""

    def __init__(self, width, size):
        super().__init__()
        self.width, self.size = width, size

    def forward(self, length):
        place = torch.arange(length)[:, None] / self.size
        return 0.02 * torch.sin(place * torch.arange(1, self.width + 1))


@POSITIONS.register("strange")
class StrangePositions(Positions):
    """Nothing learned."""

    def __init__(self, max_length, size=4):
        super().__init__(max_length)
        self.size = size

    def added(self, width):
        return Waves(width, self.size)


@NORMS.register("strange")
class StrangeNorm(nn.Module):
    """Length one, times one learned number."""

    def __init__(self, width, size=4):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(float(size)))

    def forward(self, x):
        return F.normalize(x, dim=-1) * self.gain


@OUTPUTS.register("strange")
class StrangeOutput(MaskedLanguageHead):
    """A decoder of its own."""

    def __init__(self, encoder, size=4):
        super().__init__(encoder)
        self.decoder = nn.Parameter(0.02 * torch.randn(len(self.bias), self.transform.out_features))

    def forward(self, hidden):
        return F.linear(self.norm(F.gelu(self.transform(hidden))), self.decoder, self.bias)


@PROJECTIONS.register("strange")
class StrangeProjection(nn.Linear):
    """Without a bias."""

    def __init__(self, width, next_width, size=4):
        super().__init__(width, next_width, bias=False)


@PRETRAINING_OBJECTIVES.register("strange")
class StrangeObjective(MaskedTokens):
    """Masked tokens, one in `size`."""

    def __init__(self, size):
        super().__init__(1 / size)


@OPTIMIZERS.register("strange")
def strange_optimizer(decayed, kept, *, learning_rate, weight_decay, size):
    """Gradient descent."""
    return torch.optim.SGD([*decayed, *kept], lr=learning_rate, momentum=1 / size)


@SCHEDULES.register("strange")
def strange_schedule(steps, full_steps, *, finetuning, size):
    """No warm-up."""
    return Schedule(steps, 0, 0)
