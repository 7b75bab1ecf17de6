"""Which encoders can be cut: what their layers must have in common."""

from collections.abc import Sequence

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Head, Layer
from search_spaces.errors import InvalidData
from search_spaces.kinds import SLOTS
from search_spaces.operations import mixer_part

# Operation of heads, and kind of feed-forward, of which some may go -> settings that must be as
# usual: what heads share cannot be left out with one of them.
ATTENTION = {"sa": {"parameter": "sdp"}, "attention": {"queries": 1, "gate": "none"}}
_FEEDFORWARDS = ("mlp", "glu", "relu")


def require_cuttable(teacher: Architecture, where: object) -> None:
    """Check that layers, heads and neurons of an encoder can be left out.

    All layers read and write the same width, attend by scaled dot products with heads of one
    width, and have one inner feed-forward; how many heads and neurons may differ, what window a
    layer sees, and in the first layer where its norms stand.

    Args:
        teacher: What the encoder is built like.
        where: Its folder, for the message.

    Raises:
        InvalidData: It is of another form.
    """
    first = teacher.layers[0]
    for number, layer in enumerate(teacher.layers):
        reason = _reason(layer, teacher.layers[-1] if number else first, first)
        if reason is not None:
            raise InvalidData(
                f"The encoder in {where} cannot be cut: layer {number} {reason}. Give an encoder "
                "whose layers are all as wide, with self-attention (sa_sdp, attention) heads of "
                "one width and one inner feed-forward, such as BERT, ModernBERT or a cut of one."
            )


def _reason(layer: Layer, usual: Layer, first: Layer) -> str | None:
    kinds = sorted({head.kind for head in layer.heads if not _attends(head)})
    if kinds:
        return f"has heads {', '.join(kinds)}"
    if len(layer.kinds) > 1 or _without_window(layer.heads[0]) != _without_window(first.heads[0]):
        return f"has heads {' and '.join(layer.kinds)}, and layer 0 {first.heads[0].kind}"
    if layer.width != first.width:
        return f"is {layer.width} wide, and layer 0 {first.width}"
    widths = {head.width for head in (*layer.heads, first.heads[0])}
    if len(widths) > 1:
        return f"has heads {' and '.join(map(str, sorted(widths)))} wide, like others or layer 0"
    if len(layer.feedforward) > 1:
        return f"stacks {len(layer.feedforward)} feed-forwards"
    part = layer.part("feedforward")
    if part.kind not in _FEEDFORWARDS:
        return f"has feedforward={part} instead of {' or '.join(_FEEDFORWARDS)}"
    part = layer.part("block")
    if part.kind != SLOTS["block"].default:
        return f"has block={part} instead of {SLOTS['block'].default_part}"
    if layer.parts != usual.parts or _but_residual(layer) != _but_residual(first):
        return "has other parts than layer 0"
    return None


def _attends(head: Head) -> bool:
    part = mixer_part(head.operation, head.parameter)
    found = SLOTS["mixer"].kinds[part.kind].settings_of(part)
    wanted = ATTENTION.get(part.kind)
    return wanted is not None and all(found[name] == value for name, value in wanted.items())


def _without_window(head: Head) -> tuple[str, dict]:
    part = mixer_part(head.operation, head.parameter)
    return part.kind, {k: v for k, v in dict(part.settings).items() if k != "window"}


def _but_residual(layer: Layer) -> dict:
    return {slot: part for slot, part in layer.parts if slot != "residual"}


def fixed_layers(teacher: Architecture) -> frozenset[int]:
    """Return the layers that no cut can do without: the first, where none is of its form."""
    first, *others = teacher.layers
    return frozenset({0} if others and others[-1].parts != first.parts else ())


def floor_of(teacher: Architecture) -> Layer:
    """Return a layer with as many heads and neurons as every layer of a teacher has.

    A cut may keep any of its layers, so that no more can be asked of one.
    """
    fewest = min((layer.heads for layer in teacher.layers), key=len)
    inner = min(layer.feedforward[0] for layer in teacher.layers)
    usual = teacher.layers[-1]
    return Layer(usual.width, fewest, (inner,), usual.parts)


def layers_like(layers: Sequence[Layer], heads: int, inner: int) -> list[Layer]:
    """Return layers of the kinds of others, each with so many heads and neurons."""
    return [Layer(of.width, (of.heads[0],) * heads, (inner,), of.parts) for of in layers]
