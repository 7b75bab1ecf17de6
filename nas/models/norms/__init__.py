"""Norms. Importing this package registers each module below."""

from nas.models.norms.base import NORMS, make_norm
from nas.models.norms.layer import LayerNorm  # layer
from nas.models.norms.low_precision import LowPrecisionLayerNorm
from nas.models.norms.none import NoNorm
from nas.models.norms.rms import RootMeanSquareNorm

__all__ = ["NORMS", "LayerNorm", "make_norm"]
