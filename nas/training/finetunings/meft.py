"""Adapters beside frozen layers that run backwards, for a memory that does not grow with depth.

Source: Liao, Tan and Monz, "Make Pre-trained Model Reversible: From Parameter to Memory Efficient
Fine-Tuning", NeurIPS 2023, with the numbers of the released code; see `nas.models.reversible` for
what differs. Adapters, the norm of the embeddings, the pooler and the head learn. Where it begins
is near the encoder and not the encoder itself: each layer also reads `scale` of what the layer
before it read.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from nas.models.blocks import EncoderLayer
from nas.models.coupling import couple
from nas.models.feedforwards import FeedForward
from nas.models.reversible import VARIANTS
from nas.training.finetunings.base import FINETUNINGS, FineTuning
from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Part, Setting

SLOTS["finetuning"].kinds.register("meft")(
    Kind(
        "meft",
        "adapters beside reversible layers",
        {
            "variant": Setting(1, "line", VARIANTS),
            "scale": Setting(0.1, least=1e-6, most=1.0),
            "inner": Setting(8),
            "segment": Setting(3, "line"),
        },
    )
)


@FINETUNINGS.register("meft")
class Meft(FineTuning):
    """Runs the layers on two streams, with adapters beside them.

    Args:
        variant: 1, 2 or 3 of the paper.
        scale: What is left of a stream that a layer's result is added to.
        inner: Features inside an adapter.
        segment: Layers between two pairs of streams that are kept; 0 keeps the last pair alone.
    """

    def __init__(self, variant: int, scale: float, inner: int, segment: int):
        self._settings = {"variant": variant, "scale": scale, "inner": inner, "segment": segment}

    def require(self, encoder: nn.Module) -> None:
        widths = [layer.width for layer in encoder.architecture.layers]
        if len(set(widths)) > 1:
            raise _refused(
                f"layers of the widths {', '.join(map(str, widths))}",
                "both streams of a layer must be as wide as those of the next",
                "lora, or layers of one width",
            )
        for layer in encoder.layers:
            residual = getattr(layer, "residual", None)
            if residual is not None and residual.looks_back:
                raise _refused(
                    "layers that read a mix of all earlier ones",
                    "of these nothing is kept but the last two streams",
                    "lora, or the residual kinds post and pre",
                )
            if not isinstance(getattr(layer, "feedforward", None), FeedForward):
                raise _refused(
                    f"layers of the kind {type(layer).__name__}",
                    "its adapters stand beside the one feed-forward of a layer, and these have "
                    "another form",
                    "lora",
                )
            if self._settings["variant"] == 3 and not isinstance(layer, EncoderLayer):
                raise _refused(
                    f"variant=3 and layers of the kind {type(layer).__name__}",
                    "they have no half of heads and half of feed-forward that could be run apart",
                    "meft(variant=1)",
                )

    @contextmanager
    def applied(self, encoder: nn.Module) -> Iterator[None]:
        self.require(encoder)
        learnt = [(p, p.requires_grad) for p in encoder.parameters()]
        couple(encoder, Part.of("reversible", self._settings))
        for p, _ in learnt:
            p.requires_grad_(requires_grad=False)
        for module in (encoder.embeddings.norm, encoder.pooler):
            module.requires_grad_()
        try:
            yield
        finally:
            for p, before in learnt:
                p.requires_grad_(before)


def _refused(what: str, why: str, instead: str) -> InvalidExperiment:
    return InvalidExperiment(
        f"finetuning: meft with {what} is refused: {why}. Nearest that works: finetuning: "
        f"{instead}."
    )
