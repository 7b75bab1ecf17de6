"""Named tensors of a parent carried into those of a child, by the words of their axes."""

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn

from nas.models.axes import AxisMap, AxisMaps, carry, combine, every_few, join, reading, selection
from search_spaces.kinds import SLOTS
from search_spaces.operations import mixer_part
from search_spaces.parts import Part, read_kind


class Carrier:
    """Carries named tensors of a parent into those of a child, in place."""

    def __init__(self, own: dict[str, Tensor], given: Mapping[str, Tensor], maps: AxisMaps):
        self.own, self.given, self.maps = own, given, maps
        self.filled: dict[str, Tensor] = {}

    def named(self, name: str, source: str, words: tuple[str, ...], scope: dict[str, AxisMap]):
        """Carry tensor `source` to `name`, whose axes are `words`, looked up in `scope`."""
        axes = []
        for word in words:
            role = {"<": "read", "=": "scale", "^": "gain"}.get(word[0], "write")
            parts = word.lstrip("<=^").split("+")
            axes.append((role, join([_axis(part, scope) for part in parts])))
        self.tensor(name, self.given.get(source), axes)

    def tensor(self, name: str, given: Tensor | None, axes: list[tuple[str, AxisMap]]) -> None:
        """Carry `given` to the tensor `name`, where both exist."""
        own = self.own.get(name)
        if own is None or given is None:
            return
        value, filled = carry(own.cpu(), given.cpu(), axes, self.maps)
        own.copy_(value)
        self.filled[name] = filled | self.filled.get(name, torch.zeros_like(filled))


def _axis(word: str, scope: Mapping[str, AxisMap]) -> AxisMap:
    if word.isdecimal():
        return selection(range(int(word)), int(word))
    name, bracket, every = word.partition("[")
    if not bracket:
        return scope[name]
    first, step = map(int, every.rstrip("]").split("::"))
    return every_few(scope[name], first, step)


def norm_axes(name: str, norm: nn.Module, width: str = "width") -> dict[str, tuple[str, ...]]:
    """Words for the axes of a norm's tensors, over the axis `width`."""
    axes = getattr(norm, "axes", {})
    return {
        f"{name}.{tensor}": tuple(word.replace("width", width) for word in words)
        for tensor, words in axes.items()
    }


def every_second_head(
    head: AxisMap, feature: AxisMap, kernel: AxisMap, factor: float
) -> dict[str, AxisMap]:
    """Maps of "out", "key" and "tap" of the even and of the odd heads alone."""
    found = {}
    for number, half in enumerate(("even", "odd")):
        some = every_few(head, number, 2)
        out = found[f"{half} out"] = combine(some, feature)
        found |= {f"{half} key": reading(out, factor), f"{half} tap": combine(some, kernel)}
    return found


def head_settings_axes(
    kind: str, other: str, axes: Mapping[str, tuple[str, ...]]
) -> dict[str, AxisMap]:
    """Maps of the axes that are as long as a setting of a mixer, which has the setting's name.

    Args:
        kind: The child's kind of head.
        other: The parent's.
        axes: Words for the axes of the mixer's tensors: a setting may be far larger than any.
    """
    used = {part.lstrip("<=^") for words in axes.values() for w in words for part in w.split("+")}
    parts = (mixer_part(*read_kind(k)) for k in (kind, other))
    return settings_axes("mixer", *parts, used)


def settings_axes(
    slot: str, part: Part, other: Part, used: Collection[str] | None = None
) -> dict[str, AxisMap]:
    """Maps of the axes that are as long as a setting of a part, which has the setting's name.

    Args:
        slot: Where the parts stand.
        part: The child's.
        other: The parent's.
        used: Settings that are an axis; None for all.
    """
    ours, theirs = (SLOTS[slot].kinds[p.kind].settings_of(p) for p in (part, other))
    return {
        name: (
            centred(value, theirs[name])
            if name == "kernel"
            else selection(first_ones(value, theirs[name]), theirs[name])
        )
        for name, value in ours.items()
        if (used is None or name in used)
        and isinstance(value, int)
        and isinstance(theirs.get(name), int)
    }


def shared_heads(kind: str, other: str, chosen: Sequence[int | None], heads: int) -> AxisMap | None:
    """Map of the axis of keys that several queries share; None where none of the two has such.

    Args:
        kind: The child's kind of head.
        other: The parent's.
        chosen: For each of the child's heads the number of its parent's, or None.
        heads: Heads of the parent's group.
    """
    ours, theirs = (
        SLOTS["mixer"].kinds[part.kind].settings_of(part).get("queries")
        for part in (mixer_part(*read_kind(k)) for k in (kind, other))
    )
    if ours is None or theirs is None:
        return None
    firsts = chosen[::ours]
    return selection([None if h is None else h // theirs for h in firsts], -(-heads // theirs))


def states_axis(matched: Sequence[int | None], i: int, j: int) -> AxisMap:
    """Map of the hidden states that layer i of a child may read, from those of layer j of a parent.

    State 0 is the embeddings, state k + 1 what layer k wrote. What an additional layer wrote stands
    for what the layer before it did, since it changes nothing at first; a parent's state whose
    layer has no match for that of the match before.

    Args:
        matched: For each layer of the child the parent's, or None for an additional one.
        i: Number of the child's layer.
        j: Number of the parent's, its match.
    """
    matrix = torch.zeros(i + 1, j + 1)
    for state in range(j + 1):
        own = 0
        for k in range(i):
            # additional layers pass on what is before them
            if matched[k] is None or matched[k] < state:
                own = k + 1
            else:
                break
        matrix[own, state] = 1.0
    same = list(matched[:i]) == list(range(j))
    return AxisMap(matrix, matrix, matrix, matrix.any(1), identity=same)


def unchanged(carrier: Carrier, source: str, scope: dict[str, AxisMap]) -> tuple[str, ...]:
    """Words for the axes of a tensor that is taken as it is."""
    words = []
    for size in carrier.given[source].shape if source in carrier.given else ():
        scope[f"all {size}"] = selection(range(size), size)
        words.append(f"all {size}")
    return tuple(words)


def first_ones(c: int, p: int) -> list[int | None]:
    """Return the sources of an axis of `c` that takes the first of `p` features."""
    return [i if i < p else None for i in range(c)]


def centred(c: int, p: int) -> AxisMap:
    """Keep what is around the middle: of a kernel, of the distances between tokens."""
    start = (p - c) // 2
    return selection([i + start if 0 <= i + start < p else None for i in range(c)], p)


def kernel_size(kind: str) -> int:
    """Return the tokens in the window of a kind of head, 1 where it has none."""
    parameter = read_kind(kind)[1]
    return parameter if isinstance(parameter, int) else 1
