r"""What is the forward price, and what discount do the options of one expiry use?

European puts and calls of one strike differ by a forward contract, whatever the model::

    C - P = D (F - K)

a line in the strike: its slope is the discount D, its root the forward F. The line is fitted to
mids, each pair weighted by what its spreads leave open, and so that stale strikes do not carry it
off: of n pairs (n - 3) / 2 may be anywhere and the line stays near (``forward_kernel``). Staleness
of a spread or two cannot be told from noise and is not in the interval.

How sure? The errors are a sandwich over the pairs' own residuals, so they hold whether quotes sit
well within their spreads or beyond; the interval uses Student's t. They take the pairs' errors for
independent. What all mids share, no residual shows: a move of the underlying between calls and
puts, or wide quotes off the middle alike. The S&P 500's options and its minis, quoted in one
minute, differ by .2 index points (median of 40 expiries; at most .5) where the errors say .02.
Sizes do not enter: on minutes of listed options the mid foretold the next mid better than the
microprice (:mod:`eventtape.estimators.density.quote_noise`).

The slope of a short expiry says little of a rate (tau = 10 days: 1e-4 in D is 0.4% a year), while
the forward near the money hardly needs it. ``rate`` and ``spot`` enter as observations with errors,
``D = exp(-r tau)`` and ``D F = S exp(-q tau) - dividends``, and stand alone where no pair is left.

American options break parity: with early-exercise premia A_c and A_p a pair is off by
``A_c - A_p``, and as the premia change with the strike they tilt the line too. At S = 100, vol .2,
rate .05, 3 months, no dividend, strikes 80 to 120: -0.11 at the money, -0.23 in the forward fitted
to all pairs and a rate of -5.6%; -0.15 with ``near_money=0.05`` and the rate given. Better: take
the premia off first and call :func:`forward_from_european`.

Units: prices, strikes and dividends in one currency, rates continuous a year, tau in years.
References: Stoll (1969), Journal of Finance 24; Rousseeuw (1984), JASA 79; Yohai (1987), Annals of
Statistics 15; MacKinnon and White (1985), Journal of Econometrics 29, for HC3.
"""

from __future__ import annotations

import math
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.pricing.forward_kernel import parity_kernel

__all__ = [
    "ForwardSource",
    "PairFate",
    "ParityForward",
    "forward_from_european",
    "forward_from_parity",
    "parity_verdict",
]

_SPOT_ERROR = 5e-4  # of the spot: a cash index or a last trade against the options' minute
_RATE_ERROR = 0.005  # a year: what financing differs by between desks and curves
_YIELD_ERROR = 0.005  # a year, of a yield that was given
_UNKNOWN_YIELD_ERROR = 0.02  # a year, of one that was not, around 0
_MOST_EXCLUDED = 0.4
_LOWEST_RATE, _HIGHEST_RATE = -0.05, 0.3  # a year, surely beyond: no parity
_LOOSEST = 5.0  # residuals of five times what quotes uniform in their spreads would leave
_UNFITTED = {2: Status.TOO_FEW, 3: Status.NOT_IDENTIFIED, 4: Status.NO_CONVERGENCE}


class PairFate(IntEnum):
    """What became of the call and put of one strike.

    ``FAR``: beyond two widths of ``near_money``. ``OUTLIER``: no weight, though its quotes hold the
    line. ``EXCLUDES``: no weight, and the line lies outside its bids and asks.
    """

    USED = 0
    MISSING = 1
    NEGATIVE = 2
    CROSSED = 3
    ZERO_BID = 4
    FAR = 5
    OUTLIER = 6
    EXCLUDES = 7


class ForwardSource(StrEnum):
    """What the forward was made from."""

    PARITY = "parity"
    PARITY_AND_PRIORS = "parity and priors"
    CARRY = "carry"
    NONE = ""


class ParityForward(NamedTuple):
    """Forward and discount of one expiry, with errors and the fate of every pair.

    - ``forward``, ``forward_error``, ``lower``, ``upper``: price, standard error, interval.
    - ``discount``, ``discount_error``; ``rate``, ``rate_error``: continuous, a year.
    - ``rate_share``: 0 to 1, the part of what is known of the discount that the ``rate`` handed in
      brought; near 1 says that the options told nothing of it.
    - ``carry``: log(forward / spot) / tau, a year; ``dividend_yield``: rate less carry. NaN without
      a spot. Repo and dividends are one number here.
    - ``scale``: size of the residuals, where 1 is that of prices uniform within bid and ask; not
      less than what rounding to the tick leaves. NaN where the quotes have no spread or no pair is
      left.
    - ``source``: parity, parity and priors, or carry (no pair left).
    - ``pairs_used``; ``fates`` ``(n_strikes,)`` of :class:`PairFate`; ``weights`` ``(n_strikes,)``
      from 0, not used, to 1.
    - ``status``: ``OK``; with numbers under reservation, ``TOO_FEW`` (under 8 pairs: errors from
      the spreads alone, or carry) and ``NOT_RESOLVED`` (no parity: more than 40% of the pairs
      exclude the line, residuals of more than 5 times the spreads' own, a rate surely above 30% or
      under -5%,
      as American puts make it); with NaN, ``NOT_IDENTIFIED`` and
      ``NO_CONVERGENCE``.
    """

    forward: float
    forward_error: float
    lower: float
    upper: float
    discount: float
    discount_error: float
    rate: float
    rate_error: float
    rate_share: float
    carry: float
    dividend_yield: float
    scale: float
    source: ForwardSource
    pairs_used: int
    fates: IntArray
    weights: FloatArray
    status: Status


def forward_from_parity(
    strikes: ArrayLike,
    call_bids: ArrayLike,
    call_asks: ArrayLike,
    put_bids: ArrayLike,
    put_asks: ArrayLike,
    *,
    tau: float,
    spot: float | None = None,
    spot_error: float | None = None,
    rate: float | None = None,
    rate_error: float | None = None,
    dividend_yield: float | None = None,
    dividend_yield_error: float | None = None,
    dividends: float = 0.0,
    near_money: float | None = None,
    level: float = 0.95,
) -> ParityForward:
    """Forward and discount of one expiry with errors, from the bids and asks of calls and puts.

    ``strikes`` rise, each once; prices ``(n_strikes,)``, NaN where a side is not quoted. Pairs with
    a missing, zero, negative or crossed quote are left out by name; so are those off the line.

    Priors. ``rate`` with ``rate_error`` (0.5% a year unless told). ``spot`` with ``spot_error``
    (0.05% of it unless told), the value today of ``dividends`` to be paid before expiry and
    ``dividend_yield`` (its error 0.5% a year unless told; not given, it is 0 with error 2%).
    ``near_money``: width, in parts of the forward, of a Gaussian weight cut at twice it, for
    American chains.

    Errors: InputError for strikes not rising, shapes that differ, tau, errors or level out of
    range. Source: Stoll (1969); see the file.

    >>> K = np.array([90.0, 95.0, 100.0, 105.0, 110.0])
    >>> gap = 0.99 * (101.0 - K)
    >>> calls, puts = 20.0 + gap, np.full(5, 20.0)
    >>> fit = forward_from_parity(K, calls - 0.1, calls + 0.1, puts - 0.1, puts + 0.1, tau=0.25)
    >>> round(fit.forward, 9), round(fit.discount, 9), fit.pairs_used
    (101.0, 0.99, 5)
    """
    check_level(level)
    K, (cb, ca, pb, pa) = _check(strikes, (call_bids, call_asks, put_bids, put_asks))
    _positive("tau", tau)
    prepaid, prepaid_error = 0.0, math.inf
    if spot is not None:
        _positive("spot", spot)
        q = 0.0 if dividend_yield is None else dividend_yield
        given = _UNKNOWN_YIELD_ERROR if dividend_yield is None else _YIELD_ERROR
        q_error = _error("dividend_yield_error", dividend_yield_error, given)
        s_error = _error("spot_error", spot_error, _SPOT_ERROR * spot)
        prepaid = spot * math.exp(-q * tau) - dividends
        _positive("spot less dividends", prepaid)
        prepaid_error = math.hypot(s_error, tau * spot * q_error)
    bond, bond_error = 1.0, math.inf
    if rate is not None:
        bond = math.exp(-rate * tau)
        bond_error = bond * tau * _error("rate_error", rate_error, _RATE_ERROR)
    width = math.inf if near_money is None else near_money
    _positive("near_money", width)
    fates, weights = np.empty(K.size, np.int64), np.empty(K.size)
    priors = (prepaid, prepaid_error, bond, bond_error)
    F, se, D, D_error, scale, code, used = parity_kernel(
        K, cb, ca, pb, pa, priors, width, fates, weights
    )
    t = stdtrit(used - 2, 0.5 + 0.5 * level) if code == 0 else ndtri(0.5 + 0.5 * level)
    r = -math.log(D) / tau
    r_error = D_error / D / tau
    carry = math.nan if spot is None else math.log(F / spot) / tau
    return ParityForward(
        forward=F,
        forward_error=se,
        lower=F - t * se,
        upper=F + t * se,
        discount=D,
        discount_error=D_error,
        rate=r,
        rate_error=r_error,
        rate_share=min((D_error / bond_error) ** 2, 1.0),
        carry=carry,
        dividend_yield=r - carry,
        scale=scale,
        source=_source(code, with_priors=spot is not None or rate is not None),
        pairs_used=used,
        fates=fates,
        weights=weights,
        status=_verdict(code, fates, scale, (r - t * r_error, r + t * r_error)),
    )


def forward_from_european(
    strikes: ArrayLike,
    calls: ArrayLike,
    puts: ArrayLike,
    *,
    call_errors: ArrayLike,
    put_errors: ArrayLike,
    **options: Any,
) -> ParityForward:
    """Forward and discount from European-equivalent prices and their standard errors.

    The hook for American chains: take each price's early-exercise premium off with the forward at
    hand, call this, repeat until the forward rests. ``options`` as :func:`forward_from_parity`.
    """
    K, (C, P, c, p) = _check(strikes, (calls, puts, call_errors, put_errors))
    half = math.sqrt(3.0)  # a uniform this far to either side has standard deviation 1
    lift = half * float(np.nanmax(np.append(c, 0.0)) + np.nanmax(np.append(p, 0.0))) + 1.0
    C, P = C + lift, P + lift  # C - P stays, and no bid falls to zero
    return forward_from_parity(K, C - half * c, C + half * c, P - half * p, P + half * p, **options)


def _source(code: int, *, with_priors: bool) -> ForwardSource:
    if code > 2:
        return ForwardSource.NONE
    if code == 2:
        return ForwardSource.CARRY
    return ForwardSource.PARITY_AND_PRIORS if with_priors else ForwardSource.PARITY


def _verdict(code: int, fates: IntArray, scale: float, rates: tuple[float, float]) -> Status:
    """The status of the kernel's code; what it fitted may still not be parity."""
    if code in _UNFITTED:
        return _UNFITTED[code]
    off = np.count_nonzero(fates == PairFate.EXCLUDES)
    fitted = np.count_nonzero((fates == PairFate.USED) | (fates >= PairFate.OUTLIER))
    absurd = rates[1] < _LOWEST_RATE or rates[0] > _HIGHEST_RATE
    if off > _MOST_EXCLUDED * fitted or scale > _LOOSEST or absurd:
        return Status.NOT_RESOLVED
    return Status.TOO_FEW if code == 1 else Status.OK


def _check(strikes: ArrayLike, sides: tuple[ArrayLike, ...]) -> tuple[FloatArray, list[FloatArray]]:
    K = _floats("strikes", strikes)
    bad = np.flatnonzero(~((K > 0.0) & np.isfinite(K)))
    if bad.size:
        row = int(bad[0])
        raise InputError("a positive strike", met=float(K[row]), row=row + 1, column="strikes")
    bad = np.flatnonzero(np.diff(K) <= 0.0)
    if bad.size:
        row = int(bad[0]) + 1
        raise InputError(
            "rising strikes, each once", met=float(K[row]), row=row + 1, column="strikes"
        )
    out = [_floats("prices", side) for side in sides]
    for side in out:
        if side.shape != K.shape:
            raise InputError(f"prices of the shape of the strikes {K.shape}", met=side.shape)
    return K, out


def _floats(name: str, values: ArrayLike) -> FloatArray:
    try:
        x = np.array(values, np.float64, order="C")  # writable, whatever was given: one kernel
    except (TypeError, ValueError):
        raise InputError("an array of numbers", met=type(values).__name__, column=name) from None
    if x.ndim != 1:
        raise InputError("an array of shape (n_strikes,)", met=x.shape, column=name)
    return x


def _positive(name: str, value: float) -> None:
    if not value > 0.0:
        raise InputError("a positive number", met=value, column=name)


def _error(name: str, value: float | None, default: float) -> float:
    if value is None:
        return default
    _positive(name, value)
    return value


def parity_verdict(found: ParityForward) -> tuple[Status, str]:
    """The status a density may rest on, and why: few pairs are usable, broken parity is not."""
    if found.source is ForwardSource.NONE:
        return Status.NOT_IDENTIFIED, "no strike has both a call and a put, and no spot is known"
    if found.status is Status.NOT_RESOLVED:
        return found.status, "calls and puts do not agree on one forward"
    if found.status not in {Status.OK, Status.TOO_FEW}:
        return found.status, f"forward: {found.status}"
    if not (found.forward > 0.0 and math.isfinite(found.forward_error)):
        return Status.NOT_IDENTIFIED, "parity leaves the forward no error, or none above 0"
    return Status.OK, ""
