r"""Kou's double-exponential jump diffusion: the law of the price at expiry.

Between jumps the log price diffuses with volatility sigma. Jumps come lam times a year: up with
probability p, by an exponential of mean 1/eta1; else down, by one of mean 1/eta2 (Kou 2002)::

    X = log(S_T / F) = sigma W_tau + sum_j Y_j - (sigma^2/2 + lam zeta) tau,
    zeta = E[exp(Y)] - 1 = p eta1/(eta1 - 1) + (1 - p) eta2/(eta2 + 1) - 1,       eta1 > 1,
    log phi(u) / tau = -iu (sigma^2/2 + lam zeta) - sigma^2 u^2/2
                       + lam (p eta1/(eta1 - iu) + (1 - p) eta2/(eta2 + iu) - 1).

Density, distribution and prices by :mod:`.fourier`, to rounding (about 1e-14 of F). Kou prints a
series in Hh functions instead; both agree on his example (tests).
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

__all__ = ["Kou", "kou"]


class Kou(NamedTuple):
    """``vol`` per square root of a year, ``intensity`` per year, mean jumps in log price > 0."""

    forward: float
    tau: float
    vol: float
    intensity: float
    up_probability: float
    mean_up: float  # 1/eta1, below 1
    mean_down: float  # 1/eta2

    def characteristic(self, frequencies: ComplexArray) -> ComplexArray:
        """E[exp(iuX)] of X = log(S_T / F), for complex u where it exists."""
        iu = 1j * frequencies
        s, lam, p = self.vol, self.intensity, self.up_probability

        def jump(z: ComplexArray | float) -> ComplexArray:
            return np.asarray(p / (1.0 - z * self.mean_up) + (1.0 - p) / (1.0 + z * self.mean_down))

        zeta = jump(1.0) - 1.0
        exponent = 0.5 * s * s * (iu * iu - iu) + lam * (jump(iu) - 1.0 - iu * zeta)
        return np.asarray(np.exp(self.tau * exponent))

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
        """E[S_T^order]; infinite from order eta1 on."""
        if order * self.mean_up >= 1.0 and self.intensity * self.up_probability > 0.0:
            return math.inf
        value = self.characteristic(np.array([-1j * order]))[0]
        return float(self.forward**order * value.real)

    def _inverted(self, strikes: FloatArray) -> Inverted:
        def psi(u: FloatArray) -> ComplexArray:
            return self.characteristic(np.asarray(u - 0.5j, np.complex128))

        return invert(psi, np.log(strikes / self.forward))


def kou(
    forward: float,
    tau: float,
    vol: float,
    *,
    intensity: float,
    up_probability: float,
    mean_up: float,
    mean_down: float,
) -> Kou:
    """Kou's law with mean ``forward``.

    Parameters
    ----------
    forward, tau, vol
        Forward, years, diffusive volatility per square root of a year; all above 0.
    intensity
        Jumps a year, 0 or more.
    up_probability
        Of a jump being upwards.
    mean_up, mean_down
        Mean sizes of a jump in log price, both above 0; ``mean_up`` below 1, else E[S] is infinite.
    """
    check_positive(
        forward=forward, tau=tau, vol=vol, **{"mean jump up": mean_up, "mean jump down": mean_down}
    )
    if not mean_up < 1.0:
        raise InputError("a mean jump up below 1, else the mean is infinite", met=mean_up)
    if not 0.0 <= intensity < math.inf:
        raise InputError("a finite intensity >= 0", met=intensity)
    if not 0.0 <= up_probability <= 1.0:
        raise InputError("a probability", met=up_probability)
    return Kou(float(forward), tau, vol, intensity, up_probability, mean_up, mean_down)
