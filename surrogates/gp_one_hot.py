"""BoTorch's default Gaussian process over one-hot rows."""

from surrogates.model_policy import ModelPolicy
from surrogates.one_hot import OneHotRows, ToldColumns


def gp_one_hot(name, space, objectives, seed, constraints, options) -> ModelPolicy:
    """Build the policy registered as "gp-onehot"."""
    from surrogates.botorch_gp import BotorchGP

    rows = OneHotRows()
    return ModelPolicy(
        name, space, objectives, seed, constraints, options,
        make_model=lambda sign, features: BotorchGP(lambda told: ToldColumns(rows, told)),
    )  # fmt: skip
