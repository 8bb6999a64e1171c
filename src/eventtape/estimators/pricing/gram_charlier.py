r"""A price at expiry whose log return has skewness and kurtosis: Gram-Charlier, by states.

Z has the density phi(z) (1 + xi He_3(z) / 6 + kappa He_4(z) / 24): mean 0, variance 1, skewness xi,
excess kurtosis kappa. With w = vol sqrt(tau) and mean m (Corrado and Su 1996, with the mean made
exact as in Jurczenko, Maillet and Negrea 2004)::

    S_T = (m / M) exp(w Z - w^2 / 2),      M = 1 + xi w^3 / 6 + kappa w^4 / 24,
    d   = (log(m / (M K)) - w^2 / 2) / w,
    call = (m / M) G - K H,     G = A_0 + xi A_3 / 6 + kappa A_4 / 24,
                                H = Phi(d) + phi(d) (xi (d^2 - 1) / 6 + kappa (3 d - d^3) / 24),

A_0 = Phi(d + w) and A_n = phi(d + w) He_{n-1}(-d) + w A_{n-1}, by parts. The density is negative
somewhere for shapes outside a bounded region (Jondeau and Rockinger 2001): :func:`is_law` says.

A mixture of states shares xi and kappa and differs in mean and vol.

Reference: Corrado and Su (1996), J. Financial Research 19; Jondeau and Rockinger (2001), J.
Economic Dynamics and Control 25.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike
from scipy.special import ndtr

from eventtape.arrays import FloatArray, watches
from eventtape.errors import InputError
from eventtape.estimators.pricing import normal
from eventtape.estimators.pricing.normal import mills_ratio, norm_pdf
from eventtape.estimators.pricing.terminal_law import check_positive, check_strikes

__all__ = ["GramCharlierStates", "call_and_slopes", "gram_charlier_states", "is_law"]

_ROOT_2PI = math.sqrt(2.0 * math.pi)


class GramCharlierStates(NamedTuple):
    """Weights, means (price units) and vols (per sqrt(year)) of the states, ``(n_states,)`` each.

    ``skewness`` and ``excess_kurtosis`` are of the standardised log return, common to the states.
    """

    weights: FloatArray
    means: FloatArray
    vols: FloatArray
    skewness: float
    excess_kurtosis: float
    tau: float

    @property
    def forward(self) -> float:
        """The mean of the mixture."""
        return float(self.weights @ self.means)

    def pdf(self, strikes: ArrayLike) -> FloatArray:
        """Density per unit of strike."""
        K, d, w = self._d(strikes)
        xi, kappa = self.skewness, self.excess_kurtosis
        shape = 1.0 + xi / 6.0 * (3.0 * d - d**3) + kappa / 24.0 * (d**4 - 6.0 * d * d + 3.0)
        return np.asarray((np.exp(-0.5 * d * d) / (_ROOT_2PI * w) * shape) @ self.weights / K)

    def cdf(self, strikes: ArrayLike) -> FloatArray:
        """Probability at or below each strike."""
        _, d, _ = self._d(strikes)
        return np.asarray(1.0 - self._above(d) @ self.weights)

    def call(self, strikes: ArrayLike) -> FloatArray:
        """Undiscounted call prices."""
        K, d, w = self._d(strikes)
        xi, kappa = self.skewness, self.excess_kurtosis
        p1, a0 = np.exp(-0.5 * (d + w) ** 2) / _ROOT_2PI, ndtr(d + w)
        a2 = -d * p1 + w * (p1 + w * a0)
        a3 = p1 * (d * d - 1.0) + w * a2
        a4 = p1 * (3.0 * d - d**3) + w * a3
        G = a0 + xi / 6.0 * a3 + kappa / 24.0 * a4
        each = self.means / self._scale() * G - K[..., None] * self._above(d)
        return np.asarray(each @ self.weights)

    def put(self, strikes: ArrayLike) -> FloatArray:
        """Undiscounted put prices."""
        return np.asarray(self.call(strikes) - (self.forward - check_strikes(strikes)))

    def raw_moment(self, order: int) -> float:
        """E[S_T^order]."""
        w, n = self.vols * math.sqrt(self.tau), float(order)
        xi, kappa = self.skewness, self.excess_kurtosis
        shape = 1.0 + xi * (n * w) ** 3 / 6.0 + kappa * (n * w) ** 4 / 24.0
        spread = np.exp(0.5 * n * (n - 1.0) * w * w) * shape / self._scale() ** n
        return float(self.weights @ (self.means**n * spread))

    def _scale(self) -> FloatArray:
        w = self.vols * math.sqrt(self.tau)
        xi, kappa = self.skewness, self.excess_kurtosis
        return np.asarray(1.0 + xi * w**3 / 6.0 + kappa * w**4 / 24.0)

    def _d(self, strikes: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        K = check_strikes(strikes)
        w = self.vols * math.sqrt(self.tau)
        return K, (np.log(self.means / self._scale() / K[..., None]) - 0.5 * w * w) / w, w

    def _above(self, d: FloatArray) -> FloatArray:
        xi, kappa = self.skewness, self.excess_kurtosis
        bend = xi / 6.0 * (d * d - 1.0) + kappa / 24.0 * (3.0 * d - d**3)
        return np.asarray(ndtr(d) + np.exp(-0.5 * d * d) / _ROOT_2PI * bend)


def gram_charlier_states(
    weights: ArrayLike,
    means: ArrayLike,
    vols: ArrayLike,
    tau: float,
    *,
    skewness: float = 0.0,
    excess_kurtosis: float = 0.0,
) -> GramCharlierStates:
    """The law whose states have these weights, means and vols and one shape.

    Raises
    ------
    InputError
        Weights that do not sum to 1, means, vols or a time not above 0, a shape that is no law.
    """
    p, m, s = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, np.float64)) for x in (weights, means, vols))
    )
    check_positive(tau=tau)
    if not (np.all(p >= 0.0) and math.isclose(float(p.sum()), 1.0, rel_tol=1e-9)):
        raise InputError("weights >= 0 that sum to 1", met=p.tolist())
    for name, x in (("means", m), ("vols", s)):
        if not np.all((x > 0.0) & np.isfinite(x)):
            raise InputError(f"{name} above 0", met=x.tolist())
    if not is_law(skewness, excess_kurtosis):
        wanted = "a skewness and excess kurtosis whose Gram-Charlier density is nowhere negative"
        raise InputError(wanted, met=(skewness, excess_kurtosis))
    return GramCharlierStates(p, m, s, skewness, excess_kurtosis, tau)


def is_law(skewness: float, excess_kurtosis: float) -> bool:
    """Whether the Gram-Charlier density of this shape is nowhere negative.

    >>> is_law(-0.3, 0.4), is_law(-0.5, 0.4), is_law(0.0, 4.1)
    (True, False, False)
    """
    xi, kappa = skewness / 6.0, excess_kurtosis / 24.0
    # Where 1 + xi He3 + kappa He4 is least: a root of its derivative
    turns = np.roots([4.0 * kappa, 3.0 * xi, -12.0 * kappa, -3.0 * xi])
    if turns.size == 0:  # a normal law
        return True
    z = turns[np.abs(turns.imag) < 1e-9].real
    least = 1.0 + xi * (z**3 - 3.0 * z) + kappa * (z**4 - 6.0 * z**2 + 3.0)
    falls = kappa < 0.0 or (kappa == 0.0 and xi != 0.0)
    return not falls and bool(np.all(least >= -1e-12))


@watches(normal)
@njit(cache=True, error_model="numpy", fastmath={"contract", "nsz"})
def call_and_slopes(
    strikes: FloatArray,
    log_ratio: FloatArray,
    mean: float,
    w: float,
    xi: float,
    kappa: float,
    out: FloatArray,
) -> None:
    """Fill ``out`` ``(5, n)``: the call, and its slopes in log mean, log w, xi and kappa.

    ``log_ratio`` is log(mean / strikes).
    """
    M = 1.0 + xi * w**3 / 6.0 + kappa * w**4 / 24.0
    M_w = xi * w * w / 2.0 + kappa * w**3 / 6.0
    shift = -math.log(M) - 0.5 * w * w
    head = mean / M
    for i in range(strikes.size):
        d = (log_ratio[i] + shift) / w
        K = strikes[i]
        phi = norm_pdf(min(abs(d), 38.0))
        tail = phi * mills_ratio(min(abs(d), 38.0))
        h0 = 1.0 - tail if d > 0.0 else tail
        e = d + w
        p1 = norm_pdf(min(abs(e), 38.0))
        tail = p1 * mills_ratio(min(abs(e), 38.0))
        a0 = 1.0 - tail if e > 0.0 else tail
        he3, he4 = 3.0 * d - d * d * d, (d * d - 6.0) * d * d + 3.0
        a1 = p1 + w * a0
        a2 = -d * p1 + w * a1
        a3 = (d * d - 1.0) * p1 + w * a2
        a4 = he3 * p1 + w * a3
        G = a0 + xi / 6.0 * a3 + kappa / 24.0 * a4
        b3, b4 = (d * d - 1.0) * phi, he3 * phi
        out[0, i] = head * G - K * (h0 + xi / 6.0 * b3 + kappa / 24.0 * b4)
        out[1, i] = head * G
        turned = p1 + xi / 6.0 * (he3 * p1 + 3.0 * a2) + kappa / 24.0 * (he4 * p1 + 4.0 * a3)
        out[2, i] = head * w * (turned - M_w / M * G)
        out[3, i] = (head * (a3 - w**3 / M * G) - K * b3) / 6.0
        out[4, i] = (head * (a4 - w**4 / M * G) - K * b4) / 24.0
