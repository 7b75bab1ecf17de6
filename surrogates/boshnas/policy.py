"""Our BOSHNAS, the default policy.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023, for the idea: a surrogate that tells what it does not know from what is noise, asked
where its optimism is largest.
Differs on purpose: both uncertainties come from a Gaussian process over features of size and
content (epistemic: its posterior; aleatoric: its noise) instead of a student network and a
natural-parameter network, and every candidate is scored, in spaces that can be listed, instead of
climbing from a few points and decoding. With the few dozen results of a search the networks of the
published algorithm do not learn; it is kept as "boshnas-paper", and `experiments/README.md` has
both beside random search.
"""

import numpy as np

from surrogates.boshnas.kernels import SizeAndContent
from surrogates.features import Featurizer
from surrogates.gaussian_process import SumKernelGP
from surrogates.model import Model
from surrogates.model_policy import ModelPolicy

TREND = 0.6  # standard deviations of rank per standard deviation of mean size


def boshnas(name, space, objectives, seed, constraints, options) -> ModelPolicy:
    """Build the policy registered as "boshnas"."""
    return ModelPolicy(name, space, objectives, seed, constraints, options, make_model=make_model)


def make_model(sign: int, features: Featurizer) -> Model:
    """Build the model of one metric.

    Before any result it expects the raw metric to grow with size: true of scores, latency, memory
    and energy; a metric that falls with size, such as a loss, unlearns it in a few results.
    """
    sizes = features.sizes

    def trend(rows: np.ndarray) -> np.ndarray:
        return sign * TREND * rows[:, :sizes].mean(1)

    return SumKernelGP(features, SizeAndContent(sizes), trend=trend)
