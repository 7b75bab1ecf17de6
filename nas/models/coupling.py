"""What runs an encoder's layers otherwise than one after the other, once a fine-tuning says so."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from search_spaces.parts import Part
from search_spaces.registry import Registry

# name -> a callable (layers, **settings) -> module that is called as `Reversible` is, has `hooks`
# on the layers, and a buffer "settings" of as many numbers as `SETTINGS` of its name has names
COUPLINGS: Registry[Callable[..., nn.Module]] = Registry(
    "coupling", homes=("nas.models.reversible",)
)
SETTINGS = {"reversible": ("variant", "scale", "inner", "segment")}
_PLACE = "encoder.coupling."


def couple(encoder: nn.Module, part: Part) -> None:
    """Let an encoder run its layers as a part says, with new weights for what stands beside them.

    Raises:
        UnknownName: There is no such coupling.
    """
    uncouple(encoder)
    device = next(encoder.parameters()).device
    encoder.coupling = COUPLINGS[part.kind](encoder.layers, **dict(part.settings)).to(device)


def uncouple(encoder: nn.Module) -> None:
    """Let an encoder run its layers one after the other, with nothing beside them."""
    if encoder.coupling is not None:
        for hook in encoder.coupling.hooks:
            hook.remove()
        encoder.coupling = None


def coupling_of(weights: Mapping[str, Tensor]) -> str | None:
    """Return the text of the coupling that tensors "encoder.…" are of; None for none."""
    for kind, names in SETTINGS.items():
        found = weights.get(f"{_PLACE}settings")
        if found is not None and len(found) == len(names):
            # six digits, which single precision keeps
            values = (int(v) if v == int(v) else float(f"{v:.6g}") for v in found.tolist())
            return str(Part.of(kind, dict(zip(names, values, strict=True))))
    return None
