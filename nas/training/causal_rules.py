"""Which encoders objectives can train that read from the left alone, and which can be pooled."""

from collections.abc import Iterable, Sequence

from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import SLOTS
from search_spaces.parts import Part

CAUSAL = ("clm", "instruction")  # objectives in which no token may see a later one


def check_causal(
    objectives: Iterable[Part], pooling: str, offered: Sequence[tuple[str, Part]], where: str
) -> None:
    """Check that an encoder can be causal where an objective asks for it, and be pooled.

    Args:
        objectives: What is trained, or may be.
        pooling: How a sequence is read off its tokens.
        offered: Slot and part of everything that stands in the encoder, or may.
        where: What has them, for messages.

    Raises:
        InvalidExperiment: Some part shows tokens later ones; or all heads have a causal mask, and
            a sequence is read off its first token.
    """
    causal = [str(part) for part in objectives if part.kind in CAUSAL]
    for slot, part in offered if causal else ():
        kinds = SLOTS[slot].kinds
        if not _can_be(slot, kinds[part.kind].causal):
            able = [name for name in kinds if _can_be(slot, kinds[name].causal)]
            raise InvalidExperiment(
                f"{where}: objective={causal[0]} cannot stand beside {slot}={part}: it predicts "
                "each token from those before it, and there tokens see later ones. Beside it can "
                f"stand {slot}: {', '.join(able)}. Leave one of the two out, or take objective: "
                "mlm."
            )
    heads = [part for slot, part in offered if slot == "mixer"]
    if heads and pooling == "first" and all(_masked(part) for part in heads):
        raise InvalidExperiment(
            f"{where}: pooling=first cannot stand beside heads that all have a causal mask: the "
            "first token sees itself alone. Take pooling: mean."
        )


def _can_be(slot: str, causal: bool | None) -> bool:  # noqa: FBT001
    return slot != "mixer" if causal is None else causal


def _masked(part: Part) -> bool:
    return dict(part.settings).get("mask") == "causal"
