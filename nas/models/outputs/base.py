"""What every output is: hidden states at masked places to scores of all tokens."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import nn

from search_spaces.registry import Registry

if TYPE_CHECKING:
    from nas.models.encoder import Encoder

# name -> a callable (encoder, **settings) -> module that maps `(n, width)` to `(n, vocabulary)`
OUTPUTS: Registry[Callable[..., nn.Module]] = Registry("output", group="nas.outputs")


def make_output(encoder: "Encoder") -> nn.Module:
    """Build the masked-language head of an encoder.

    Raises:
        UnknownName: If there is no such output.
    """
    part = encoder.architecture.part("output")
    return OUTPUTS[part.kind](encoder, **dict(part.settings))
