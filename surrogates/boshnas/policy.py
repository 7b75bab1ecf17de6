"""Our BOSHNAS, the default policy.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023, for the idea: a surrogate that tells what it does not know from what is noise, asked
where its optimism is largest.
Differs on purpose: both uncertainties come from a Gaussian process over features of size and
content (epistemic: its posterior; aleatoric: its noise, which depends on size) instead of a student
network and a natural-parameter network, and every candidate is scored, in spaces that can be
listed, instead of climbing from a few points and decoding. The method's own ideas stay as options:
natural-parameter networks (`model="networks"`), with a student that tells what a teacher does not
know (`model="teacher-student"`), and the second-order search on the input (`input_search=True`).
They are off because they did not help where we measured. Three models are averaged, weighted by how
they foretell what is told: one believes that scores grow with size, one compares encoders place by
place, one counts the choices in which they differ; the last two expect nothing. Where scores follow
size the first is the better one; on a table where they do not, it alone loses to random search. A
proposal for a front follows one of the three, drawn by these weights. The other switches
are on by default though most of them help less than the noise of thirty seeds.
`experiments/ablation.py` takes them out one at a time. The published algorithm itself is
"boshnas-paper".
"""

from dataclasses import dataclass

import numpy as np

from search_spaces.errors import PolicyError
from surrogates.boshnas.feature_search import climbed_candidates
from surrogates.boshnas.kernels import SizeAndContent
from surrogates.boshnas.network_model import NetworkEnsemble
from surrogates.boshnas.place_kernel import PlaceByPlace
from surrogates.features.columns import Featurizer
from surrogates.features.places import PlaceFeatures
from surrogates.models.gaussian_process import SumKernelGP
from surrogates.models.model import Model
from surrogates.models.model_average import ModelAverage
from surrogates.models.warping import AUTO
from surrogates.policies.gp_hamming import Hamming, LayerCodes
from surrogates.policies.model_policy import LARGE, ModelOptions, ModelPolicy

ALLOWED = {
    "noise": ("by-size", "constant"),
    "model": ("average", "size", "places", "networks", "teacher-student"),
}
TREND = 0.6  # standard deviations of rank per standard deviation of mean size
# of the models of size, of places and of equal choices, before anything is told
ODDS = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class BoshnasOptions(ModelOptions):
    """Settings of our BOSHNAS; the defaults are what `experiments/ablation.py` favours.

    Attributes:
        noise: "by-size" (the logarithm of the noise variance is a line in the sizes) or "constant".
        trend: The model of size expects what is to be maximised to grow with size before anything
            is told.
        model: "average" of three Gaussian processes, "size" or "places" alone, "networks": an
            ensemble of natural-parameter networks, or "teacher-student": the same, doubting as a
            student has learned from a teacher with dropout.
        input_search: In spaces too big to list, also climb from the best told in the features, by
            second-order steps, and consider where that ends.
    """

    targets: str = AUTO
    design: str = LARGE
    noise: str = "by-size"
    trend: bool = True
    model: str = "average"
    input_search: bool = False


def boshnas(name, space, objectives, seed, constraints, options) -> ModelPolicy:
    """Build the policy registered as "boshnas".

    The Gaussian processes learn partial results with a bias and noise of their fidelity; the
    networks, as if they were full (`Record.lifted`).
    """
    fits: dict = {}  # what was learned of the same results before
    made: dict[str, PlaceFeatures | LayerCodes] = {}

    def make_model(sign: int, features: Featurizer) -> Model:
        chosen = policy.options.model
        if chosen in ("networks", "teacher-student"):
            return NetworkEnsemble(features, student=chosen == "teacher-student")
        if chosen == "size":
            return size_model(sign, features, policy.options, fits)
        if "places" not in made:
            made["places"] = PlaceFeatures(features)
        of_places = place_model(made["places"], policy.options, fits)
        if chosen == "places":
            return of_places
        if "codes" not in made:
            made["codes"] = LayerCodes.of(space)
        of_choices = SumKernelGP(made["codes"], Hamming(), fits=fits)
        of_size = size_model(sign, features, policy.options, fits)
        return ModelAverage([of_size, of_places, of_choices], ODDS)

    policy = ModelPolicy(
        name, space, objectives, seed, constraints, options, settings=BoshnasOptions,
        make_model=make_model,
        more_candidates=lambda *found: more_candidates(policy, *found),
    )  # fmt: skip
    for option, allowed in ALLOWED.items():
        value = getattr(policy.options, option)
        if value not in allowed:
            raise PolicyError(
                f"The option {option} is {value!r}; give one of {', '.join(allowed)}."
            )
    return policy


def size_model(
    sign: int, features: Featurizer, options: BoshnasOptions, fits: dict | None = None
) -> SumKernelGP:
    """Build the model of size and content of one metric.

    Before any result it expects a metric that is to be maximised to grow with size. What is to be
    minimised may be a latency, which grows, or a loss, which falls: a few results tell.
    """
    sizes = features.sizes

    def trend(rows: np.ndarray) -> np.ndarray:
        return TREND * rows[:, :sizes].mean(1)

    return SumKernelGP(
        features,
        SizeAndContent(sizes),
        trend=trend if options.trend and sign > 0 else None,
        noise_features=(lambda rows: rows[:, :sizes]) if options.noise == "by-size" else None,
        fits=fits,
    )


def place_model(places: PlaceFeatures, options: BoshnasOptions, fits: dict) -> SumKernelGP:
    """Build the model of places of one metric, which learns which attributes count."""
    sizes = places.sizes
    return SumKernelGP(
        places,
        PlaceByPlace(sizes, places.groups, attributes=places.attributes),
        noise_features=(lambda rows: rows[:, :sizes]) if options.noise == "by-size" else None,
        fits=fits,
    )


def more_candidates(policy: ModelPolicy, model: Model | None, best, drawn, rng) -> list:
    """Return where the input search ends, if the option asks for it and the model has a slope."""
    if not policy.options.input_search:
        return []
    if isinstance(model, ModelAverage):
        model = model.members[0]
    # the climb is in the features of the first model
    if not isinstance(getattr(model, "kernels", None), SizeAndContent):
        return []
    return climbed_candidates(model, policy.features, best, drawn, rng)
