r"""Expectations under a smile's law: moments, payoffs, the variance swap, with errors and tails.

Each is a sum over the nodes of :mod:`.density_quantities_nodes`, its error the delta method's. With
m_n the central moments of the price, or of the log return y = log(S / F)::

    sd = sqrt(m_2),   skewness = m_3 / m_2^(3/2),   excess kurtosis = m_4 / m_2^2 - 3.

High moments live in the tails, which no quote covers: each comes with the share of its integral
E[(x - mean)^n] from beyond the first and last strike used (of the mean: of E[x] itself).

The fair strike of a variance swap, per year, is that of the log contract (Neuberger 1994;
Demeterfi, Derman, Kamal and Zou 1999), and the strip of listed strikes is its sum (Cboe, VIX)::

    -2 E[y] / tau,        (2 / tau) sum_i dK_i / K_i^2 V(K_i) - (F / K_0 - 1)^2 / tau

with V undiscounted out of the money and K_0 the last strike not above F. Their gap is what the
strip's ends and steps leave out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from eventtape.arrays import BoolArray, FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.density.breeden_litzenberger import Smile, smile_at
from eventtape.estimators.density.density_quantities_nodes import LawNodes, error_of, law_nodes
from eventtape.estimators.pricing.terminal_law import check_strikes

__all__ = [
    "DensityMoments",
    "Expectation",
    "FourMoments",
    "VarianceSwap",
    "expectation",
    "moments",
    "variance_swap",
]

_MEAN_GAP = 1e-8
_POWERS = np.arange(5)[:, None]


class FourMoments(NamedTuple):
    """Mean and standard deviation in units of the variable; kurtosis is 0 for a normal law."""

    mean: float
    sd: float
    skewness: float
    excess_kurtosis: float


class DensityMoments(NamedTuple):
    """Moments of the price and of the log return log(S / F), not annualised.

    - ``price``, ``log_return``; ``..._errors``: standard errors; ``..._beyond``: the share of each
      moment's integral from beyond the strikes used, NaN where these were not given.
    - ``mean_gap``: mean over forward, less 1, of the same sum.
    - ``status``: ``NOT_RESOLVED``, and the moments are NaN, where the gap is above 1e-8 in size,
      where a density negative in places leaves no variance above 0, and where volatilities are so
      high that no float holds a moment; ``NOT_IDENTIFIED`` for a smile that is no law.
    """

    price: FourMoments
    price_errors: FourMoments
    price_beyond: FourMoments
    log_return: FourMoments
    log_return_errors: FourMoments
    log_return_beyond: FourMoments
    mean_gap: float
    status: Status


class Expectation(NamedTuple):
    """E[payoff(S)], undiscounted, and its standard error."""

    value: float
    error: float
    status: Status


class VarianceSwap(NamedTuple):
    """Fair variance per year: of the log contract with its error, and of the strip (or NaN)."""

    log_contract: float
    error: float
    strip: float
    status: Status


_NONE = FourMoments(*(math.nan,) * 4)


def moments(
    smile: Smile, *, low_strike: float | None = None, high_strike: float | None = None
) -> DensityMoments:
    """Mean, sd, skewness and excess kurtosis of price and log return, with errors and tails.

    ``low_strike``, ``high_strike``: first and last strike used, for the shares beyond.
    """
    low = 0.0 if low_strike is None else low_strike
    high = math.inf if high_strike is None else high_strike
    if not 0.0 <= low < high:
        raise InputError("0 < low_strike < high_strike", met=(low_strike, high_strike))
    F = smile.forward
    ends = np.log(np.array([x for x in (low, high) if 0.0 < x < math.inf]) / F)
    nodes = law_nodes(smile, power=4.0, at=ends)
    if nodes is None:
        return DensityMoments(*(_NONE,) * 6, math.nan, Status.NOT_IDENTIFIED)
    with np.errstate(over="ignore", invalid="ignore"):
        growth = np.expm1(nodes.y)
        gap = float(growth @ nodes.mass + (nodes.mass.sum() - 1.0))
    if not abs(gap) < _MEAN_GAP:
        return DensityMoments(*(_NONE,) * 6, gap, Status.NOT_RESOLVED)
    S = F * np.exp(nodes.y)
    beyond = ~((low < S) & (high > S))
    known = low_strike is not None or high_strike is not None
    parts = [_four(smile, nodes, x, at, beyond) for x, at in ((growth, 1.0), (nodes.y, 0.0))]
    if parts[0] is None or parts[1] is None:
        return DensityMoments(*(_NONE,) * 6, gap, Status.NOT_RESOLVED)
    (price, price_errors, price_part), (log, log_errors, log_part) = parts[0], parts[1]
    mean_error = math.hypot(F * price_errors.mean, smile.forward_error)
    sd_error = math.hypot(F * price_errors.sd, price.sd * smile.forward_error)
    return DensityMoments(
        FourMoments(F * (1.0 + price.mean), F * price.sd, *price[2:]),
        FourMoments(mean_error, sd_error, *price_errors[2:]),
        price_part if known else _NONE,
        log,
        log_errors,
        log_part if known else _NONE,
        gap,
        Status.OK,
    )


def expectation(
    smile: Smile,
    payoff: Callable[[FloatArray], FloatArray],
    *,
    corners: ArrayLike = (),
    power: float = 1.0,
) -> Expectation:
    """E[payoff(S)] at expiry, undiscounted, with its error.

    Parameters
    ----------
    smile
        As fitted.
    payoff
        From prices ``(n,)`` to amounts ``(n,)``.
    corners
        Prices at which the payoff has a corner or a jump; between them it is smooth.
    power
        The power of the price it grows with.
    """
    at = np.log(np.atleast_1d(check_strikes(corners)) / smile.forward)
    nodes = law_nodes(smile, power=power, at=at)
    if nodes is None:
        return Expectation(math.nan, math.nan, Status.NOT_IDENTIFIED)
    S = smile.forward * np.exp(nodes.y)
    amounts = np.asarray(payoff(S), np.float64)
    if amounts.shape != S.shape:
        raise InputError(f"amounts of shape {S.shape}, as the prices", met=amounts.shape)
    if not np.isfinite(amounts).all():
        return Expectation(math.nan, math.nan, Status.NOT_RESOLVED)
    value, slope = nodes.expect(amounts[None])
    error = float(error_of(smile, slope)[0])
    if smile.forward_error > 0.0:
        h = 1e-5
        up, down = (np.asarray(payoff(S * x), np.float64) @ nodes.mass for x in (1 + h, 1 - h))
        error = math.hypot(error, smile.forward_error / smile.forward * (up - down) / (2.0 * h))
    return Expectation(float(value[0]), error, Status.OK)


def variance_swap(smile: Smile, strikes: ArrayLike | None = None) -> VarianceSwap:
    """Fair variance per year: log contract with error, and the strip at ``strikes``, rising."""
    nodes = law_nodes(smile)
    strip = math.nan
    if nodes is None:
        return VarianceSwap(math.nan, math.nan, strip, Status.NOT_IDENTIFIED)
    value, slope = nodes.expect(nodes.y[None])
    if strikes is not None:
        strip = _strip(smile, check_strikes(strikes))
    scale = -2.0 / smile.tau
    error = abs(scale) * float(error_of(smile, slope)[0])
    return VarianceSwap(scale * float(value[0]), error, strip, Status.OK)


def _strip(smile: Smile, K: FloatArray) -> float:
    F = smile.forward
    if K.ndim != 1 or K.size < 3 or not (np.diff(K) > 0.0).all() or not K[0] <= F <= K[-1]:
        raise InputError("three or more rising strikes around the forward", met=K.tolist())
    v, _, _ = smile_at(smile, K)
    k = np.log(K / F)
    d2 = -k / v - 0.5 * v
    put = K * ndtr(-d2) - F * ndtr(-d2 - v)
    below = int(np.searchsorted(K, F, side="right")) - 1
    out = np.where(np.arange(K.size) < below, put, put + F - K)
    out[below] = put[below] + 0.5 * (F - K[below])  # the mean of put and call at K_0
    width = np.empty(K.size)
    width[1:-1] = 0.5 * (K[2:] - K[:-2])
    width[0], width[-1] = K[1] - K[0], K[-1] - K[-2]
    total = 2.0 * ((width / K**2) @ out) - (F / K[below] - 1.0) ** 2
    return float(total / smile.tau)


def _four(
    smile: Smile, nodes: LawNodes, x: FloatArray, shift: float, beyond: BoolArray
) -> tuple[FourMoments, FourMoments, FourMoments] | None:
    """Moments of x, their errors, and the shares from beyond; the mean's of E[x + shift].

    None where the variance is not positive, or a moment beyond what a float holds.
    """
    mean = float(x @ nodes.mass)
    with np.errstate(over="ignore", invalid="ignore"):
        powers = (x - mean) ** _POWERS
        m, slope = nodes.expect(powers)
    if not (m[2] > 0.0 and np.isfinite(m).all() and np.isfinite(slope).all()):
        return None
    m1_slope = nodes.expect(x[None])[1][0]
    # The centre moves too: d m_n = d E[(x - c)^n] - n m_(n-1) dc
    s = [slope[n] - n * m[n - 1] * m1_slope for n in range(2, 5)]
    sd = math.sqrt(m[2])
    skewness, kurtosis = m[3] / sd**3, m[4] / sd**4
    slopes = np.array(
        [
            m1_slope,
            s[0] / (2.0 * sd),
            s[1] / sd**3 - 1.5 * skewness * s[0] / m[2],
            s[2] / sd**4 - 2.0 * kurtosis * s[0] / m[2],
        ]
    )
    outside = np.where(beyond, powers, 0.0) @ nodes.mass
    whole = mean + shift
    part = float(np.where(beyond, x + shift, 0.0) @ nodes.mass) / whole if whole else math.nan
    shares = [float(outside[n] / m[n]) if m[n] else math.nan for n in range(2, 5)]
    return (
        FourMoments(mean, sd, float(skewness), float(kurtosis - 3.0)),
        FourMoments(*error_of(smile, slopes).tolist()),
        FourMoments(part, *shares),
    )
