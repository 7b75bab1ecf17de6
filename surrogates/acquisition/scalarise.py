"""Several objectives as one: weighted augmented Chebyshev distances to the ideal point.

Source: Knowles, "ParEGO", IEEE Transactions on Evolutionary Computation 2006.
"""

import numpy as np

AUGMENTATION = 0.05
FIRST_ALONE = 0.5


def random_weights(objectives: int, rng: np.random.Generator) -> np.ndarray:
    """Draw weights, `(objectives,)`: half of the time the first counts alone, else any mix.

    The first objective is what a user calls the best; uniform weights would spend most proposals
    of a small budget on the cheap end of the front.
    """
    if rng.random() < FIRST_ALONE:
        return np.eye(objectives)[0]
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
