"""Where norms stand beside residual sums. Importing this package registers each module below."""

from nas.models.residuals.base import RESIDUALS, Residual, make_residual
from nas.models.residuals.mixed import MixedResidual
from nas.models.residuals.post import PostNorm  # post
from nas.models.residuals.pre import PreNorm

__all__ = ["RESIDUALS", "PostNorm", "Residual", "make_residual"]
