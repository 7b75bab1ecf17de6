"""An Optuna study made anew from a record, without the copies of Optuna's own storage.

Optuna copies every trial it is given, which for a few hundred trials of a deep space takes longer
than sampling from them; here the storage is a list.
"""

from collections.abc import Sequence

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial


class Study:
    """Finished and running trials over categorical choices, and a TPE sampler that reads them.

    Args:
        objectives: How many; larger is better in each.
        startup: Finished trials before which choices are random.
        seed: Of the sampler.
    """

    def __init__(self, objectives: int, startup: int, seed: int):
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every new study
        self._storage = _ListStorage()
        self._study = optuna.create_study(
            storage=self._storage, directions=["maximize"] * objectives
        )
        optuna.logging.set_verbosity(level)
        self._sampler = optuna.samplers.TPESampler(
            n_startup_trials=startup, multivariate=False, constant_liar=True, seed=seed
        )

    def add(
        self,
        choices: dict[str, tuple[int, int]],
        values: Sequence[float] | None = None,
        violation: float = 0.0,
    ) -> None:
        """Add a trial.

        Args:
            choices: Name to number and count of options.
            values: One for each objective; None for a running trial.
            violation: By how much it breaks constraints; more than 0 ranks it below all others.
        """
        trial = create_trial(
            state=TrialState.RUNNING if values is None else TrialState.COMPLETE,
            values=None if values is None else [float(v) for v in values],
            params={name: number for name, (number, _) in choices.items()},
            distributions={name: _options(count) for name, (_, count) in choices.items()},
            constraints={} if values is None else {"violation": float(violation)},
        )
        trial.number = len(self._storage.trials)
        self._storage.trials.append(trial)

    def pick(self, choice: object, options: tuple) -> object:
        """Return the option that the sampler picks for `choice`."""
        if len(options) == 1:
            return options[0]
        asked = create_trial(state=TrialState.RUNNING)
        asked.number = len(self._storage.trials)
        distribution = _options(len(options))
        return options[
            self._sampler.sample_independent(self._study, asked, str(choice), distribution)
        ]


class _ListStorage(optuna.storages.InMemoryStorage):
    """Gives the trials of a list; whether they may be changed does not matter to samplers."""

    def __init__(self):
        super().__init__()
        self.trials: list[FrozenTrial] = []

    def get_all_trials(self, study_id, deepcopy=True, states=None):  # noqa: FBT002
        return [t for t in self.trials if states is None or t.state in states]


_DISTRIBUTIONS: dict[int, CategoricalDistribution] = {}


def _options(count: int) -> CategoricalDistribution:
    if count not in _DISTRIBUTIONS:
        _DISTRIBUTIONS[count] = CategoricalDistribution(range(count))
    return _DISTRIBUTIONS[count]
