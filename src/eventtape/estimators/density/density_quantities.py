r"""What a fitted smile says at a strike or of an event: density, probability, quantile, tails.

All from the closed forms of :mod:`.breeden_litzenberger`, nothing is differenced. Errors are by the
delta method: a quantity with slope s in the smile's coefficients and slope t in the forward has
error^2 = \|H s\|^2 + (t e_F)^2, with t taken at a smile fixed in log-moneyness. They take the
hyper-parameters as known. Pdf is per unit of strike; volatilities are per square root of a year.

- Quantile: the K with Q(K) = p, error e_Q / q. Where the smile's distribution is not monotone and
  takes the value p more than once there is none.
- Tails: what lies beyond the first and last strike used is the prior mean's, not the quotes'; its
  mass and its share of the variance of log(S / F) say how much of an answer is so.

Moments, expectations and the variance swap: :mod:`.density_quantities_moments`.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.density.breeden_litzenberger import Smile, law_with_errors
from eventtape.estimators.density.density_quantities_nodes import error_of, law_at, law_nodes
from eventtape.estimators.pricing.terminal_law import check_strikes

__all__ = [
    "DensityAt",
    "Probability",
    "QuantileFate",
    "Quantiles",
    "TailShares",
    "density_at",
    "event_probability",
    "quantiles",
    "tails",
]

_FAR = 1e3  # standard deviations: the wings have gone flat


class DensityAt(NamedTuple):
    """At each strike ``(n,)``: pdf per unit of strike, cdf, vol per sqrt(year), their errors."""

    pdf: FloatArray
    cdf: FloatArray
    vol: FloatArray
    pdf_error: FloatArray
    cdf_error: FloatArray
    vol_error: FloatArray


class QuantileFate(IntEnum):
    """What became of one probability; a quantile that is not ``OK`` is NaN."""

    OK = 0
    NOT_MONOTONE = 1  # the distribution takes this value more than once
    OUT_OF_REACH = 2  # it lies beyond ten standard deviations of the wings
    NO_LAW = 3


class Quantiles(NamedTuple):
    """Prices ``(n,)`` below which the law has the given probabilities; errors; fates."""

    prices: FloatArray
    errors: FloatArray
    status: NDArray[np.int8]


class Probability(NamedTuple):
    """A probability and its standard error; NaN where the smile is no law."""

    probability: float
    error: float
    status: Status


class TailShares(NamedTuple):
    """What lies beyond the quotes, on either side, and what it rests on.

    - ``mass_below``, ``mass_above``: probabilities and their errors.
    - ``variance_below``, ``variance_above``: shares of the variance of log(S / F).
    - ``vol_below``, ``vol_above``: volatility at the last strike either side;
      ``wing_vol_below``, ``wing_vol_above``: where the wings have gone flat; and errors.
    """

    mass_below: float
    mass_below_error: float
    mass_above: float
    mass_above_error: float
    variance_below: float
    variance_above: float
    vol_below: float
    vol_above: float
    wing_vol_below: float
    wing_vol_below_error: float
    wing_vol_above: float
    wing_vol_above_error: float
    status: Status


def density_at(smile: Smile, strikes: ArrayLike) -> DensityAt:
    """Density, distribution, volatility and their standard errors at ``strikes`` ``(n,)``.

    NaN where the volatility is not positive, and throughout for a chain that has no smile.
    """
    K = np.ascontiguousarray(np.atleast_1d(check_strikes(strikes)))
    law = np.full((6, K.size), math.nan)
    if smile.coefficients.size:
        law_with_errors(
            K, smile.forward, smile.forward_error, smile.reference, smile.centre, smile.half,
            smile.coefficients, smile.factor, law,
        )  # fmt: skip
    root = math.sqrt(smile.tau)
    return DensityAt(law[1], law[2], law[0] / root, law[4], law[5], law[3] / root)


def quantiles(smile: Smile, probabilities: ArrayLike) -> Quantiles:
    """Quantiles of the price at expiry, ``(n,)``, by bracketed Newton steps on the closed form.

    Raises
    ------
    InputError
        A probability that is not strictly between 0 and 1.
    """
    p = np.atleast_1d(np.asarray(probabilities, np.float64))
    bad = np.flatnonzero(~((p > 0.0) & (p < 1.0)))
    if bad.size:
        row = int(bad[0]) + 1
        raise InputError("between 0 and 1", met=float(p[bad[0]]), row=row, column="probabilities")
    fate = np.full(p.size, QuantileFate.NO_LAW, np.int8)
    prices, errors = np.full(p.size, math.nan), np.full(p.size, math.nan)
    nodes = law_nodes(smile)
    if nodes is None:
        return Quantiles(prices, errors, fate)
    grid = smile.forward * np.exp(nodes.y)
    Q = density_at(smile, grid).cdf
    above = p[:, None] < Q
    crossings = np.count_nonzero(above[:, 1:] != above[:, :-1], axis=1)
    fate[:] = QuantileFate.NOT_MONOTONE
    fate[(crossings == 0) | above[:, 0] | ~above[:, -1]] = QuantileFate.OUT_OF_REACH
    fate[(crossings == 1) & ~above[:, 0]] = QuantileFate.OK
    ok = np.flatnonzero(fate == QuantileFate.OK)
    if not ok.size:
        return Quantiles(prices, errors, fate)
    first = np.argmax(above[ok], axis=1)
    low, high, wanted = nodes.y[first - 1], nodes.y[first], p[ok]
    y = 0.5 * (low + high)
    for _ in range(100):
        at = density_at(smile, smile.forward * np.exp(y))
        miss = at.cdf - wanted
        low, high = np.where(miss <= 0.0, y, low), np.where(miss > 0.0, y, high)
        steep = at.pdf * smile.forward * np.exp(y)
        step = np.where(steep > 0.0, y - miss / np.where(steep > 0.0, steep, 1.0), math.nan)
        inside = (step > low) & (step < high)
        new = np.where(inside, step, 0.5 * (low + high))
        moved, y = np.abs(new - y).max(), new
        if moved < 1e-15:
            break
    prices[ok] = smile.forward * np.exp(y)
    at = density_at(smile, prices[ok])
    errors[ok] = np.where(at.pdf > 0.0, at.cdf_error / at.pdf, math.nan)
    return Quantiles(prices, errors, fate)


def event_probability(smile: Smile, low: float = 0.0, high: float = math.inf) -> Probability:
    """Probability that the price at expiry is above ``low`` and at or below ``high``.

    The error takes the two ends together: a shift they share cancels.
    """
    if not 0.0 <= low < high:
        raise InputError("0 <= low < high", met=(low, high))
    total, slope, forward_slope = 0.0, np.zeros(smile.coefficients.size), 0.0
    for end, sign, edge in ((high, 1.0, 1.0), (low, -1.0, 0.0)):
        if not 0.0 < end < math.inf:
            total += sign * edge
            continue
        at = density_at(smile, [end])
        total += sign * float(at.cdf[0])
        if smile.coefficients.size:
            law = law_at(smile, np.array([math.log(end / smile.forward)]))
            slope = slope + sign * law.below_slope[:, 0]
        forward_slope -= sign * float(at.pdf[0]) * end / smile.forward
    if not math.isfinite(total) or not smile.coefficients.size:
        return Probability(math.nan, math.nan, Status.NOT_IDENTIFIED)
    error = math.hypot(float(error_of(smile, slope)), forward_slope * smile.forward_error)
    return Probability(total, error, Status.OK)


def tails(smile: Smile, low_strike: float, high_strike: float) -> TailShares:
    """Mass, variance and volatility beyond the first and last strike used, with errors."""
    if not 0.0 < low_strike < high_strike < math.inf:
        raise InputError("0 < low_strike < high_strike", met=(low_strike, high_strike))
    ends = np.log(np.array([low_strike, high_strike]) / smile.forward)
    nodes = law_nodes(smile, at=ends)
    if nodes is None:
        return TailShares(*(math.nan,) * 12, Status.NOT_IDENTIFIED)
    at = density_at(smile, [low_strike, high_strike])
    square = (nodes.y - nodes.y @ nodes.mass) ** 2 * nodes.mass
    variance = square.sum()
    wing = law_at(smile, smile.reference * np.array([-_FAR, _FAR]))
    root = math.sqrt(smile.tau)
    vols, errors = wing.vol / root, error_of(smile, wing.vol_slope.T) / root
    return TailShares(
        float(at.cdf[0]), float(at.cdf_error[0]),
        float(1.0 - at.cdf[1]), float(at.cdf_error[1]),
        float(square[nodes.y < ends[0]].sum() / variance),
        float(square[nodes.y > ends[1]].sum() / variance),
        float(at.vol[0]), float(at.vol[1]),
        float(vols[0]), float(errors[0]), float(vols[1]), float(errors[1]),
        Status.OK,
    )  # fmt: skip
