"""How masked tokens are predicted. Importing this package registers each module below."""

from nas.models.outputs.base import OUTPUTS, make_output
from nas.models.outputs.tied import MaskedLanguageHead  # tied
from nas.models.outputs.untied import UntiedHead

__all__ = ["OUTPUTS", "MaskedLanguageHead", "make_output"]
