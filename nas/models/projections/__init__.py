"""Maps between layers of different widths. Importing this package registers each module below."""

from nas.models.projections.base import PROJECTIONS, make_projection
from nas.models.projections.linear import LinearProjection  # linear

__all__ = ["PROJECTIONS", "LinearProjection", "make_projection"]
