r"""Two lognormal states fitted to one expiry's prices: which two, and do the prices need two?

The price of a call is a mixture of two Black prices whose mean is the forward (Bahra 1997; Melick
and Thomas 1997), w_j = s_j sqrt(tau)::

    V(K) = p B(m1, K, w1) + (1 - p) B(m2, K, w2),       p m1 + (1 - p) m2 = F,

fitted by weighted least squares in (logit p, log m2/m1, log w1, log w2) with the exact Jacobian,
from the best of a grid of starts (chi2 has several minima). A component narrower than a tenth of
the whole, or rarer than 1 in 400, is not searched.

Exchanging the two states changes nothing, so they are put in order: by mean where the log means are
two standard errors apart, else by volatility. Where the prices do not need two
(:mod:`.price_fit`) the states are not identified: NaN, and the law is Black's.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtr

from eventtape.arrays import FloatArray, Status
from eventtape.estimators.density.price_fit import (
    LEVEL,
    Minimum,
    Quotes,
    black_fit,
    check_quotes,
    covariance,
    minimise,
    needless,
)
from eventtape.estimators.pricing.lognormal_mixture import LognormalMixture, lognormal

__all__ = ["TwoLognormal", "TwoLognormalParams", "fit_two_lognormal"]

_ROOT_2PI = math.sqrt(2.0 * math.pi)
_POLISHED = 4  # starts taken to their minimum
_LEAST = 6  # quotes at different strikes


class TwoLognormalParams(NamedTuple):
    """State 1 has ``probability``; means in price units, vols per square root of a year."""

    probability: float
    mean_1: float
    mean_2: float
    vol_1: float
    vol_2: float


class TwoLognormal(NamedTuple):
    """The fit, its standard errors, and the law: pdf, cdf and prices at any strike.

    - ``law``: the two states, or Black's law where the status is not ``OK`` for want of a second;
      ``None`` without one.
    - ``rmse``: of prices (undiscounted), of the law given.
    - ``chi2``: of the law given; about n where the errors are right.
    - ``p_value``: that one volatility would do; above 0.01 the states are ``NOT_IDENTIFIED``.
    - ``status``: ``NOT_RESOLVED`` where a parameter stands at the end of its range, has no finite
      error, or the probability's error reaches 0.5 (the law stands, the states
      are NaN), ``TOO_FEW`` under six strikes.
    """

    params: TwoLognormalParams
    errors: TwoLognormalParams
    law: LognormalMixture | None
    rmse: float
    chi2: float
    p_value: float
    status: Status


_NONE = TwoLognormalParams(*(math.nan,) * 5)


def fit_two_lognormal(
    strikes: ArrayLike,
    is_call: ArrayLike,
    prices: ArrayLike,
    errors: ArrayLike,
    *,
    forward: float,
    tau: float,
    discount: float = 1.0,
) -> TwoLognormal:
    """Two lognormal states behind European prices of one expiry, with errors and a verdict.

    Parameters
    ----------
    strikes, is_call, prices, errors
        ``(n,)``: premiums (discounted) and their standard errors, the noise of a quote.
    forward
        Mean of both states together, held.
    tau
        Years to expiry.
    discount
        Price today of 1 at expiry.

    Raises
    ------
    InputError
        As :func:`.price_fit.check_quotes`.
    """
    quotes = check_quotes(
        strikes, is_call, prices, errors, forward=forward, tau=tau, discount=discount
    )
    n = quotes.strikes.size
    if np.unique(quotes.strikes).size < _LEAST:
        return TwoLognormal(_NONE, _NONE, None, math.nan, math.nan, math.nan, Status.TOO_FEW)
    one = black_fit(quotes, forward)
    two = _fit(quotes, forward, math.exp(one.x[0]))
    p_value = needless(one, two, n)
    if p_value > LEVEL:
        law = lognormal(forward, tau, math.exp(one.x[0]) / math.sqrt(tau))
        status = Status.NO_CONVERGENCE if one.at_bound[0] else Status.NOT_IDENTIFIED
        params = errs = _NONE
        chi2 = one.chi2
    else:
        params, errs, resolved = _states(two, covariance(two, n), forward, tau)
        p, m1, m2, s1, s2 = params
        law = LognormalMixture(
            np.array([p, 1.0 - p]), np.array([m1, m2]), np.array([s1, s2]), float(tau)
        )
        chi2 = two.chi2
        status = Status.OK if resolved else Status.NOT_RESOLVED
        if not two.converged:
            status = Status.NO_CONVERGENCE
        if status is not Status.OK:
            params = errs = _NONE
    if status is Status.NO_CONVERGENCE:
        return TwoLognormal(_NONE, _NONE, None, math.nan, math.nan, p_value, status)
    rmse = math.sqrt(float(np.mean((law.call(quotes.strikes) - quotes.calls) ** 2)))
    return TwoLognormal(params, errs, law, rmse, chi2, p_value, status)


def _fit(quotes: Quotes, forward: float, w0: float) -> Minimum:
    K, log_K, target, e = quotes.strikes, np.log(quotes.strikes), quotes.calls, quotes.errors

    def parts(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        p, ratio = float(expit(x[0])), math.exp(x[1])
        m1 = forward / (p + (1.0 - p) * ratio)
        weights, m, w = np.array([p, 1.0 - p]), np.array([m1, m1 * ratio]), np.exp(x[2:])
        d1 = (np.log(m) - log_K[:, None]) / w + 0.5 * w
        delta = ndtr(d1)
        return weights, m, w * np.exp(-0.5 * d1 * d1) / _ROOT_2PI, delta, ndtr(d1 - w)

    def residuals(x: FloatArray) -> FloatArray:
        weights, m, _, delta, above = parts(x)
        return np.asarray(((m * delta - K[:, None] * above) @ weights - target) / e)

    def jacobian(x: FloatArray) -> FloatArray:
        weights, m, slope, delta, above = parts(x)
        p, q = weights
        black = m * delta - K[:, None] * above
        by_p = black[:, 0] - black[:, 1] - (m[0] - m[1]) / forward * (delta @ (weights * m))
        by_ratio = p * q * m[0] * m[1] / forward * (delta[:, 1] - delta[:, 0])
        return np.column_stack([p * q * by_p, by_ratio, slope * (weights * m)]) / e[:, None]

    low = np.array([-6.0, -8.0 * w0, math.log(0.1 * w0), math.log(0.1 * w0)])
    high = np.array([6.0, 8.0 * w0, math.log(8.0 * w0), math.log(8.0 * w0)])
    starts = _starts(w0)
    cost = np.array([np.sum(residuals(x) ** 2) for x in starts])
    return minimise(residuals, jacobian, starts[np.argsort(cost)[:_POLISHED]], low, high)


def _starts(w0: float) -> FloatArray:
    """States apart by 0 to 2 sd and of 0.3 to 3 times each other's width, total variance kept.

    Exchanged states are the same law: the second mean is never the lower.
    """
    out = []
    for p, apart, ratio in itertools.product(
        (0.1, 0.3, 0.5, 0.7, 0.9), (0.0, 0.5, 1.0, 1.5, 2.0), (0.3, 0.6, 1.0, 1.7, 3.0)
    ):
        if apart == 0.0 and ratio == 1.0:
            continue
        between = min(p * (1.0 - p) * apart**2, 0.9)
        w1 = w0 * math.sqrt((1.0 - between) / (p + (1.0 - p) * ratio**2))
        out.append([float(logit(p)), apart * w0, math.log(w1), math.log(w1 * ratio)])
    return np.array(out)


def _states(
    fit: Minimum, cov: FloatArray, forward: float, tau: float
) -> tuple[TwoLognormalParams, TwoLognormalParams, bool]:
    """Parameters in order, their errors by the delta method, and whether all are resolved."""
    p, ratio = float(expit(fit.x[0])), math.exp(fit.x[1])
    q = 1.0 - p
    m1 = forward / (p + q * ratio)
    m2, (s1, s2) = m1 * ratio, np.exp(fit.x[2:]) / math.sqrt(tau)
    tilt = p * q * (m1 - m2) / forward
    by_x = np.array(
        [
            [p * q, 0.0, 0.0, 0.0],
            [-m1 * tilt, -m1 * q * m2 / forward, 0.0, 0.0],
            [-m2 * tilt, m2 * p * m1 / forward, 0.0, 0.0],
            [0.0, 0.0, s1, 0.0],
            [0.0, 0.0, 0.0, s2],
        ]
    )
    values = (p, m1, m2, float(s1), float(s2))
    sd = tuple(np.sqrt(np.einsum("ij,jk,ik->i", by_x, cov, by_x)).tolist())
    resolved = bool(np.isfinite(cov).all() and not fit.at_bound.any() and sd[0] < 0.5)
    apart = resolved and abs(fit.x[1]) > 2.0 * math.sqrt(cov[1, 1])
    if (m1 > m2) if apart else (s1 > s2):
        values = (1.0 - values[0], values[2], values[1], values[4], values[3])
        sd = (sd[0], sd[2], sd[1], sd[4], sd[3])
    return TwoLognormalParams(*values), TwoLognormalParams(*sd), resolved
