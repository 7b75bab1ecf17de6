"""Design spaces: which encoders may be built, and how they relate.

The public names load when first used, so that importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search_spaces.architectures.architecture import Architecture
    from search_spaces.architectures.layers import Head, Layer
    from search_spaces.architectures.named import list_named_architectures, named_architecture
    from search_spaces.architectures.size import (
        count_flops,
        count_parameters,
        count_parameters_as_published,
    )
    from search_spaces.constraints import make_accept
    from search_spaces.designs import initial_design
    from search_spaces.distances.distance import graph_edit_distance, pairwise_distances
    from search_spaces.finite import FiniteSpace
    from search_spaces.flexibert.interpolation import interpolate
    from search_spaces.flexibert.space import FlexiBertSpace
    from search_spaces.library import list_spaces, load_space
    from search_spaces.refinement import refine, refined_candidates
    from search_spaces.space import Space
    from search_spaces.vectors.embedding import Embedding
    from search_spaces.vectors.embedding_methods import embed
    from search_spaces.vectors.encodings import encode
    from search_spaces.vectors.streaming import embed_stream

_HOMES = {
    "architectures.architecture": ("Architecture",),
    "architectures.layers": ("Head", "Layer"),
    "constraints": ("make_accept",),
    "designs": ("initial_design",),
    "distances.distance": ("graph_edit_distance", "pairwise_distances"),
    "vectors.embedding": ("Embedding",),
    "vectors.embedding_methods": ("embed",),
    "vectors.encodings": ("encode",),
    "finite": ("FiniteSpace",),
    "flexibert.space": ("FlexiBertSpace",),
    "flexibert.interpolation": ("interpolate",),
    "library": ("list_spaces", "load_space"),
    "architectures.named": ("list_named_architectures", "named_architecture"),
    "refinement": ("refine", "refined_candidates"),
    "architectures.size": ("count_flops", "count_parameters", "count_parameters_as_published"),
    "space": ("Space",),
    "vectors.streaming": ("embed_stream",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Architecture",
    "Embedding",
    "FiniteSpace",
    "FlexiBertSpace",
    "Head",
    "Layer",
    "Space",
    "count_flops",
    "count_parameters",
    "count_parameters_as_published",
    "embed",
    "encode",
    "embed_stream",
    "graph_edit_distance",
    "initial_design",
    "interpolate",
    "list_named_architectures",
    "list_spaces",
    "load_space",
    "make_accept",
    "named_architecture",
    "pairwise_distances",
    "refine",
    "refined_candidates",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
