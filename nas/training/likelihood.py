"""How likely a masked-language model finds sentences, and which of two it prefers.

Source: Salazar et al., "Masked Language Model Scoring", ACL 2020: the sum over tokens of the log
probability of each where it alone is masked.
"""

import numpy as np
import torch
from torch import nn

from nas.data.encoding import EncodedSplit
from nas.data.minimal_pairs import EncodedPairs
from nas.data.tokenizer import MASK
from nas.training.device import autocast

# Masked copies have no activations kept, so that a batch may have this many tokens.
BATCH_TOKENS = 16_384
# Sums of float32 in another order differ by less; a tie is half right.
_TIE = 1e-4


def pseudo_log_likelihoods(
    encoder: nn.Module,
    head: nn.Module,
    sentences: EncodedSplit,
    *,
    mask: int = MASK,
    precision: str = "fp32",
    batch_tokens: int = BATCH_TOKENS,
) -> np.ndarray:
    """Return the pseudo-log-likelihood of each sentence, in nats, `(n,)`.

    Sentences of one length are masked and read together, without padding; of each copy only the
    masked place goes through the head.

    Args:
        encoder: Called as `encoder(tokens, None, at=places)`, gives `(places, width)`.
        head: Turns these into logits, `(places, vocabulary)`.
        sentences: Each begins and ends with a special token, which are not scored.
        mask: Id of [MASK].
        precision: "fp32" or "bf16" (autocast).
        batch_tokens: Tokens of a batch at most; one longer copy still makes a batch.
    """
    device = next(encoder.parameters()).device
    encoder.eval()
    head.eval()
    lengths = np.diff(sentences.offsets)
    found = np.zeros(len(sentences))
    with torch.inference_mode(), autocast(precision, device):
        for length in np.unique(lengths):
            inside = int(length) - 2
            if inside < 1:
                continue
            rows = np.flatnonzero(lengths == length)
            starts = np.asarray(sentences.offsets)[rows]
            at_once = max(1, batch_tokens // int(length))
            for first in range(0, len(rows) * inside, at_once):
                copies = np.arange(first, min(first + at_once, len(rows) * inside))
                of, place = copies // inside, 1 + copies % inside
                tokens = sentences.tokens[starts[of][:, None] + np.arange(length)].astype(np.int64)
                here = np.arange(len(copies))
                targets = torch.from_numpy(tokens[here, place].copy()).to(device)
                tokens[here, place] = mask
                places = torch.from_numpy(here * int(length) + place).to(device)
                hidden = encoder(torch.from_numpy(tokens).to(device), None, at=places)
                sure = torch.log_softmax(head(hidden).float(), -1)
                values = sure.gather(1, targets[:, None])[:, 0].double().cpu().numpy()
                np.add.at(found, rows[of], values)
    return found


def preferred(likelihoods: np.ndarray) -> np.ndarray:
    """Return 1 for each pair whose first sentence is likelier, 0.5 for a tie, else 0, `(pairs,)`.

    Args:
        likelihoods: Good and bad sentences in turn, `(2 pairs,)`.
    """
    difference = likelihoods[::2] - likelihoods[1::2]
    return np.where(np.abs(difference) < _TIE, 0.5, difference > 0)


def pair_hits(
    encoder: nn.Module, head: nn.Module, pairs: EncodedPairs, *, mask: int = MASK, **options: object
) -> list[np.ndarray]:
    """Return for each file which of its pairs a model gets right, as `preferred` says."""
    hits = preferred(pseudo_log_likelihoods(encoder, head, pairs.sentences, mask=mask, **options))
    files = pairs.sentences.labels[::2].astype(int)
    return [hits[files == number] for number in range(len(pairs.names))]


def pair_accuracy(
    encoder: nn.Module, head: nn.Module, pairs: EncodedPairs, **options: object
) -> float:
    """Return the mean over files of the share of pairs that a model gets right."""
    return float(np.mean([hits.mean() for hits in pair_hits(encoder, head, pairs, **options)]))
