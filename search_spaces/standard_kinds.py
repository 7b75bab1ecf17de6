"""The first kind of every slot: what encoders and recipes were before there was a choice.

Source: Devlin et al., "BERT", NAACL 2019 (post-norm layers, learned embeddings, a tied output,
masked tokens); Tuli et al., "FlexiBERT", JAIR 2023 (stacks of feed-forward maps, relative
positions).
"""

from collections.abc import Iterator
from itertools import pairwise

from search_spaces.kinds import SLOTS, Kind, LayerShape, ModelShape
from search_spaces.parts import Part, Setting

BIAS = Setting("learned", "name", ("learned", "none"), weight=0.005)
# by tanh it is approximated, as in GPT-2
GELU = Setting("gelu", "name", ("gelu", "gelu-tanh"), weight=0.005)


def without_bias(part: Part) -> bool:
    """Whether the linear maps of a part have no biases."""
    return dict(part.settings).get("bias") == "none"


def stack_maps(shape: LayerShape) -> Iterator[tuple[int, int]]:
    """Yield what every linear map of a feed-forward stack reads and writes, the output included."""
    yield from pairwise((shape.width, *shape.feedforward, shape.width))


def without_common_bias(a: Part, b: Part) -> Part | None:
    """What two parts of one kind share: no biases where one of them has none."""
    if a.kind != b.kind:
        return None
    return b if without_bias(b) else a


def _projections(shape: ModelShape) -> Iterator[tuple[int, int, int]]:
    """Yield what every projection reads and writes, and how many hidden states pass it."""
    carried = shape.carried or (0,) * len(shape.widths)
    for (a, b), more in zip(pairwise(shape.widths), carried, strict=False):
        if a != b:
            yield a, b, 1 + more


def _register(slot: str, *kinds: Kind) -> None:
    for kind in kinds:
        SLOTS[slot].kinds.register(kind.name)(kind)


def _learned_table(shape: ModelShape, part: Part) -> int:
    # the norm of the embeddings is counted whatever the kind
    missing = shape.norm(shape.widths[0]) if part.settings else 0
    return shape.vocabulary_size * shape.widths[0] - missing


def _relative_table(shape: ModelShape, part: Part) -> int:
    return sum(width * (2 * shape.max_length - 1) for width in shape.head_widths)


_register(
    "feedforward",
    Kind(
        "mlp",
        "linear maps with GELU between",
        {"bias": BIAS, "activation": GELU},
        parameters=lambda shape, part: sum(
            (a + (not without_bias(part))) * b for a, b in stack_maps(shape)
        ),
        flops=lambda shape, part, length: 2 * length * sum(a * b for a, b in stack_maps(shape)),
        kept=lambda shape, part: 2 * sum(shape.feedforward),
        shared=without_common_bias,
    ),
)
_register(
    "block",
    Kind(
        "plain",
        "heads, then feed-forward",
        {"bias": BIAS},
        # the map after the heads is counted with its bias, whatever the block
        parameters=lambda shape, part: -shape.width if without_bias(part) else 0,
        shared=without_common_bias,
    ),
)
_register(
    "residual",
    Kind(
        "post",
        "norm after each residual sum",
        parameters=lambda shape, part: shape.sums * shape.norm,
    ),
)
_register(
    "embedding",
    Kind(
        "learned",
        "one learned vector a token",
        {"norm": Setting("usual", "name", ("usual", "none"), weight=0.005)},
        parameters=_learned_table,
        shared=lambda a, b: (b if b.settings else a) if a.kind == b.kind else None,
    ),
)
_register(
    "positions",
    Kind(
        "absolute",
        "one learned vector a position",
        parameters=lambda shape, part: shape.max_length * shape.embedded,
    ),
    Kind(
        "relative",
        "one learned vector a distance, in every layer",
        parameters=_relative_table,
    ),
)
_register(
    "norm",
    Kind(
        "layer",
        "mean 0 and variance 1, gain and bias",
        # an epsilon is of checkpoints; no architecture idea
        {"epsilon": Setting(1e-12, weight=0.001), "bias": BIAS},
        parameters=lambda width, part: width if without_bias(part) else 2 * width,
        shared=without_common_bias,
    ),
)
_register(
    "output",
    Kind(
        "tied",
        "the token embedding decodes",
        parameters=lambda shape, part: shape.vocabulary_size,
    ),
)
_register(
    "projection",
    Kind(
        "linear",
        "a linear map with bias where widths differ",
        parameters=lambda shape, part: sum((a + 1) * b for a, b, _ in _projections(shape)),
        flops=lambda shape, part, length: (
            2 * length * sum(a * b * passing for a, b, passing in _projections(shape))
        ),
    ),
)
_register(
    "objective",
    Kind(
        "mlm",
        "masked tokens",
        {
            "mask_rate": Setting(0.3, "line", most=1, weight=0.1),
            # 0 for one rate throughout
            "final_rate": Setting(0.0, "line", most=0.99, weight=0.1),
            "z_loss": Setting(0.0, "line", most=1, weight=0.1),
        },
    ),
)
for _slot in ("optimizer", "finetune_optimizer"):
    _register(_slot, Kind("adamw", "Adam with decoupled weight decay"))
_register(
    "schedule",
    Kind(
        "linear",
        "warm-up, then down to zero in a line",
        {
            "warmup": Setting(0.1, "line", most=1, weight=0.05),
            "decay": Setting(0.0, "line", most=1, weight=0.05),
        },
    ),
)
_register("distillation", Kind("none", "no teacher"))
_register(
    "finetuning",
    Kind(
        "full",
        "all weights learn",
        {"start": Setting("pretrained", "name", ("pretrained", "mnli"), weight=0.02)},
    ),
)
_register("augmentation", Kind("none", "examples as they are"))
