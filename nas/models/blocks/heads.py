"""The heads of a layer: one mixer for each kind, side by side on what the layer's block hands them.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023 (heads of several kinds in one layer).
Differs on purpose: heads of one kind run together as one mixer.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nas.models.mixers import Mixer, make_mixer
from nas.models.unpadding import RealTokens

if TYPE_CHECKING:
    from nas.models.positions import Positions
    from search_spaces.architectures.layers import Layer


def make_mixers(
    layer: "Layer", width: int, positions: "Positions", *, relative: bool
) -> nn.ModuleDict:
    """Build the mixers of a layer, one for each kind of head, sorted by kind.

    Args:
        layer: Whose heads they are.
        width: Width of the hidden states they read.
        positions: How they know where a token stands.
        relative: Whether they are given vectors for the distances between tokens.
    """
    groups = Counter((h.kind, h.operation, h.parameter, h.width) for h in layer.heads)
    mixers = nn.ModuleDict(
        {
            module_name(kind): make_mixer(operation, parameter, width, n, head, relative=relative)
            for (kind, operation, parameter, head), n in sorted(groups.items(), key=_kind)
        }
    )
    for mixer in mixers.values():
        mixer.read_positions(positions)
    return mixers


def join_mixers(
    mixers: Iterable[Mixer],
    read: Tensor,
    keep: Tensor | None,
    distances: nn.Module | None = None,
    rows: Tensor | None = None,
    values: Tensor | None = None,
    real: RealTokens | None = None,
    **more: bool,
) -> Tensor:
    """Return what all heads make of hidden states, `(batch, length, width of all heads)`.

    Args:
        mixers: Of the layer.
        read: Hidden states, `(batch, length, width)`.
        keep: Boolean, `(batch, length)`, False marks padding; None where nothing is padded.
        distances: Gives vectors of distances, as in `Mixer.forward`, for a length.
        rows: The encoder's table of distances, `(rows, width)`; None where it has none.
        values: What values are made of where a mixer reads them apart; None where none does.
        real: Where hidden states are the real tokens of a batch alone, `(tokens, width)`, as the
            result then is: where they stand.
        more: What mixers are told besides, such as `causal=True`.
    """
    vectors = None if distances is None or real is not None else distances(read.shape[1])
    parts = []
    for mixer in mixers:
        table = rows if getattr(mixer, "buckets", None) is not None else None
        apart = values if mixer.splits else None
        if real is not None:
            maps = mixer.maps(read) if apart is None else mixer.maps(read, apart)
            parts.append(real.mixed(mixer, maps, distances, table, **more))
            continue
        given = (read, keep, vectors) if table is None else (read, keep, vectors, table)
        told = more if apart is None else {"values": apart, **more}
        parts.append(mixer(*given, **told))
    return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


def all_can(block: nn.Module, what: str) -> bool:
    """Return whether a block's heads can do something that no feed-forward of sequences can.

    Args:
        block: Has `mixers` and `feedforwards`, by name.
        what: "unpads" or "causal", as mixers say it.
    """
    mixers = all(getattr(mixer, what) for mixer in block.mixers.values())
    return mixers and not reads_sequences(block)


def reads_sequences(block: nn.Module) -> bool:
    """Return whether a feed-forward of a block makes of a token what others decide, too."""
    return any(feedforward.reads == "sequence" for feedforward in block.feedforwards.values())


def only(at: Tensor, *states: Tensor) -> list[Tensor]:
    """Return flattened places `(n,)` of hidden states `(batch, length, width)`, each `(n, width)`.

    States without padding may be `(tokens, width)`.
    """
    return [state.flatten(0, -2).index_select(0, at) for state in states]


def _kind(item: tuple[tuple[str, str, str | int, int], int]) -> str:
    return item[0][0]


def module_name(kind: str) -> str:
    """Return the name of the mixer of a kind of head among the modules of its layer.

    Letters, digits, "_" and "-" alone: "longconv(filter=32)" is "longconv--filter-32". torch
    separates modules by points, and other libraries read their names as patterns.
    """
    return kind.translate(
        {ord("("): "--", ord(","): "--", ord("="): "-", ord("."): "_", ord(")"): ""}
    )
