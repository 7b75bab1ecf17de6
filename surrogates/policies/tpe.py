"""Tree-structured Parzen estimators, from Optuna: likelier among the good than among the rest.

With several objectives, the good are the first fronts (MO-TPE).

Source: Bergstra, Bardenet, Bengio, Kégl, "Algorithms for Hyper-Parameter Optimization", NIPS 2011;
Ozaki, Tanigaki, Watanabe, Onishi, "Multiobjective Tree-Structured Parzen Estimator for
Computationally Expensive Optimization Problems", GECCO 2020.
"""

from dataclasses import dataclass

from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.acquisition.results import Results
from surrogates.features.categories import Categories
from surrogates.features.decoding import Decoder
from surrogates.policy import Options, Policy

FAILED = 1e9  # more than any broken constraint


@dataclass(frozen=True)
class TPEOptions(Options):
    """Settings of TPE.

    Attributes:
        initial: Random choices before the estimators are asked; warm-start results count.
    """

    initial: int = 5


class TPE(Policy):
    """Optuna's sampler over the choices of an architecture, then the nearest unseen architecture.

    Every choice is estimated by itself. Pending architectures count as bad ones (constant liar),
    broken constraints and failures as the worst, partial results as `Record.lifted` makes of them.

    Raises:
        PolicyError: Optuna is not installed.
    """

    Options = TPEOptions

    def __init__(self, name, space, objectives, seed, constraints, options):
        super().__init__(name, space, objectives, seed, constraints, options)
        if not isinstance(self.options.initial, int) or self.options.initial < 1:
            raise PolicyError(
                f"The option initial is {self.options.initial!r}; give one proposal or more."
            )
        try:
            import optuna  # noqa: F401  (an extra, and slow to import)
        except ImportError as error:
            raise PolicyError(
                f"Policy {name!r} needs Optuna. Run: pip install 'encoder-nas[peers]'"
            ) from error
        self._categories = Categories(space)
        self._decoder = Decoder(space, self.allowed, self._categories)

    def _propose(self, n, rng) -> list[tuple[Architecture, dict]]:
        from surrogates.policies.optuna_study import Study

        study = Study(len(self.objectives), self.options.initial, int(rng.integers(2**31)))
        results = Results.of(self)
        for architecture, values, violation in zip(
            results.architectures, results.values, results.violations, strict=True
        ):
            study.add(self._categories.encode(architecture), values, min(violation, FAILED))
        for architecture in self.pending():
            study.add(self._categories.encode(architecture))
        reason = "initial" if len(results) < self.options.initial else "optimise"
        seen, proposals = self.seen(), []
        for _ in range(n):
            wanted = self._categories.build(study.pick)
            chosen = self._decoder.nearest(wanted, rng, seen)
            if chosen is None:
                break
            proposals.append((chosen, {"reason": reason}))
            seen.add(chosen.hash)
            study.add(self._categories.encode(chosen))
        return proposals
