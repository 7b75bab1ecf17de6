"""Weights of one trained layer for another, tensor by tensor, by what their axes are."""

from nas.models.axes import AxisMap, combine, reading, selection
from nas.models.blocks import EncoderLayer
from nas.models.blocks.heads import module_name
from nas.models.carrier import (
    Carrier,
    centred,
    every_second_head,
    head_settings_axes,
    kernel_size,
    norm_axes,
    settings_axes,
    shared_heads,
    unchanged,
)
from nas.models.overlap import match_heads, shared_feedforward
from nas.models.residuals import Residual
from search_spaces.architectures.layers import Layer

ONE = selection([0], 1)


def carry_layer(
    carrier: Carrier,
    module: EncoderLayer,
    pair: tuple[Layer, Layer],
    numbers: tuple[int, int],
    states: AxisMap,
) -> None:
    """Carry heads, maps, norms, residual connections and feed-forwards.

    Args:
        carrier: The tensors of both.
        module: The child's layer.
        pair: What the child's layer and the parent's are.
        numbers: Which layers they are.
        states: Map of the hidden states there are when they begin.
    """
    (child, parent), (i, j) = pair, numbers
    maps = carrier.maps
    name, source = f"encoder.layers.{i}", f"encoder.layers.{j}"
    c, p = child.head_width, parent.head_width
    # scores are divided by the root of the head's width
    factor = 1.0 if maps.method == "slice" else (c / p) ** 0.5
    feature = maps(f"features {i}", c, p)
    width = maps("width", child.width, parent.width)
    narrow = width
    if child.widths.inner != child.width or parent.widths.inner != parent.width:
        narrow = maps(f"narrow {i}", child.widths.inner, parent.widths.inner)
    read = width if child.widths.read == child.width else narrow
    scope = {"width": read, "values": width, "feature": feature, "one": ONE}
    sources = match_heads(child, parent)
    for kind, heads in sources.items():
        mixer = module.mixers[module_name(kind)]
        for other in sorted({source[0] for source in heads if source}):
            chosen = [s[1] if s and s[0] == other else None for s in heads]
            head = selection(chosen, parent.kinds[other])
            settings = head_settings_axes(kind, other, mixer.axes)
            kernel = settings.get("kernel")
            if kernel is None:  # written bare, or none
                kernel = centred(*(kernel_size(k) for k in (kind, other)))
            scope |= settings
            shared = shared_heads(kind, other, chosen, parent.kinds[other])
            if shared is not None:
                out = combine(shared, feature)
                scope |= {"shared out": out, "shared key": reading(out, factor)}
            out = combine(head, feature)
            scope |= {"head": head, "out": out, "key": reading(out, factor)}
            scope |= {"kernel": kernel, "tap": combine(head, kernel)}
            scope |= every_second_head(head, feature, kernel, factor)
            words = mixer.axes
            if not words and kind == other and _equal_groups(child, parent, kind):
                words = dict.fromkeys(mixer.state_dict(), ())
            for tensor, axes in words.items():
                origin = f"{source}.mixers.{module_name(other)}.{tensor}"
                carrier.named(
                    f"{name}.mixers.{module_name(kind)}.{tensor}",
                    origin,
                    axes or unchanged(carrier, origin, scope),
                    scope,
                )
    first = dict(zip(parent.kinds, _starts(parent.kinds.values()), strict=True))
    flat = [s and first[s[0]] + s[1] for heads in sources.values() for s in heads]
    scope["joined"] = combine(selection(flat, len(parent.heads)), feature)
    scope |= {"width": width, "narrow": narrow, "states": states}
    _carry_blocks(carrier, module, pair, i, j, scope)
    table = f"{source}.distances.weight"
    if table in carrier.given and module.distances is not None:
        longest = carrier.given[table].shape[0]
        rows = centred(module.distances.num_embeddings, longest)
        axes = [("write", rows), ("write", reading(feature, factor))]
        carrier.tensor(f"{name}.distances.weight", carrier.given[table], axes)


def _carry_blocks(
    carrier: Carrier,
    module: EncoderLayer,
    pair: tuple[Layer, Layer],
    i: int,
    j: int,
    scope: dict[str, AxisMap],
) -> None:
    child, parent = pair
    words = dict(module.axes)
    modules = dict(module.named_modules())
    for name, axis in module.norms.items():
        words |= norm_axes(name, modules.get(name), axis)
    for name, part in modules.items():
        if isinstance(part, Residual):
            words |= {f"{name}.{tensor}": axes for tensor, axes in part.axes.items()}
    _carry_named(carrier, words, i, j, scope)
    inner = parent.feedforward
    for k, c in enumerate(child.feedforward):
        scope[f"inner {k}"] = carrier.maps(f"inner {i} {k}", c, inner[min(k, len(inner) - 1)])
    last = len(child.feedforward) - 1
    scope["last"] = carrier.maps(f"inner {i} {last}", child.feedforward[-1], inner[-1])
    parts = child.part("feedforward"), parent.part("feedforward")
    scope |= settings_axes("feedforward", *parts) | {"width": scope["narrow"]}
    for name, block in module.feedforwards.items():
        axes = block.axes if shared_feedforward(child, parent) else {}
        if not axes and _equal_feedforwards(child, parent):
            axes = dict.fromkeys(block.state_dict(), ())
        _carry_named(carrier, {f"{name}.{n}": a for n, a in axes.items()}, i, j, scope)


def _carry_named(
    carrier: Carrier, words: dict[str, tuple[str, ...]], i: int, j: int, scope: dict[str, AxisMap]
) -> None:
    """Carry tensors of layer j to the same of layer i."""
    for n, a in words.items():
        source = f"encoder.layers.{j}.{n}"
        carrier.named(
            f"encoder.layers.{i}.{n}", source, a or unchanged(carrier, source, scope), scope
        )


def _equal_groups(child: Layer, parent: Layer, kind: str) -> bool:
    return (child.widths.read, child.head_width, child.kinds[kind]) == (
        parent.widths.read, parent.head_width, parent.kinds[kind]
    )  # fmt: skip


def _equal_feedforwards(child: Layer, parent: Layer) -> bool:
    return (child.widths.inner, child.feedforward, child.part("feedforward")) == (
        parent.widths.inner, parent.feedforward, parent.part("feedforward")
    )  # fmt: skip


def _starts(counts) -> list[int]:
    starts, total = [], 0
    for n in counts:
        starts.append(total)
        total += n
    return starts
