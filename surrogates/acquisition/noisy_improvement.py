"""BoTorch's noisy expected improvement, of a value or of a hypervolume, over one-hot rows.

Source: Daulton, Balandat, Bakshy, "Parallel Bayesian Optimization of Multiple Noisy Objectives with
Expected Hypervolume Improvement", NeurIPS 2021; Ament, Daulton, Eriksson, Balandat, Bakshy,
"Unexpected Improvements to Expected Improvement for Bayesian Optimization", NeurIPS 2023 (the
logarithms); Letham, Karrer, Ottoni, Bakshy, "Constrained Bayesian Optimization with Noisy
Experiments", Bayesian Analysis 2019 (one value).
"""

import warnings
from collections.abc import Sequence
from functools import cached_property

import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.acquisition.multi_objective.utils import prune_inferior_points_multi_objective
from botorch.acquisition.objective import GenericMCObjective
from botorch.acquisition.utils import prune_inferior_points
from botorch.models import ModelListGP
from botorch.models.deterministic import GenericDeterministicModel
from botorch.models.model import Model, ModelList
from botorch.models.transforms.input import FilterFeatures
from botorch.sampling import IIDNormalSampler, ListSampler, SobolQMCNormalSampler
from botorch.sampling.base import MCSampler
from botorch.sampling.index_sampler import IndexSampler
from botorch.utils.sampling import manual_seed
from torch import Tensor

from surrogates.models.botorch_gp import fitted_gp
from surrogates.models.compilation import never_compile

SAMPLES, PRUNING = 32, 128  # for the gain, and for what of the told points may be the best
CHUNK = 256  # candidates scored at once
BELOW = 0.1  # of the told range: how far the reference point lies below the worst


class NoisyImprovement:
    """Fitted processes and the acquisition over them; larger is better in every objective.

    Args:
        rows: One-hot rows and then the exact objectives, `(n, columns + exact)`, float64.
        values: Told values of every objective, roughly standard normal, `(n, objectives)`.
        exact: For each objective the column of `rows` that holds it, or None where it is modelled.
        slacks: What constrained metrics lie above their bounds, scaled, `(n, constraints)`.
        seed: For the samples.
    """

    def __init__(
        self,
        rows: Tensor,
        values: Tensor,
        exact: Sequence[int | None],
        slacks: Tensor,
        seed: int,
    ):
        self._rows, self._values, self._exact, self._seed = rows, values, list(exact), seed
        count = sum(column is not None for column in exact)
        inputs = torch.arange(rows.shape[1] - count)
        self.models: list[Model] = []
        for column, target in zip(self._exact, values.T, strict=True):
            self.models.append(
                fitted_gp(rows, target, input_transform=FilterFeatures(inputs))
                if column is None
                else GenericDeterministicModel(lambda X, column=column: X[..., [column]])
            )
        for slack in slacks.T:
            self.models.append(fitted_gp(rows, slack, input_transform=FilterFeatures(inputs)))

    def choose(self, candidates: Tensor, pending: Tensor, n: int) -> list[tuple[int, float]]:
        """Return positions of `n` candidates and the logarithm of the gain each promises.

        One after the other, each given the ones before.

        Args:
            candidates: Rows, `(m, columns + exact)`.
            pending: Rows under evaluation, `(p, columns + exact)`.
            n: At most `m`.
        """
        left, chosen = list(range(len(candidates))), []
        for _ in range(n):
            gains = self.log_gain(candidates[left], pending)
            best = int(gains.argmax())
            chosen.append((left[best], float(gains[best])))
            pending = torch.cat([pending, candidates[[left.pop(best)]]])
        return chosen

    def log_gain(self, candidates: Tensor, pending: Tensor) -> Tensor:
        """Return the logarithm of the expected improvement of each candidate alone, `(m,)`."""
        # pruning the baseline draws samples of its own
        with manual_seed(self._seed), warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # on numerics: nothing a user could act on
            acquisition = self._acquisition(pending if len(pending) else None)
            parts = [acquisition(chunk[:, None]) for chunk in candidates.split(CHUNK)]
        return torch.cat(parts)

    def _acquisition(self, pending: Tensor | None):
        settings = {
            "X_baseline": self._baseline,
            "sampler": self._sampler(),
            "objective": self._objective,
            "X_pending": pending,
            "prune_baseline": False,
            "cache_root": not any(c is not None for c in self._exact),
            "constraints": self._constraints,
        }
        if len(self._exact) == 1:
            return qLogNoisyExpectedImprovement(self._model(), **settings)
        reference = self.reference().tolist()
        never_compile()
        return qLogNoisyExpectedHypervolumeImprovement(self._model(), reference, **settings)

    @cached_property
    def _baseline(self) -> Tensor:
        """What was told without rows that are hardly ever among the best, `(k, columns)`."""
        settings = {
            "objective": self._objective,
            "constraints": self._constraints,
            "num_samples": PRUNING,
        }
        if len(self._exact) == 1:
            kept = prune_inferior_points(self._model(), self._rows, **settings)
        else:
            kept = prune_inferior_points_multi_objective(
                self._model(), self._rows, self.reference(), **settings
            )
        return kept if len(kept) else self._rows

    @cached_property
    def _objective(self):
        if len(self._exact) == 1:
            return GenericMCObjective(lambda samples, X=None: samples[..., 0])
        return IdentityMCMultiOutputObjective(outcomes=list(range(len(self._exact))))

    @cached_property
    def _constraints(self):
        first, last = len(self._exact), len(self.models)
        return [lambda samples, j=j: samples[..., j] for j in range(first, last)] or None

    def reference(self) -> Tensor:
        """Return the point from which hypervolume is measured, `(objectives,)`."""
        worst, best = self._values.amin(dim=0), self._values.amax(dim=0)
        return worst - BELOW * (best - worst)

    def _model(self) -> Model:
        if any(column is not None for column in self._exact):
            return ModelList(*self.models)
        return ModelListGP(*self.models) if len(self.models) > 1 else self.models[0]

    def _sampler(self) -> MCSampler:
        shape, seed = torch.Size([SAMPLES]), self._seed
        if all(column is None for column in self._exact):
            return SobolQMCNormalSampler(shape, seed=seed)
        # Sobol points of samplers side by side would be correlated
        modelled = sum(not isinstance(m, GenericDeterministicModel) for m in self.models)
        normal = SobolQMCNormalSampler if modelled == 1 else IIDNormalSampler
        return ListSampler(
            *(
                IndexSampler(shape, seed=seed)
                if isinstance(model, GenericDeterministicModel)
                else normal(shape, seed=seed + i)
                for i, model in enumerate(self.models)
            )
        )
