r"""Heston's stochastic variance: the law of the price at expiry.

Under the forward measure, with dW dB = rho dt (Heston 1993)::

    dF/F = sqrt(v) dW,    dv = kappa (theta - v) dt + xi sqrt(v) dB.

The characteristic function in the form without branch crossings (Albrecher, Mayer, Schoutens and
Tistaert 2007), with beta = kappa - i rho xi u, d = sqrt(beta^2 + xi^2 (u^2 + iu)) and
e = 1 - exp(-d tau)::

    log phi = -v (u^2 + iu) e / (beta + d - (beta - d) exp(-d tau))
              - kappa theta [ (u^2 + iu) tau / (beta + d) + 2/xi^2 log(1 + (beta - d)/(2d) e) ],
    beta - d = -xi^2 (u^2 + iu) / (beta + d),

the last line free of cancellation, so that xi -> 0 is Black's law. Density, distribution and prices
by :mod:`.fourier`, to rounding (about 1e-14 of F). Moments explode as in Andersen and Piterbarg
(2007), proposition 3.1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.fourier import ComplexArray, Inverted, invert
from eventtape.estimators.pricing.terminal_law import check_positive, check_strikes

__all__ = ["Heston", "heston"]


def _log1p(z: ComplexArray) -> ComplexArray:
    """log(1 + z), accurate for small z: numpy's own takes the modulus of 1 + z first."""
    x, y = z.real, z.imag
    return np.asarray(0.5 * np.log1p(x * (2.0 + x) + y * y) + 1j * np.arctan2(y, 1.0 + x))


class Heston(NamedTuple):
    """Variances per year; ``mean_reversion`` per year; ``vol_of_variance`` per root of a year."""

    forward: float
    tau: float
    variance: float
    mean_reversion: float
    long_run_variance: float
    vol_of_variance: float
    correlation: float

    def characteristic(self, frequencies: ComplexArray) -> ComplexArray:
        """E[exp(iuX)] of X = log(S_T / F), for complex u where it exists."""
        u = frequencies
        kappa, xi, tau = self.mean_reversion, self.vol_of_variance, self.tau
        beta = kappa - 1j * self.correlation * xi * u
        drift = u * u + 1j * u
        d = np.sqrt(beta * beta + xi * xi * drift)
        gap = -xi * xi * drift / (beta + d)  # beta - d
        e = -np.expm1(-d * tau)
        of_variance = -drift * e / (beta + d - gap * (1.0 - e))
        of_level = -drift * tau / (beta + d) - 2.0 / (xi * xi) * _log1p(0.5 * gap / d * e)
        level = kappa * self.long_run_variance
        return np.asarray(np.exp(self.variance * of_variance + level * of_level))

    def pdf(self, strikes: ArrayLike) -> FloatArray:
        """Density per unit of strike."""
        K = check_strikes(strikes)
        return np.asarray(self._inverted(K).density / K)

    def cdf(self, strikes: ArrayLike) -> FloatArray:
        """Probability at or below each strike."""
        return self._inverted(check_strikes(strikes)).below

    def call(self, strikes: ArrayLike) -> FloatArray:
        """Undiscounted call prices."""
        return np.asarray(self.forward * (1.0 - self._inverted(check_strikes(strikes)).capped))

    def put(self, strikes: ArrayLike) -> FloatArray:
        """Undiscounted put prices."""
        K = check_strikes(strikes)
        return np.maximum(K - self.forward * self._inverted(K).capped, 0.0)

    def raw_moment(self, order: int) -> float:
        """E[S_T^order]; infinite once ``tau`` is at or beyond :meth:`explosion`."""
        if order == 0:
            return 1.0
        if order == 1:
            return self.forward
        if self.tau >= self.explosion(order):
            return math.inf
        value = self.characteristic(np.array([-1j * order]))[0]
        return float(self.forward**order * value.real)

    def explosion(self, order: int) -> float:
        """Years from which E[S^order] is infinite, ``order`` >= 2; ``inf`` where it never is."""
        n, xi = order, self.vol_of_variance
        b = self.mean_reversion - self.correlation * xi * n
        D = b * b - xi * xi * n * (n - 1)
        if D >= 0.0:
            if b > 0.0:
                return math.inf
            root = math.sqrt(D)
            return math.log((root - b) / (-root - b)) / root if root > 0.0 else -2.0 / b
        root = math.sqrt(-D)
        return 2.0 / root * math.atan2(root, -b)

    def _inverted(self, strikes: FloatArray) -> Inverted:
        def psi(u: FloatArray) -> ComplexArray:
            return self.characteristic(np.asarray(u - 0.5j, np.complex128))

        return invert(psi, np.log(strikes / self.forward))


def heston(
    forward: float,
    tau: float,
    *,
    variance: float,
    mean_reversion: float,
    long_run_variance: float,
    vol_of_variance: float,
    correlation: float,
) -> Heston:
    """Heston's law with mean ``forward``.

    Parameters
    ----------
    forward, tau
        Forward and years, above 0.
    variance, long_run_variance
        Today's variance and the one it returns to, per year, above 0.
    mean_reversion
        Per year, above 0.
    vol_of_variance
        xi, above 0; 1e-6 is as good as a constant variance.
    correlation
        Of returns and variance, strictly between -1 and 1.
    """
    check_positive(
        **{
            "forward": forward,
            "tau": tau,
            "variance": variance,
            "mean reversion": mean_reversion,
            "long-run variance": long_run_variance,
            "vol of variance": vol_of_variance,
        }
    )
    if not -1.0 < correlation < 1.0:
        raise InputError("a correlation between -1 and 1", met=correlation)
    return Heston(
        float(forward),
        tau,
        variance,
        mean_reversion,
        long_run_variance,
        vol_of_variance,
        correlation,
    )
