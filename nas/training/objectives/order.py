"""How two pieces of text belong together: next-sentence prediction, and the order of sentences.

Source: NSP: Devlin et al., "BERT", NAACL 2019. SSO: Wang et al., "StructBERT: Incorporating
Language Structures into Pre-training for Deep Language Understanding", ICLR 2020: three classes,
next, previous, and from elsewhere, a third each.
Differs on purpose: beside masked tokens it reads a batch of its own, which is not masked; pieces
are those of a block (`nas.training.objectives.pairs`), since text is packed without documents.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.models.heads import ClassificationHead
from nas.training.device import autocast
from nas.training.objectives.base import PRETRAINING_OBJECTIVES, PretrainingObjective
from nas.training.objectives.pairs import ELSEWHERE, NEXT, PREVIOUS, PairBatch, pair_batches
from nas.training.objectives.passes import VALIDATION_BATCH, held_out
from nas.training.seeds import named_seed
from search_spaces.kinds import SLOTS, Kind

for _name, _title in (
    ("nsp", "whether one piece follows the other"),
    ("sso", "whether one piece follows, precedes or is from elsewhere"),
):
    SLOTS["objective"].kinds.register(_name)(Kind(_name, _title))


class PairOrder(PretrainingObjective):
    """Tells from the pooled vector how the second piece of a pair stands to the first.

    Args:
        labels: Of the pairs that are made.
    """

    def __init__(self, labels: tuple[int, ...]):
        self.labels = labels

    def begin(self, encoder: nn.Module, head: nn.Module, *, steps: int) -> None:
        self.modules = {"order": ClassificationHead(encoder.width, len(self.labels), 0.0)}

    def batches(
        self,
        blocks: np.ndarray,
        *,
        batch_size: int,
        vocabulary_size: int,
        seed: int,
        start: int,
    ) -> Iterator[PairBatch]:
        return pair_batches(
            blocks,
            batch_size=batch_size,
            seed=named_seed(seed, "pairs"),
            labels=self.labels,
            start=start,
        )

    def losses(
        self,
        encoder: nn.Module,
        head: nn.Module,
        batch: PairBatch,
        device: torch.device,
        precision: str,
        parts: int,
    ) -> Iterator[Tensor]:
        rows = len(batch.tokens)
        for chosen in torch.arange(rows).chunk(parts):
            own = PairBatch(*(value[chosen] for value in vars(batch).values()))
            with autocast(precision, device):
                loss = F.cross_entropy(self._scores(encoder, own.to(device)), self._classes(own))
            yield loss * (len(chosen) / rows)

    def _scores(self, encoder: nn.Module, batch: PairBatch) -> Tensor:
        pooled = encoder.pooled(batch.tokens, batch.keep, batch.token_types)
        return self.modules["order"](pooled).float()

    def _classes(self, batch: PairBatch) -> Tensor:
        """Number of each label among those that are made."""
        device = next(self.modules["order"].parameters()).device
        return torch.searchsorted(torch.tensor(self.labels), batch.labels.cpu()).to(device)

    def validation_loss(
        self,
        encoder: nn.Module,
        head: nn.Module,
        blocks: np.ndarray,
        *,
        vocabulary_size: int,
        precision: str,
    ) -> float:
        """Return the mean loss of pairs of `blocks`, the same pairs for every caller."""
        device = next(encoder.parameters()).device
        encoder.eval()
        self.modules["order"].eval()
        total = torch.zeros((), device=device)
        with torch.inference_mode(), autocast(precision, device):
            for batch in pair_batches(
                held_out(blocks), batch_size=VALIDATION_BATCH, seed=0, labels=self.labels, passes=1
            ):
                scores = self._scores(encoder, batch.to(device))
                total += F.cross_entropy(scores, self._classes(batch), reduction="sum")
        return float(total) / len(held_out(blocks))


@PRETRAINING_OBJECTIVES.register("nsp")
def nsp() -> PairOrder:
    """Return next-sentence prediction."""
    return PairOrder((NEXT, ELSEWHERE))


@PRETRAINING_OBJECTIVES.register("sso")
def sso() -> PairOrder:
    """Return the sentence-structural objective."""
    return PairOrder((NEXT, PREVIOUS, ELSEWHERE))
