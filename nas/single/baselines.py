"""What a person would pick without a search: plain encoders to hold the best one found against."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.teachers.cuttable import floor_of, layers_like
from search_spaces import Architecture
from search_spaces.architectures.layers import Head, Layer
from search_spaces.flexibert.space import FlexiBertSpace
from search_spaces.space import Space

if TYPE_CHECKING:
    from nas.runs.directory import Run

PLAIN, LARGEST, UNIFORM, LAYERS = "plain", "largest", "uniform", "layers"
_WIDTH_STEP = 16
_INNER_STEP = 8
_SAMPLED = 64

Size = Callable[[Architecture], float]


@dataclass(frozen=True)
class Baseline:
    """An encoder that nobody searched for.

    Attributes:
        role: "plain", "largest", "uniform" or "layers".
        words: What it is, for people, with how near its size comes to that of the best one.
        architecture: The encoder.
    """

    role: str
    words: str
    architecture: Architecture


def baselines_for(run: "Run", winner: Architecture) -> list[Baseline]:
    """Return what the best encoder of a run is to be compared with.

    A search from nothing: plain BERT of equal parameters, and the largest encoder of the space
    that the constraints on counted costs allow. Among the cuts of a checkpoint: the uniform cut of
    equal parameters, and as many whole layers; its largest is the teacher, whose scores the run
    has.
    """
    from nas.single.counting import counting

    space, parameters, allowed = counting(run)
    if run.experiment.checkpoint is not None:
        from nas.data.prepared import TEACHER
        from nas.teachers.lessons import Lessons

        whole, found = Lessons(run.directory / TEACHER).architecture, []
        if isinstance(space, FlexiBertSpace):
            cut = uniform_cut(winner, space, parameters, whole)
            found.append(Baseline(UNIFORM, _sized("uniform cut", cut, winner, parameters), cut))
        layers = whole_layers(winner, whole, parameters)
        words = _sized(f"{len(layers.layers)} whole layers", layers, winner, parameters)
        return [*found, Baseline(LAYERS, words, layers)]
    plain = plain_bert(winner, parameters)
    found = [Baseline(PLAIN, _sized("plain BERT", plain, winner, parameters), plain)]
    largest = largest_of(space, parameters, allowed, like=winner)
    words = f"largest encoder of the space ({parameters(largest):,.0f} parameters)"
    return [*found, Baseline(LARGEST, words, largest)]


def _sized(name: str, one: Architecture, winner: Architecture, parameters: Size) -> str:
    off = parameters(one) / parameters(winner) - 1
    nearness = "equal parameters"
    if abs(off) > 0.03:
        nearness = f"the nearest size there is, {abs(off):.0%} {'more' if off > 0 else 'fewer'}"
    return f"{name} of {nearness} ({parameters(one):,.0f})"


def plain_bert(winner: Architecture, parameters: Size) -> Architecture:
    """Return the homogeneous self-attention encoder whose parameter count is nearest a winner's.

    As deep as the winner; its feed-forward is about four times as wide as its layers, as BERT's
    is. The layers' width comes first, then the feed-forward makes up the rest. What the winner
    chose of the training is kept; everything else stands as it does in BERT.

    Args:
        winner: What to match.
        parameters: Counts those of an encoder.

    Source: Devlin et al., "BERT", NAACL 2019 (the shape); Turc et al., "Well-Read Students Learn
    Better", 2019 (small ones).
    """
    depth, wanted = len(winner.layers), parameters(winner)

    def build(width: int, inner: int) -> Architecture:
        heads = _heads(width)
        layer = Layer(width, (Head("sa", "sdp", width // heads),) * heads, (inner,))
        return Architecture([layer] * depth, recipe=winner.recipe)

    width = _WIDTH_STEP
    while parameters(build(width, 4 * width)) < wanted:
        width += _WIDTH_STEP
    widths = [w for w in (width - _WIDTH_STEP, width) if w]
    width = min(widths, key=lambda w: abs(parameters(build(w, 4 * w)) - wanted))
    inner = 4 * width
    a_unit = (parameters(build(width, inner + 1)) - parameters(build(width, inner))) or 1
    missing = (wanted - parameters(build(width, inner))) / a_unit
    inner = _INNER_STEP * round((inner + missing) / _INNER_STEP)
    return build(width, min(max(inner, 2 * width), 6 * width))


def _heads(width: int) -> int:
    """Return how many heads: the most that are at least 64 wide, or 32 in a narrow encoder."""
    least = 64 if width > 256 else 32
    return max(
        (n for n in range(1, width + 1) if width % n == 0 and width // n >= least), default=1
    )


def uniform_cut(
    winner: Architecture,
    space: FlexiBertSpace,
    parameters: Size,
    teacher: Architecture | None = None,
) -> Architecture:
    """Return the cut whose layers are all as large, of the parameter count nearest a winner's.

    Among equally near ones the deepest. Layers are of the kinds of the teacher's first ones;
    without a teacher, of the winner's first.
    """
    offers = space.definition
    like = teacher.layers if teacher else winner.layers[:1] * max(offers.layers)
    cuts = [
        Architecture(
            layers_like(like[:depth], heads, inner),
            parts=winner.parts,
            recipe=winner.recipe,
        )
        for depth in sorted(offers.layers, reverse=True)
        for heads in offers.heads
        for inner in offers.feedforward_widths
    ]
    return min(cuts, key=lambda cut: abs(parameters(cut) - parameters(winner)))


def whole_layers(winner: Architecture, teacher: Architecture, parameters: Size) -> Architecture:
    """Return whole layers of a teacher, as many as come nearest to a winner's parameter count.

    What a person would do by hand. Of a teacher with unlike layers, as much of each as any has.
    """
    most = floor_of(teacher)
    size = len(most.heads), most.feedforward[0]
    found = [
        Architecture(
            layers_like(teacher.layers[:depth], *size), parts=winner.parts, recipe=winner.recipe
        )
        for depth in range(1, len(teacher.layers) + 1)
    ]
    return min(found, key=lambda cut: abs(parameters(cut) - parameters(winner)))


def largest_of(
    space: Space,
    parameters: Size,
    allowed: Callable[[Architecture], bool] = lambda architecture: True,
    *,
    like: Architecture,
) -> Architecture:
    """Return the encoder of most parameters that is allowed, by steps to larger neighbours.

    Args:
        space: Where it is.
        parameters: Counts those of an encoder.
        allowed: Whether an encoder keeps the constraints.
        like: One that is allowed: where the climb begins, unless a sample has a larger one.
    """
    sampled = space.sample(_SAMPLED if space.size is None else min(_SAMPLED, space.size))
    sampled = [one for one in sampled if allowed(one)]
    best = max([like, *sampled], key=parameters)
    while True:
        near = [one for one in space.neighbours(best) if allowed(one)]
        larger = max(near, key=parameters, default=best)
        if parameters(larger) <= parameters(best):
            return best
        best = larger
