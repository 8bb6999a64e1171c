r"""How noisy are a panel's quotes, and how long does the noise last? By restricted likelihood.

Errors of quotes, over the errors given, have in direction m (:mod:`.joint_kernel`) the covariance
in time::

    S_m = scale ((1 - a) I + a gamma_m(reach) R),      R = exp(-|t - s| / memory):

a share a stays for a while and bends neighbouring strikes together; gamma_m is the variance that
such a bend, correlated as exp(-\|du\| / reach), puts into direction m. A grid of (a, memory, reach)
is weighed by restricted likelihood (Patterson and Thompson 1971) at the fit, the scale solved for
at each point, and the covariances are averaged with those weights: noise that might be lasting is
not taken for news of the states.

Reference: Patterson and Thompson (1971), Biometrika 58.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray
from eventtape.estimators.states.joint_kernel import noise_inverses, restricted_likelihood

__all__ = ["Noise", "averaged_noise", "first_noise"]

REACHES = (0.05, 0.3, 1.0)  # standard deviations of log strike
_SHARES = (0.15, 0.45, 0.8)
_MEMORIES = (2.0, 8.0, 32.0)  # snapshots


class Noise(NamedTuple):
    """Variance of the quotes over the errors given, and what part of it lasts how long.

    ``inverse`` ``(M, T, T)``; ``memory`` in steps between snapshots, ``reach`` in standard
    deviations, both averages over what the data allow.
    """

    inverse: FloatArray
    scale: float
    share: float
    memory: float
    reach: float


def first_noise(times: FloatArray, gamma: FloatArray) -> Noise:
    """Where the search starts: a fifth of the variance lasts four steps."""
    inverse = np.empty((gamma.shape[1], times.size, times.size))
    noise_inverses(times, gamma[1], np.array([0.0, 0.2, 4.0]), inverse)
    return Noise(inverse, 1.0, 0.2, 4.0, REACHES[1])


def averaged_noise(
    times: FloatArray,
    gamma: FloatArray,
    data: tuple[FloatArray, ...],
    spot_weight: FloatArray,
    drift_weight: float,
    prior: FloatArray,
    solution: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    scale: float,
) -> Noise:
    """The noise, its covariances averaged over the grid; ``solution`` is (unknown, y, J, h)."""
    x, y, J, h = solution
    T, M = y.shape
    nodes = [(0.0, 1.0, 0)]
    nodes += [(a, m, r) for a in _SHARES for m in _MEMORIES for r in range(len(REACHES))]
    covariances = np.empty((len(nodes), M, T, T))
    values, scales = np.empty(len(nodes)), np.empty(len(nodes))
    inverse = np.empty((M, T, T))
    distance = np.abs(np.subtract.outer(times, times))
    for k, (a, memory, reach) in enumerate(nodes):
        log_scale = math.log(scale)
        hyper = np.array([log_scale, a, memory])
        log_det = noise_inverses(times, gamma[reach], hyper, inverse)
        value, left, used = restricted_likelihood(
            data, inverse, spot_weight, drift_weight, x, y, J, h, prior
        )
        moved = math.log(max(left, 1e-9) / max(M * T - used, 1.0))
        # What the scale's own likelihood gains by going from the scale held to its best
        value -= (M * T - used) * (math.expm1(moved) - moved)
        log_scale += moved
        values[k] = value + log_det
        scales[k] = math.exp(log_scale)
        R = np.exp(-distance / memory)
        own = (1.0 - a) * np.eye(T)
        covariances[k] = scales[k] * (own + a * gamma[reach][:, None, None] * R)
    weights = np.exp(-0.5 * (values - values.min()))
    weights /= weights.sum()
    averaged = np.einsum("k,kmts->mts", weights, covariances)
    named = np.array([(a, m, REACHES[r]) for a, m, r in nodes])
    share, lasts, bends = (weights @ named).tolist()
    return Noise(np.linalg.inv(averaged), float(weights @ scales), share, lasts, bends)
