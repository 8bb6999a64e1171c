r"""What is a holding of event contracts worth to someone who minds risk, and how much is to come?

The probability is a martingale B = Phi(U) with dU = nu^2 U dt / 2 + nu dW. Over information
L = int nu^2 dt, U_T ~ N(e^{L/2} U, e^L - 1), and what is left to come of B is

    V = Phi2(U, U; 1 - e^{-L}) - B^2,

between 0 and B(1-B). A filtered U ~ N(m, P) is the same law with B = Phi(m / sqrt(1+P)) and P
turned into information, L + log(1 + P): U_T is normal either way, with the same mean and variance.

With exponential utility of aversion g, q contracts held to the horizon are worth

    CE(q) = -(1/g) log E exp(-g q B_T)   ( = -(1/g) log(B e^{-g q} + 1 - B) held to settlement),

q B - g q^2 V / 2 to first order in g.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.probability.probit_martingale import probability_variance

__all__ = ["event_value", "remaining_variance"]

NODES = 12
FAR = 9.0  # standard deviations beyond which a normal weighs nothing in double precision


def remaining_variance(
    probability: ArrayLike, information: ArrayLike, *, filter_variance: ArrayLike = 0.0
) -> FloatArray:
    """Variance of the probability at the horizon, between 0 and B(1-B); arguments broadcast.

    ``information`` is L, infinite where the horizon reveals the outcome; ``filter_variance`` is P,
    the variance of U given what was seen, with ``probability`` its mean of B.

    >>> round(float(remaining_variance(0.5, 1.0)), 10)
    0.1089076316
    """
    B, L = _belief(probability, information, filter_variance)
    return probability_variance(B, L)


def event_value(
    inventory: ArrayLike,
    probability: ArrayLike,
    *,
    aversion: float,
    information: ArrayLike = math.inf,
    filter_variance: ArrayLike = 0.0,
) -> FloatArray:
    """Certainty equivalent of contracts held to the horizon, in money; arguments broadcast.

    -(1/g) log E exp(-g q B_T): below q B by the charge for risk, q B as the aversion goes to 0.

    >>> round(float(event_value(1.0, 0.5, aversion=1.0)), 6)
    0.379885
    """
    if not aversion > 0.0:
        raise InputError("an aversion above 0", met=aversion)
    B, L = _belief(probability, information, filter_variance)
    q, B, L = np.broadcast_arrays(np.asarray(inventory, np.float64), B, L)
    t = -aversion * q
    sure = np.isposinf(L)
    out = np.empty(q.shape)
    out[sure] = _log_mean(t[sure], B[sure])
    if not sure.all():
        out[~sure] = _log_mean_on_the_way(t[~sure], B[~sure], L[~sure])
    return out / -aversion


def _log_mean(t: FloatArray, B: FloatArray) -> FloatArray:
    """Logarithm of B e^t + 1 - B without overflow."""
    down = np.log1p(B * np.expm1(np.minimum(t, 0.0)))
    up = np.maximum(t, 0.0) + np.log1p((1.0 - B) * np.expm1(-np.maximum(t, 0.0)))
    return np.asarray(np.where(t > 0.0, up, down))


def _log_mean_on_the_way(t: FloatArray, B: FloatArray, L: FloatArray) -> FloatArray:
    """Logarithm of E exp(t B_T) of each element ``(n,)``, L finite."""
    b, w = _law(B, L, t)
    w /= w.sum(axis=1, keepdims=True)
    # About the points' own mean, so that their rounding meets t^2 and not t.
    y = t[:, None] * (b - np.sum(w * b, axis=1, keepdims=True))
    top = y.max(axis=1)
    small = np.log1p(np.sum(w * np.expm1(np.minimum(y, 1.0)), axis=1))
    large = top + np.log(np.sum(w * np.exp(y - top[:, None]), axis=1))
    shift = np.where(top > 1.0, np.sum(w * b, axis=1), B)
    return np.asarray(t * shift + np.where(top > 1.0, large, small))


def _law(B: FloatArray, L: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points of B_T and their weights ``(n, n_points)``: Gauss in panels of U, two lumps beyond.

    The range is that of exp(t B_T) times the density, which the factor moves by at most
    |t| phi(0) standard deviations of U; beyond |U| = 9 B_T is 0 or 1.
    """
    mean = np.exp(np.minimum(0.5 * L, 300.0)) * ndtri(B)
    sd = np.maximum(np.sqrt(np.expm1(np.minimum(L, 600.0))), 1e-150)
    moved = 0.4 * t * sd
    low = np.clip(mean - (FAR - np.minimum(moved, 0.0)) * sd, -FAR, FAR)
    high = np.clip(mean + (FAR + np.maximum(moved, 0.0)) * sd, -FAR, FAR)
    panels = math.ceil(float(np.max((high - low) / np.minimum(sd, 1.0), initial=1.0)))
    x, w = np.polynomial.legendre.leggauss(NODES)
    place = (np.arange(panels)[:, None] + 0.5 * (x + 1.0)).ravel() / panels
    width = (high - low)[:, None]
    u = low[:, None] + width * place
    z = (u - mean[:, None]) / sd[:, None]
    density = np.exp(-0.5 * z**2) / (math.sqrt(2.0 * math.pi) * sd[:, None])
    weight = density * width * np.tile(0.5 * w, panels) / panels
    below, above = ndtr((low - mean) / sd), ndtr((mean - high) / sd)
    still = sd < 1e-12  # no information left: B stays where it is
    weight[still] = 0.0
    below[still] = above[still] = 0.5
    points = np.column_stack([ndtr(u), ndtr(low), ndtr(high)])
    return points, np.column_stack([weight, below, above])


def _belief(
    probability: ArrayLike, information: ArrayLike, filter_variance: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Probability and information with P turned into information; checked, broadcast."""
    B, L, P = (np.asarray(v, np.float64) for v in (probability, information, filter_variance))
    if not np.all((B > 0.0) & (B < 1.0)):
        raise InputError("a probability inside (0, 1)", met=probability)
    if not (np.all(L >= 0.0) and np.all(P >= 0.0)):
        met = (information, filter_variance)
        raise InputError("information and a filter variance of 0 or more", met=met)
    B, L = np.broadcast_arrays(B, L + np.log1p(P))
    return B, L
