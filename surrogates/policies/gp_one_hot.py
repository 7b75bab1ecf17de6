"""BoTorch's default Gaussian process over one-hot rows."""

from search_spaces.architectures.facts import Columns
from surrogates.features.one_hot import OneHotRows, ToldColumns
from surrogates.policies.model_policy import ModelPolicy


def gp_one_hot(name, space, objectives, seed, constraints, options) -> ModelPolicy:
    """Build the policy registered as "gp-onehot".

    Partial results are learned as if they were full; see `Record.lifted`.
    """
    from surrogates.models.botorch_gp import BotorchGP

    rows = OneHotRows(Columns.of(space))
    return ModelPolicy(
        name, space, objectives, seed, constraints, options,
        make_model=lambda sign, features: BotorchGP(lambda told: ToldColumns(rows, told)),
    )  # fmt: skip
