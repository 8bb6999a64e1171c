r"""A price at expiry that is lognormal given a state: density, distribution and prices.

With probability p_j the price has mean m_j and volatility s_j; Z is standard normal::

    S_T = m_j exp(s_j sqrt(tau) Z - s_j^2 tau / 2),     F = sum_j p_j m_j,
    call(K) = sum_j p_j Black(m_j, K, s_j sqrt(tau)).

One component is Black's model, two the mixture of Bahra (1997) and Melick and Thomas (1997).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.terminal_law import check_positive, check_strikes

__all__ = ["LognormalMixture", "lognormal", "lognormal_mixture"]

_ROOT_2PI = math.sqrt(2.0 * math.pi)


class LognormalMixture(NamedTuple):
    """Weights, means (price units) and vols (per square root of a year), each ``(n_states,)``."""

    weights: FloatArray
    means: FloatArray
    vols: FloatArray
    tau: float

    @property
    def forward(self) -> float:
        """The mean of the mixture."""
        return float(self.weights @ self.means)

    def pdf(self, strikes: ArrayLike) -> FloatArray:
        """Density per unit of strike."""
        K, d2, sd = self._d2(strikes)
        return np.asarray((np.exp(-0.5 * d2 * d2) / (_ROOT_2PI * sd)) @ self.weights / K)

    def cdf(self, strikes: ArrayLike) -> FloatArray:
        """Probability at or below each strike."""
        _, d2, _ = self._d2(strikes)
        return np.asarray(ndtr(-d2) @ self.weights)

    def call(self, strikes: ArrayLike) -> FloatArray:
        """Undiscounted call prices."""
        K, d2, sd = self._d2(strikes)
        each = self.means * ndtr(d2 + sd) - K[..., None] * ndtr(d2)
        return np.asarray(np.maximum(each, 0.0) @ self.weights)

    def put(self, strikes: ArrayLike) -> FloatArray:
        """Undiscounted put prices."""
        K, d2, sd = self._d2(strikes)
        each = K[..., None] * ndtr(-d2) - self.means * ndtr(-d2 - sd)
        return np.asarray(np.maximum(each, 0.0) @ self.weights)

    def raw_moment(self, order: int) -> float:
        """E[S_T^order]."""
        n = order
        grown = self.means**n * np.exp(0.5 * n * (n - 1) * self.vols**2 * self.tau)
        return float(self.weights @ grown)

    def _d2(self, strikes: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        K = check_strikes(strikes)
        sd = self.vols * math.sqrt(self.tau)
        return K, (np.log(self.means) - np.log(K)[..., None]) / sd - 0.5 * sd, sd


def lognormal(forward: float, tau: float, vol: float) -> LognormalMixture:
    """Black's law of one volatility, as a mixture of one state.

    >>> float(lognormal(100.0, 1.0, 0.2).call(100.0).round(4))
    7.9656
    """
    check_positive(forward=forward, tau=tau, vol=vol)
    return LognormalMixture(np.ones(1), np.array([forward]), np.array([vol]), tau)


def lognormal_mixture(
    weights: ArrayLike, means: ArrayLike, vols: ArrayLike, tau: float
) -> LognormalMixture:
    """The mixture of lognormal states; weights sum to 1, means are in price units.

    Raises
    ------
    InputError
        Where the three are not of one shape ``(n_states,)``, a mean or vol is not above 0, a weight
        is negative, or the weights do not sum to 1.
    """
    p, m, s = (np.asarray(x, np.float64) for x in (weights, means, vols))
    if p.ndim != 1 or not p.size or not p.shape == m.shape == s.shape:
        raise InputError(
            "weights, means and vols of one shape (n_states,)", met=(p.shape, m.shape, s.shape)
        )
    if not (np.all(p >= 0.0) and abs(p.sum() - 1.0) < 1e-12):
        raise InputError("weights >= 0 that sum to 1", met=p.tolist())
    for name, x in (("means", m), ("vols", s)):
        if not np.all((x > 0.0) & np.isfinite(x)):
            raise InputError(f"finite {name} above 0", met=x.tolist())
    check_positive(tau=tau)
    return LognormalMixture(p, m, s, tau)
