r"""What is asked of a law of the price at expiry, and what follows from any of them.

A law is of S_T under the pricing measure of one expiry, with mean F, the forward. All prices it
gives are undiscounted::

    call(K) = E[(S_T - K)+],   put(K) = E[(K - S_T)+] = call(K) - (F - K).

The laws here: lognormal mixtures (:mod:`.lognormal_mixture`), Kou's double-exponential jump
diffusion (:mod:`.kou`), Heston's stochastic variance (:mod:`.heston`).
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray
from eventtape.errors import InputError

__all__ = ["Moments", "TerminalLaw", "check_strikes", "law_prices", "moments", "quantile"]


class TerminalLaw(Protocol):
    """A law of the price at expiry: mean ``forward``, horizon ``tau`` in years."""

    @property
    def forward(self) -> float:
        """The mean."""

    @property
    def tau(self) -> float:
        """Years to expiry."""

    def pdf(self, strikes: ArrayLike) -> FloatArray:
        """Density per unit of strike."""

    def cdf(self, strikes: ArrayLike) -> FloatArray:
        """Probability at or below each strike."""

    def call(self, strikes: ArrayLike) -> FloatArray:
        """Undiscounted call prices."""

    def put(self, strikes: ArrayLike) -> FloatArray:
        """Undiscounted put prices."""

    def raw_moment(self, order: int) -> float:
        """E[S_T^order], infinite where the integral is."""


class Moments(NamedTuple):
    """Mean and standard deviation in price units; ``kurtosis`` is 3 for a normal law."""

    mean: float
    sd: float
    skewness: float
    kurtosis: float


def moments(law: TerminalLaw) -> Moments:
    """Mean, sd, skewness and kurtosis of the price at expiry.

    The first that is infinite is ``inf``, and those above it, differences of infinities, NaN.
    """
    mean = law.raw_moment(1)
    m2, m3, m4 = (law.raw_moment(n) / mean**n for n in (2, 3, 4))
    if not math.isfinite(m2):
        return Moments(mean, math.inf, math.nan, math.nan)
    sd = math.sqrt(m2 - 1.0)
    if not math.isfinite(m3):
        return Moments(mean, mean * sd, math.inf, math.nan)
    skewness = (m3 - 3.0 * m2 + 2.0) / sd**3
    return Moments(mean, mean * sd, skewness, (m4 - 4.0 * m3 + 6.0 * m2 - 3.0) / sd**4)


def law_prices(
    law: TerminalLaw, strikes: ArrayLike, is_call: ArrayLike, *, discount: float = 1.0
) -> FloatArray:
    """Prices of European options ``(n,)``, each a call or a put, times ``discount``."""
    K, call = np.broadcast_arrays(check_strikes(strikes), np.asarray(is_call, np.bool_))
    return np.asarray(discount * np.where(call, law.call(K), law.put(K)))


def quantile(law: TerminalLaw, levels: ArrayLike) -> FloatArray:
    """The prices below which S_T lies with the given probabilities, by bisection to 1e-13 of F.

    Parameters
    ----------
    law
        Any law of the price at expiry.
    levels
        Probabilities strictly between 0 and 1, any shape.
    """
    p = np.asarray(levels, np.float64)
    if not np.all((p > 0.0) & (p < 1.0)):
        raise InputError("levels between 0 and 1", met=p.tolist())
    low, high = np.full(p.shape, law.forward), np.full(p.shape, law.forward)
    for _ in range(60):
        above, below = law.cdf(low) > p, law.cdf(high) < p
        if not (above.any() or below.any()):
            break
        low, high = np.where(above, low / 1.5, low), np.where(below, high * 1.5, high)
    while np.max(high - low) > 1e-13 * law.forward:
        middle = 0.5 * (low + high)
        if np.all((middle <= low) | (middle >= high)):  # neighbours: no double lies between
            break
        up = law.cdf(middle) < p
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return np.asarray(0.5 * (low + high))


def check_strikes(strikes: ArrayLike) -> FloatArray:
    """The strikes as floats, once all are finite and above 0."""
    K = np.asarray(strikes, np.float64)
    bad = np.flatnonzero(~((K > 0.0) & np.isfinite(K)))
    if bad.size:
        row = int(bad[0]) + 1 if K.ndim == 1 else None
        raise InputError("strikes above 0", met=float(K.flat[bad[0]]), row=row, column="strikes")
    return K


def check_positive(**named: float) -> None:
    """Nothing, once every number is finite and above 0."""
    for name, value in named.items():
        if not 0.0 < value < math.inf:
            raise InputError(f"a finite {name} above 0", met=value)
