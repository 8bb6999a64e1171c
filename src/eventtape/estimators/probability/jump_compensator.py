r"""Which drift keeps a probability a martingale when its probit jumps?

U = Phi^-1(B) jumps by z, at intensity lambda, from wherever it stands; z has the mixture law of
kinds k, each with its own intensity, N(m_k, s_k^2) (s_k = 0: one size). Then

    E Phi(U + z) = sum_k lambda_k / lambda Phi((U + m_k) / sqrt(1 + s_k^2)),

and E dB = 0 asks for the drift, with raw jumps,

    dU = [1/2 nu^2 U - sum_k lambda_k (E Phi(U + z_k) - Phi(U)) / phi(U)] dt + nu dW + z dN.

Written with jumps that are compensated in U, z (dN - lambda dt), there remains

    - sum_k lambda_k [(E Phi(U + z_k) - Phi(U)) / phi(U) - m_k] dt:

a jump without mean in U has one in B, as Phi is curved. Leaving that term out gives B the drift
``lambda (E Phi(U + z) - Phi(U) - phi(U) m)``: -0.0576 a jump of one probit from B = 1/2.

A jump whose size in probits does not shrink near certainty is a violent thing there: from B = 1e-6
one probit up multiplies B by 47, and the drift that pays for it takes B to 0 within a finite
time, without a revealing clock, with E B unharmed. Where information merely comes in lumps, a
clock that jumps (:class:`~eventtape.estimators.probability.clocks.PiecewiseClock`) is the milder
model: its lumps need no compensator.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from eventtape.arrays import FloatArray
from eventtape.errors import InputError

__all__ = ["Jumps", "compensator", "jump_drift", "jump_law", "jumped_mean"]


class Jumps(NamedTuple):
    """Kinds of jumps of U, arrays ``(k,)``: intensity a unit of time, mean and sd of the size."""

    intensity: FloatArray
    mean: FloatArray
    sd: FloatArray


def jump_law(intensity: ArrayLike, mean: ArrayLike, sd: ArrayLike = 0.0) -> Jumps:
    """Kinds of jumps, checked: normal sizes, or with ``sd`` 0 a table of sizes.

    Two sizes, each as often: ``jump_law([1.0, 1.0], [0.5, -0.5])``; a normal law:
    ``jump_law(2.0, 0.0, 0.3)``.
    """
    parts = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, np.float64)) for x in (intensity, mean, sd))
    )
    rate, m, s = (np.array(x) for x in parts)
    if rate.ndim != 1:
        raise InputError("intensities, means and sds of shape (k,)", met=rate.shape)
    for name, x, low in (("intensity", rate, 0.0), ("mean", m, -math.inf), ("sd", s, 0.0)):
        bad = np.flatnonzero(~(np.isfinite(x) & (x >= low)))
        if bad.size:
            wanted = "a finite number" if low < 0.0 else "a finite number of 0 or more"
            row = int(bad[0])
            raise InputError(wanted, met=float(x[row]), row=row + 1, column=name)
    return Jumps(rate, m, s)


def jumped_mean(probit: ArrayLike, jumps: Jumps) -> FloatArray:
    """E Phi(U + z) after one jump from U, elementwise, kinds in the share of their intensities."""
    u, (rate, m, s) = np.asarray(probit, np.float64), jumps
    total = rate.sum()
    if total == 0.0:
        return np.asarray(ndtr(u))
    return np.asarray(ndtr((u[..., None] + m) / np.sqrt(1.0 + s * s)) @ (rate / total))


def jump_drift(probit: ArrayLike, jumps: Jumps) -> FloatArray:
    """Drift of U a unit of time that goes with raw jumps: -lambda (E Phi(U + z) - Phi(U)) / phi(U).

    >>> float(jump_drift(0.0, jump_law(1.0, 1.0)).round(7))
    -0.8556244
    """
    u, (rate, m, s) = np.asarray(probit, np.float64), jumps
    # In the lower tail by symmetry: Phi(x) - Phi(u) = Phi(-u) - Phi(-x) keeps its digits there
    side = np.where(u > 0.0, -1.0, 1.0)
    after = ndtr(side[..., None] * (u[..., None] + m) / np.sqrt(1.0 + s * s))
    change = side * ((after - ndtr(side * u)[..., None]) @ rate)
    density = np.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(-change / density)


def compensator(probit: ArrayLike, jumps: Jumps) -> FloatArray:
    """Drift of U a unit of time beyond the raw jump mean: what z (dN - lambda dt) leaves to add.

    >>> round(float(-compensator(0.0, jump_law(1.0, 1.0)) * 0.3989422804014327), 10)  # without it
    -0.0575975343
    """
    return np.asarray(jump_drift(probit, jumps) + np.sum(jumps.intensity * jumps.mean))
