r"""Gatheral's SVI smile: its fit, its density, and where it admits arbitrage.

Total implied variance w = IV^2 tau at k = log(K/F) is a hyperbola (raw parameters, Gatheral 2004)::

    w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)),     b >= 0, |rho| <= 1, sigma > 0.

The density it implies per unit of strike is, with d2 = -k/sqrt(w) - sqrt(w)/2
(Gatheral and Jacquier 2014),

    f(K) = g(k) exp(-d2^2/2) / (K sqrt(2 pi w)),
    g(k) = (1 - k w'/(2w))^2 - w'^2/4 (1/w + 1/4) + w''/2,

so that g < 0 anywhere is a butterfly arbitrage, whatever the fit looks like; and g is negative far
out, or calls do not fall to nothing, unless the wings' slopes b (1 + \|rho\|) stay below 2. A smile
can pass the eye and fail here: Vogt's example has w > 0 throughout and g down to -0.033.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtr

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.terminal_law import check_strikes

__all__ = ["Butterfly", "Svi", "SviLaw", "svi_butterfly", "svi_smile"]

_REACH = 1e4  # widths sigma from m, and log strikes: there the limits hold
_ROOT_2PI = math.sqrt(2.0 * math.pi)


class Svi(NamedTuple):
    """The five raw parameters, of total variance over log(K/F)."""

    a: float
    b: float
    m: float
    rho: float
    sigma: float


class Butterfly(NamedTuple):
    """Whether the smile is a density's, and where not.

    - ``min_g``, ``at``: the lowest g and its log strike.
    - ``negative``: ``(n, 2)``, the stretches of log strike on which g < 0; an end may be infinite.
    - ``min_variance``: the lowest total variance. At or below 0 there is no g (NaN), and
      ``negative`` are the stretches of negative variance.
    - ``wing_slope``: b (1 + abs(rho)), the steeper wing; at most 2 (Lee 2004).
    - ``free``: none of the above fails.
    """

    min_g: float
    at: float
    negative: FloatArray
    min_variance: float
    wing_slope: float
    free: bool


class SviLaw(NamedTuple):
    """The law of the price at expiry that a smile implies; ``pdf`` is negative where g is."""

    params: Svi
    forward: float
    tau: float

    def pdf(self, strikes: ArrayLike) -> FloatArray:
        """Density per unit of strike, as the smile has it: its sign is not mended."""
        K = check_strikes(strikes)
        k = np.log(K / self.forward)
        w, _, _ = svi_smile(self.params, k)
        d2 = -k / np.sqrt(w) - 0.5 * np.sqrt(w)
        return np.asarray(
            _g(self.params, k) * np.exp(-0.5 * d2 * d2) / (K * _ROOT_2PI * np.sqrt(w))
        )

    def cdf(self, strikes: ArrayLike) -> FloatArray:
        """Probability at or below each strike: the slope of the put."""
        K = check_strikes(strikes)
        k = np.log(K / self.forward)
        w, slope, _ = svi_smile(self.params, k)
        d2 = -k / np.sqrt(w) - 0.5 * np.sqrt(w)
        return np.asarray(
            ndtr(-d2) + np.exp(-0.5 * d2 * d2) * slope / (2.0 * _ROOT_2PI * np.sqrt(w))
        )

    def call(self, strikes: ArrayLike) -> FloatArray:
        """Undiscounted call prices."""
        K, d2, sd = self._d2(strikes)
        return np.asarray(self.forward * ndtr(d2 + sd) - K * ndtr(d2))

    def put(self, strikes: ArrayLike) -> FloatArray:
        """Undiscounted put prices."""
        K, d2, sd = self._d2(strikes)
        return np.asarray(K * ndtr(-d2) - self.forward * ndtr(-d2 - sd))

    def vol(self, strikes: ArrayLike) -> FloatArray:
        """Implied volatility per square root of a year."""
        _, _, sd = self._d2(strikes)
        return np.asarray(sd / math.sqrt(self.tau))

    def _d2(self, strikes: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        K = check_strikes(strikes)
        k = np.log(K / self.forward)
        sd = np.sqrt(svi_smile(self.params, k)[0])
        return K, -k / sd - 0.5 * sd, sd


def svi_smile(params: Svi, log_strikes: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Total variance w and its first two derivatives at log(K/F)."""
    a, b, m, rho, sigma = params
    x = np.asarray(log_strikes, np.float64) - m
    root = np.hypot(x, sigma)
    return (
        np.asarray(a + b * (rho * x + root)),
        np.asarray(b * (rho + x / root)),
        np.asarray(b * sigma**2 / root**3),
    )


def svi_butterfly(params: Svi) -> Butterfly:
    """Where a smile admits butterfly arbitrage: stretches of g < 0, and the wings.

    g is taken at 8,001 log strikes, dense around m and out to 1e4 widths, and on (-10, 10); the
    lowest place and the ends of each stretch are then found to 1e-12.

    >>> vogt = Svi(-0.0410, 0.1331, 0.3586, 0.3060, 0.4153)
    >>> report = svi_butterfly(vogt)
    >>> report.free, round(report.min_g, 7), round(report.at, 5)
    (False, -0.0328636, 0.87926)
    """
    a, b, m, rho, sigma = params
    if not (b >= 0.0 and -1.0 <= rho <= 1.0 and sigma > 0.0 and np.isfinite(params).all()):
        raise InputError("finite parameters, b >= 0, |rho| <= 1, sigma > 0", met=tuple(params))
    lowest = a + b * sigma * math.sqrt(1.0 - rho * rho)
    steep = b * (1.0 + abs(rho))
    near = sigma * np.sinh(np.linspace(-math.asinh(_REACH), math.asinh(_REACH), 4001))
    k = np.unique(np.concatenate([m + near, np.linspace(-10.0, 10.0, 4001)]))
    if lowest <= 0.0:
        where = _below_zero(lambda x: svi_smile(params, x)[0], k)
        return Butterfly(math.nan, math.nan, where, lowest, steep, free=False)
    g = _g(params, k)
    i = int(np.argmin(g))
    span = (k[max(i - 1, 0)], k[min(i + 1, k.size - 1)])
    best = minimize_scalar(
        lambda x: float(_g(params, x)), bounds=span, method="bounded", options={"xatol": 1e-12}
    )
    at, least = (float(best.x), float(best.fun)) if best.fun < g[i] else (float(k[i]), float(g[i]))
    negative = _below_zero(lambda x: _g(params, x), np.unique(np.append(k, at)))
    free = least >= 0.0 and steep <= 2.0
    return Butterfly(least, at, negative, lowest, steep, free)


def _g(params: Svi, log_strikes: ArrayLike) -> FloatArray:
    k = np.asarray(log_strikes, np.float64)
    w, slope, bend = svi_smile(params, k)
    return np.asarray(
        (1.0 - 0.5 * k * slope / w) ** 2 - 0.25 * slope**2 * (1.0 / w + 0.25) + 0.5 * bend
    )


def _below_zero(f: Callable[[ArrayLike], FloatArray], k: FloatArray) -> FloatArray:
    """The stretches of f < 0 ``(n, 2)`` seen on k; one that reaches the end of k is endless."""
    edge = np.diff(np.concatenate([[False], f(k) < 0.0, [False]]).astype(np.int8))

    def root(i: int) -> float:
        if i in {0, k.size}:
            return -math.inf if i == 0 else math.inf
        return float(brentq(lambda x: float(f(x)), k[i - 1], k[i], xtol=1e-12))

    starts, ends = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)
    stretches = [(root(int(i)), root(int(j))) for i, j in zip(starts, ends, strict=True)]
    return np.array(stretches, np.float64).reshape(-1, 2)
