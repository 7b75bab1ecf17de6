"""The kernels of our BOSHNAS: size first, then what the layers are made of, then both together."""

import numpy as np

from surrogates.models.gaussian_process import Kernels


class SizeAndContent(Kernels):
    """Five kernels over rows whose first `sizes` columns describe size, the rest content.

    A line in size; a smooth function of depth and width, for what a line misses; a line in content
    that holds everywhere; one that may differ between sizes; and a smooth function of content,
    alike for alike depth and width.

    Args:
        sizes: Number of size columns; depth and width come first.
    """

    weights = (1.0, 0.37, 0.14, 0.14, 0.14)

    def __init__(self, sizes: int):
        self._sizes = sizes

    def cross(self, a, b):
        size_a, size_b = a[:, : self._sizes], b[:, : self._sizes]
        content_a, content_b = a[:, self._sizes :], b[:, self._sizes :]
        line = size_a @ size_b.T / self._sizes
        contents = content_a @ content_b.T / content_a.shape[1]
        shape = _bell(size_a[:, :2], size_b[:, :2])
        return np.stack(
            [
                line,
                shape,
                contents,
                _bell(size_a, size_b) * contents,
                shape * _bell(content_a, content_b),
            ]
        )

    def weighted(self, weights, a, b):
        # the same sum as of `cross`, in place: most of the time of scoring many candidates
        size_a, size_b = a[:, : self._sizes], b[:, : self._sizes]
        content_a, content_b = a[:, self._sizes :], b[:, self._sizes :]
        contents = content_a @ content_b.T
        contents /= content_a.shape[1]
        shape = _bell(size_a[:, :2], size_b[:, :2])
        total = _bell(size_a, size_b)
        total *= weights[3]
        total += weights[2]
        total *= contents
        alike = _bell(content_a, content_b)
        alike *= weights[4]
        alike += weights[1]
        alike *= shape
        total += alike
        total += (weights[0] / self._sizes * size_a) @ size_b.T
        return total

    def weighted_in_torch(self, weights, a, b):
        """Return `weighted` of tensors, `(n, m)`, and of each row of `b` with itself, `(m,)`."""
        size_a, size_b = a[:, : self._sizes], b[:, : self._sizes]
        content_a, content_b = a[:, self._sizes :], b[:, self._sizes :]

        def bell(x, y):
            return (-0.5 * ((x[:, None] - y[None]) ** 2).mean(-1)).exp()

        contents = content_a @ content_b.T / content_a.shape[1]
        shape = bell(size_a[:, :2], size_b[:, :2])
        total = weights[0] / self._sizes * (size_a @ size_b.T) + weights[1] * shape
        total = total + (weights[2] + weights[3] * bell(size_a, size_b)) * contents
        total = total + weights[4] * shape * bell(content_a, content_b)
        own = weights[0] * (size_b**2).mean(1) + weights[1] + weights[4]
        return total, own + (weights[2] + weights[3]) * (content_b**2).mean(1)

    def diagonal(self, a):
        size, content = a[:, : self._sizes], a[:, self._sizes :]
        contents = (content**2).mean(1)
        ones = np.ones(len(a))
        return np.stack([(size**2).mean(1), ones, contents, contents, ones])


def _bell(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Gaussian kernel of length 1 in root-mean-square distance over the columns."""
    squares = a @ b.T
    squares *= -2
    squares += (a**2).sum(1)[:, None]
    squares += (b**2).sum(1)[None]
    np.maximum(squares, 0, out=squares)
    squares *= -0.5 / a.shape[1]
    return np.exp(squares, out=squares)
