"""Several found models as one. Importing this package registers each module below."""

from nas.ensembles.bandit import Bandit  # bandit
from nas.ensembles.base import ENSEMBLES, Answers, Ensemble
from nas.ensembles.stacked import Stacked  # stacked
from nas.ensembles.weighted import Weighted  # weighted

__all__ = ["ENSEMBLES", "Answers", "Bandit", "Ensemble", "Stacked", "Weighted"]
