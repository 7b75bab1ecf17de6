"""Objectives that need no training: they follow from the architecture and a few settings."""

from typing import TYPE_CHECKING

from search_spaces import Architecture, count_flops, count_parameters

if TYPE_CHECKING:
    from surrogates.policy import Options


def exact_value(metric: str, architecture: Architecture, options: "Options") -> float:
    """Return "parameters" (a count) or "flops" (of one forward pass) of `architecture`."""
    if metric == "flops":
        return float(
            count_flops(
                architecture,
                length=options.length,
                vocabulary_size=options.vocabulary_size,
                positions=options.positions,
            )
        )
    return float(
        count_parameters(
            architecture,
            vocabulary_size=options.vocabulary_size,
            max_length=options.max_length,
            positions=options.positions,
        )
    )
