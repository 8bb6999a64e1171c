"""What does the market think each expiry is worth in volatility: the term structure, checked.

One row an expiry: at-the-money implied volatility on its forward, with its error. Total variance
is w_i = iv_i^2 T_i, T in years of 365 days; between two expiries the forward variance is
w_i - w_{i-1}, and the forward volatility its root per sqrt(year). Risk-neutral throughout.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.estimators.premium.day_weights import DAY_NS, YEAR_DAYS

__all__ = ["IV_ERROR", "ForwardVols", "TermStructure", "forward_vols", "term_structure"]

IV_ERROR = 0.0035
"""Assumed where no error is given: 0.35 vol points, about half a Deribit spread at the money."""
_HIGHEST_IV = 5.0


class TermStructure(NamedTuple):
    """At-the-money implied vols at one moment; arrays ``(n,)``, expiries rising. Risk-neutral."""

    at_ns: int
    expiries_ns: IntArray
    iv: FloatArray  # decimal, per sqrt(year of 365 days)
    error: FloatArray  # one standard deviation of iv
    label: str

    @property
    def days(self) -> FloatArray:
        """Days to each expiry, exact, ``(n,)``."""
        return (self.expiries_ns - self.at_ns) / DAY_NS

    @property
    def variance(self) -> FloatArray:
        """Total variance of the log return to each expiry, ``(n,)``."""
        return self.iv**2 * self.days / YEAR_DAYS


class ForwardVols(NamedTuple):
    """Between the moment and the first expiry, and each expiry and the next; arrays ``(n,)``."""

    vol: FloatArray  # per sqrt(year); NaN where the variance is negative
    variance: FloatArray  # of the log return inside the bucket, as it is: perhaps negative
    status: tuple[Status, ...]  # NOT_RESOLVED where it is


def term_structure(
    at_ns: int,
    expiries_ns: IntArray,
    iv: FloatArray,
    error: FloatArray | None = None,
    *,
    label: str = "",
) -> TermStructure:
    """A checked term structure; ``iv`` and ``error`` are decimals per sqrt(year of 365 days).

    Without ``error`` each vol has that of :data:`IV_ERROR`. Refused with the row: expiries not
    after ``at_ns``, unsorted or twice, vols in percent, not finite or not positive.
    """
    expiries = np.array(expiries_ns, dtype=np.int64)
    vols = np.array(iv, dtype=np.float64)
    errors = np.full(vols.shape, IV_ERROR) if error is None else np.array(error, np.float64)
    if expiries.ndim != 1 or not expiries.shape == vols.shape == errors.shape:
        met = (expiries.shape, vols.shape, errors.shape)
        raise InputError("expiries, iv and error of one length", met=met)
    if expiries.size == 0:
        raise InputError("at least one expiry", met=0)
    _check_expiries(int(at_ns), expiries)
    bad = np.flatnonzero(~((vols > 0.0) & (vols < _HIGHEST_IV)))
    if bad.size:
        wanted = "a decimal above 0 and under 5: .55 for 55%"
        raise InputError(wanted, met=float(vols[bad[0]]), row=int(bad[0]) + 1, column="iv")
    bad = np.flatnonzero(~((errors >= 0.0) & (errors < _HIGHEST_IV)))
    if bad.size:
        wanted = "an error of the vol that is a decimal of at least 0: .0035 for .35 vol points"
        raise InputError(wanted, met=float(errors[bad[0]]), row=int(bad[0]) + 1, column="error")
    return TermStructure(int(at_ns), expiries, vols, errors, label)


def forward_vols(term: TermStructure) -> ForwardVols:
    """Forward volatility per sqrt(year) of each bucket, the first from the moment itself.

    Where total variance falls from one expiry to the next there is no real volatility: NaN and
    ``NOT_RESOLVED`` (noise, or an arbitrage), with the variance left as it is.
    """
    variance = np.diff(term.variance, prepend=0.0)
    years = np.diff(term.days, prepend=0.0) / YEAR_DAYS
    bad = variance < 0.0
    vol = np.sqrt(np.where(bad, np.nan, variance) / years)
    status = tuple(Status.NOT_RESOLVED if fell else Status.OK for fell in bad)
    return ForwardVols(vol, variance, status)


def _check_expiries(at_ns: int, expiries: IntArray) -> None:
    early = np.flatnonzero(expiries <= at_ns)
    if early.size:
        row = int(early[0])
        wanted = f"an expiry after the moment itself, {format_ns(at_ns)}"
        met = format_ns(int(expiries[row]))
        raise InputError(wanted, met=met, row=row + 1, column="expiry")
    steps = np.diff(expiries)
    if np.any(steps <= 0):
        row = int(np.flatnonzero(steps <= 0)[0]) + 1
        met = format_ns(int(expiries[row]))
        wanted = "each expiry once" if steps[row - 1] == 0 else "expiries in rising order"
        raise InputError(wanted, met=met, row=row + 1, column="expiry")
