"""How weights start.

Source: Devlin et al., "BERT", NAACL 2019: normal with standard deviation 0.02, biases zero.
"""

from torch import nn


def initialise(module: nn.Module) -> None:
    """Initialise one module in place, its children not; use as `model.apply(initialise)`."""
    if isinstance(module, nn.Linear | nn.Conv1d | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
