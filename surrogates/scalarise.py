"""Several objectives as one: weighted augmented Chebyshev distances to the ideal point.

Source: Knowles, "ParEGO", IEEE Transactions on Evolutionary Computation 2006.
"""

import numpy as np

AUGMENTATION = 0.05


def random_weights(objectives: int, rng: np.random.Generator) -> np.ndarray:
    """Draw weights uniformly from the simplex, `(objectives,)`."""
    return rng.dirichlet(np.ones(objectives))


def chebyshev(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return one number per row, larger is better, at most 0 for the ideal point.

    Args:
        values: Larger is better, scaled so that 1 is the best known and 0 the worst,
            `(..., objectives)`.
        weights: Non-negative, `(objectives,)`.
    """
    losses = weights * (1 - values)
    return -(losses.max(-1) + AUGMENTATION * losses.sum(-1))
