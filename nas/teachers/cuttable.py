"""Which encoders can be cut: what their layers must have in common."""

from search_spaces.architectures.architecture import Architecture
from search_spaces.architectures.layers import Layer
from search_spaces.errors import InvalidData
from search_spaces.kinds import SLOTS

_ATTENTION = ("sa_sdp",)


def require_cuttable(teacher: Architecture, where: object) -> None:
    """Check that layers, heads and neurons of an encoder can be left out.

    All layers read and write the same width, attend by scaled dot products with heads of one
    width, and have one inner feed-forward; how many heads and neurons may differ.

    Args:
        teacher: What the encoder is built like.
        where: Its folder, for the message.

    Raises:
        InvalidData: It is of another form.
    """
    first = teacher.layers[0]
    for number, layer in enumerate(teacher.layers):
        reason = _reason(layer, first)
        if reason is not None:
            raise InvalidData(
                f"The encoder in {where} cannot be cut: layer {number} {reason}. Give an encoder "
                "whose layers are all as wide, with self-attention (sa_sdp) heads of one width "
                "and one inner feed-forward, such as BERT or a cut of it."
            )


def _reason(layer: Layer, first: Layer) -> str | None:
    kinds = sorted({head.kind for head in layer.heads} - set(_ATTENTION))
    if kinds:
        return f"has heads {', '.join(kinds)}"
    if layer.width != first.width:
        return f"is {layer.width} wide, and layer 0 {first.width}"
    widths = {head.width for head in (*layer.heads, first.heads[0])}
    if len(widths) > 1:
        return f"has heads {' and '.join(map(str, sorted(widths)))} wide, like others or layer 0"
    if len(layer.feedforward) > 1:
        return f"stacks {len(layer.feedforward)} feed-forwards"
    for slot in ("feedforward", "block"):
        usual = SLOTS[slot].default_part
        if layer.part(slot) != usual:
            return f"has {slot}={layer.part(slot)} instead of {usual}"
    if layer.parts != first.parts:
        return "has other parts than layer 0"
    return None


def floor_of(teacher: Architecture) -> Layer:
    """Return a layer with as many heads and neurons as every layer of a teacher has.

    A cut may keep any of its layers, so that no more can be asked of one.
    """
    fewest = min((layer.heads for layer in teacher.layers), key=len)
    inner = min(layer.feedforward[0] for layer in teacher.layers)
    first = teacher.layers[0]
    return Layer(first.width, fewest, (inner,), first.parts)
