"""Low-rank adapters beside frozen maps, folded into them when a task is learnt.

Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022, by the `peft`
library. What is no linear map of the encoder's layers, embeddings and norms, is frozen, too; the
pooler and the task's head learn in full.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from nas.training.finetunings.base import FINETUNINGS, FineTuning
from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["finetuning"].kinds.register("lora")(
    Kind(
        "lora",
        "low-rank adapters (needs peft)",
        {"rank": Setting(8), "alpha": Setting(16.0)},
    )
)


@FINETUNINGS.register("lora")
class LoRA(FineTuning):
    """Adapters of each linear map inside the layers.

    Args:
        rank: Of each adapter.
        alpha: The adapter counts alpha / rank times.
    """

    def __init__(self, rank: int, alpha: float):
        self.rank, self.alpha = rank, alpha

    def require(self, encoder: nn.Module) -> None:
        _peft()

    @contextmanager
    def applied(self, encoder: nn.Module) -> Iterator[None]:
        peft = _peft()
        learnt = {name: p.requires_grad for name, p in encoder.named_parameters()}
        maps = [
            f"layers.{name}"
            for name, module in encoder.layers.named_modules()
            if isinstance(module, nn.Linear)
        ]
        config = peft.LoraConfig(
            r=self.rank, lora_alpha=self.alpha, target_modules=maps, init_lora_weights=True
        )
        tuner = peft.tuners.lora.LoraModel(encoder, config, "task")
        for p in encoder.pooler.parameters():
            p.requires_grad_()
        try:
            yield
        finally:
            tuner.merge_and_unload()
            for name, p in encoder.named_parameters():
                p.requires_grad_(learnt[name])


def _peft() -> Any:
    try:
        import peft
    except ImportError:
        raise InvalidExperiment(
            "finetuning: lora needs the library peft. Run: pip install 'encoder-nas[peft]', or "
            "write finetuning: full."
        ) from None
    return peft
