"""Steps of one row at a time through the networks of the published BOSHNAS, compiled.

Thousands of steps of batch 1 cost a fraction of a second this way, where a tensor library takes
most of it to get from one call to the next. Gradients are written out; the tests hold them against
automatic ones. Weights are one vector, in the order of `torch`'s `parameters_to_vector`.
"""

import math

import numpy as np

from search_spaces.distances.alignment_kernels import compiled
from surrogates.boshnas.npn import ALPHA, BETA, FLOOR

BETAS, EPSILON, DECAY = (0.9, 0.999), 1e-8, 0.01  # of AdamW, as torch has them
SLOPE = math.sqrt(8 / math.pi)


@compiled
def adamw_step(weights, gradient, first, second, count, rate):
    """Move `weights` by one step, in place, with the moments `first` and `second`."""
    down = 1.0 - rate * DECAY
    lean = 1.0 - BETAS[0] ** count
    wide = math.sqrt(1.0 - BETAS[1] ** count)
    for i in range(len(weights)):
        g = gradient[i]
        first[i] = BETAS[0] * first[i] + (1.0 - BETAS[0]) * g
        second[i] = BETAS[1] * second[i] + (1.0 - BETAS[1]) * g * g
        deep = math.sqrt(second[i]) / wide + EPSILON
        weights[i] = weights[i] * down - rate / lean * first[i] / deep


@compiled
def perceptron_steps(weights, moments, count, widths, rows, targets, order, keep, rate, adaptive):
    """Fit a perceptron with softplus and a logistic end to squared errors, a row at a time.

    Args:
        weights: Of its layers, each `(out, in)` and its biases behind it; changed in place.
        moments: Of AdamW, `(2, len(weights))`; changed in place, left alone by plain descent.
        count: Steps that were made before.
        widths: Of its inputs, hidden layers and output.
        rows: `(n, inputs)`.
        targets: `(n,)`.
        order: Row of each step.
        keep: What each hidden unit is multiplied by at each step, `(steps, units)`.
        rate: Learning rate.
        adaptive: AdamW, else plain gradient descent.
    """
    layers = len(widths) - 1
    starts = np.zeros(layers + 1, np.int64)
    for k in range(layers):
        starts[k + 1] = starts[k] + widths[k]
    values = np.zeros(starts[layers] + widths[layers])
    slopes = np.zeros_like(values)  # derivative of what a unit gives by what it is given
    back = np.zeros_like(values)  # of the loss by what a unit is given
    gradient = np.zeros_like(weights)
    for step in range(len(order)):
        row = order[step]
        for i in range(widths[0]):
            values[i] = rows[row, i]
        at, unit = 0, 0
        for k in range(layers):
            a, b = widths[k], widths[k + 1]
            here, there = starts[k], starts[k + 1]
            for j in range(b):
                total = weights[at + a * b + j]
                for i in range(a):
                    total += weights[at + j * a + i] * values[here + i]
                if k < layers - 1:
                    kept = keep[step, unit]
                    unit += 1
                    soft = max(total, 0.0) + math.log1p(math.exp(-abs(total)))
                    values[there + j] = soft * kept
                    slopes[there + j] = kept / (1.0 + math.exp(-total))
                else:
                    end = 1.0 / (1.0 + math.exp(-total))
                    values[there + j] = end
                    slopes[there + j] = end * (1.0 - end)
            at += a * b + b
        last = starts[layers]
        back[last] = 2.0 * (values[last] - targets[row]) * slopes[last]
        for k in range(layers - 1, -1, -1):
            a, b = widths[k], widths[k + 1]
            here, there = starts[k], starts[k + 1]
            at -= a * b + b
            for i in range(a):
                back[here + i] = 0.0
            for j in range(b):
                pushed = back[there + j]
                gradient[at + a * b + j] = pushed
                for i in range(a):
                    gradient[at + j * a + i] = pushed * values[here + i]
                    back[here + i] += pushed * weights[at + j * a + i]
            if k > 0:
                for i in range(a):
                    back[here + i] *= slopes[here + i]
        if adaptive:
            adamw_step(weights, gradient, moments[0], moments[1], count + step + 1, rate)
        else:
            for i in range(len(weights)):
                weights[i] -= rate * gradient[i]


@compiled
def relu_moments(m, s):
    """Return mean and variance of max(0, x), and their derivatives by `m` and by `s`."""
    spread = math.sqrt(s)
    p = 1.0 / (1.0 + math.exp(-SLOPE * m / spread))
    e = spread / math.sqrt(2 * math.pi) * math.exp(-0.5 * m * m / s)
    p_m = p * (1.0 - p) * SLOPE / spread
    p_s = -0.5 * p * (1.0 - p) * SLOPE * m / (s * spread)
    e_m = -m / s * e
    e_s = e * (0.5 / s + 0.5 * m * m / (s * s))
    first, f_m, f_s = p * m + e, p + m * p_m + e_m, m * p_s + e_s
    second = p * (m * m + s) + m * e
    variance = second - first * first
    if variance < FLOOR:
        return first, FLOOR, f_m, f_s, 0.0, 0.0
    v_m = p_m * (m * m + s) + 2.0 * p * m + e + m * e_m - 2.0 * first * f_m
    v_s = p_s * (m * m + s) + p + m * e_s - 2.0 * first * f_s
    return first, variance, f_m, f_s, v_m, v_s


@compiled
def sigmoid_moments(m, s):
    """Return mean and variance of the logistic function of x, and derivatives by `m` and `s`."""
    q = 1.0 / math.sqrt(1.0 + math.pi / 8 * s)
    first = 1.0 / (1.0 + math.exp(-m * q))
    f_m = first * (1.0 - first) * q
    f_s = first * (1.0 - first) * m * (-math.pi / 16) * q**3
    r = math.sqrt(1.0 + math.pi / 8 * ALPHA**2 * s)
    second = 1.0 / (1.0 + math.exp(-ALPHA * (m + BETA) / r))
    variance = second - first * first
    if variance < FLOOR:
        return first, FLOOR, f_m, f_s, 0.0, 0.0
    inner = second * (1.0 - second)
    v_m = inner * ALPHA / r - 2.0 * first * f_m
    v_s = -inner * ALPHA * (m + BETA) * math.pi * ALPHA**2 / (16.0 * r**3) - 2.0 * first * f_s
    return first, variance, f_m, f_s, v_m, v_s


@compiled
def natural_parameter_steps(weights, moments, count, widths, rows, targets, order, rate, weight):
    """Fit a natural-parameter network to the published loss by AdamW, a row at a time.

    Args:
        weights: Of its layers, each means `(in, out)`, raw variances `(in, out)`, means and raw
            variances of the biases; changed in place.
        moments: Of AdamW, `(2, len(weights))`; changed in place.
        count: Steps that were made before.
        widths: Of its inputs, hidden layers and output.
        rows: `(n, inputs)`.
        targets: `(n,)`.
        order: Row of each step.
        rate: Learning rate.
        weight: Of the squared error, see `gaussian_loss`.
    """
    layers = len(widths) - 1
    starts = np.zeros(layers + 1, np.int64)
    for k in range(layers):
        starts[k + 1] = starts[k] + widths[k]
    size = starts[layers] + widths[layers]
    mean, variance = np.zeros(size), np.zeros(size)
    by = np.zeros((4, size))  # derivatives: mean by mean, mean by variance, variance by both
    back_m, back_s = np.zeros(size), np.zeros(size)
    gradient, doubt = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(len(order)):
        row = order[step]
        for i in range(widths[0]):
            mean[i], variance[i] = rows[row, i], 0.0
        at = 0
        for k in range(layers):
            a, b = widths[k], widths[k + 1]
            here, there = starts[k], starts[k + 1]
            raw = at + a * b
            bias = raw + a * b
            for i in range(raw, raw + a * b):
                doubt[i] = max(weights[i], 0.0) + math.log1p(math.exp(-abs(weights[i])))
            for j in range(b):
                last = weights[bias + b + j]
                m = weights[bias + j]
                s = max(last, 0.0) + math.log1p(math.exp(-abs(last)))
                for i in range(a):
                    w, d = weights[at + i * b + j], doubt[raw + i * b + j]
                    x, y = mean[here + i], variance[here + i]
                    m += x * w
                    s += y * (d + w * w) + x * x * d
                if k < layers - 1:
                    found = relu_moments(m, s)
                else:
                    found = sigmoid_moments(m, s)
                mean[there + j], variance[there + j] = found[0], found[1]
                by[0, there + j], by[1, there + j] = found[2], found[3]
                by[2, there + j], by[3, there + j] = found[4], found[5]
            at = bias + 2 * b
        last = starts[layers]
        off, s = mean[last] - targets[row], variance[last]
        back_m[last] = weight * off / s
        back_s[last] = 0.5 * (1.0 / s - weight * off * off / (s * s))
        for k in range(layers - 1, -1, -1):
            a, b = widths[k], widths[k + 1]
            here, there = starts[k], starts[k + 1]
            at -= 2 * a * b + 2 * b
            raw = at + a * b
            bias = raw + a * b
            for i in range(a):
                back_m[here + i] = back_s[here + i] = 0.0
            for j in range(b):
                m, s = back_m[there + j], back_s[there + j]
                to_m = m * by[0, there + j] + s * by[2, there + j]
                to_s = m * by[1, there + j] + s * by[3, there + j]
                gradient[bias + j] = to_m
                gradient[bias + b + j] = to_s / (1.0 + math.exp(-weights[bias + b + j]))
                for i in range(a):
                    spot = i * b + j
                    w, d = weights[at + spot], doubt[raw + spot]
                    x, y = mean[here + i], variance[here + i]
                    gradient[at + spot] = x * to_m + 2.0 * w * y * to_s
                    gradient[raw + spot] = (
                        (y + x * x) * to_s / (1.0 + math.exp(-weights[raw + spot]))
                    )
                    back_m[here + i] += to_m * w + 2.0 * x * d * to_s
                    back_s[here + i] += to_s * (d + w * w)
        adamw_step(weights, gradient, moments[0], moments[1], count + step + 1, rate)
