r"""Kou's jump diffusion fitted to one expiry's prices: how much diffusion, how many jumps each way?

The law is that of :mod:`eventtape.estimators.pricing.kou`. It is fitted by weighted least squares
in the logs of (sigma, lam_up, lam_down, mean_up, mean_down), lam_up = lam p and lam_down =
lam (1 - p), from several starts. The Jacobian is exact: with psi = exp(tau E) on the contour of
:mod:`.fourier`, z = iu + 1/2,

    dV/dx = -F exp(k/2)/pi int Re[exp(-iuk) psi tau dE/dx] / (u^2 + 1/4) du,

one product of the waves of the strikes, made once, with a column a parameter.

One expiry says little about rare small jumps: their number and size trade off. Where the prices do
not need jumps (:mod:`.price_fit`), or a parameter ends at its bound or has no finite error, the
parameters are NaN and say so; the law and its density stand.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

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
from eventtape.estimators.pricing.fourier import ComplexArray, frequencies
from eventtape.estimators.pricing.kou import Kou
from eventtape.estimators.pricing.lognormal_mixture import LognormalMixture, lognormal

__all__ = ["KouFit", "KouParams", "fit_kou"]

_LEAST = 7  # quotes at different strikes
_NARROWEST = 0.2  # of the one volatility that fits best
_POLISHED = 2
_LARGEST_JUMP = 0.5  # mean, in log price
_SIGMAS = 8.5  # exp(-8.5^2/2) is 2e-16


class KouParams(NamedTuple):
    """``vol`` per root of a year, ``intensity`` a year, mean jumps in log price."""

    vol: float
    intensity: float
    up_probability: float
    mean_up: float
    mean_down: float


class KouFit(NamedTuple):
    """The fit, its standard errors, and the law: pdf, cdf and prices at any strike.

    - ``law``: Kou's, or Black's where the prices need no jumps; ``None`` without one.
    - ``rmse``: of prices (undiscounted), of the law given.
    - ``chi2``: of the law given; about n where the errors are right.
    - ``p_value``: that one volatility without jumps would do; above 0.01 ``NOT_IDENTIFIED``.
    - ``status``: ``NOT_RESOLVED`` where a parameter stands at the end of its range, has no finite
      error, or the probability's error reaches 0.5 (the law stands, the
      parameters are NaN), ``TOO_FEW`` under seven strikes.
    """

    params: KouParams
    errors: KouParams
    law: Kou | LognormalMixture | None
    rmse: float
    chi2: float
    p_value: float
    status: Status


_NONE = KouParams(*(math.nan,) * 5)


def fit_kou(
    strikes: ArrayLike,
    is_call: ArrayLike,
    prices: ArrayLike,
    errors: ArrayLike,
    *,
    forward: float,
    tau: float,
    discount: float = 1.0,
) -> KouFit:
    """Kou's law behind European prices of one expiry, with errors and a verdict on its jumps.

    Parameters
    ----------
    strikes, is_call, prices, errors
        ``(n,)``: premiums (discounted) and their standard errors, the noise of a quote.
    forward
        Mean of the law, held.
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
        return KouFit(_NONE, _NONE, None, math.nan, math.nan, math.nan, Status.TOO_FEW)
    one = black_fit(quotes, forward)
    vol = math.exp(one.x[0]) / math.sqrt(tau)
    full = _fit(quotes, forward, tau, vol)
    p_value = needless(one, full, n)
    law: Kou | LognormalMixture
    params = errs = _NONE
    if p_value > LEVEL:
        law, chi2, status = lognormal(forward, tau, vol), one.chi2, Status.NOT_IDENTIFIED
        if one.at_bound[0]:
            status = Status.NO_CONVERGENCE
    else:
        found, sd = _named(full, covariance(full, n))
        law, chi2 = Kou(float(forward), float(tau), *found), full.chi2
        resolved = bool(np.isfinite(sd).all() and not full.at_bound.any() and sd[2] < 0.5)
        status = Status.OK if resolved else Status.NOT_RESOLVED
        if not full.converged:
            status = Status.NO_CONVERGENCE
        if status is Status.OK:
            params, errs = found, sd
    if status is Status.NO_CONVERGENCE:
        return KouFit(_NONE, _NONE, None, math.nan, math.nan, p_value, status)
    rmse = math.sqrt(float(np.mean((law.call(quotes.strikes) - quotes.calls) ** 2)))
    return KouFit(params, errs, law, rmse, chi2, p_value, status)


def _fit(quotes: Quotes, forward: float, tau: float, vol: float) -> Minimum:
    K, at = np.unique(quotes.strikes, return_inverse=True)
    k = np.log(K / forward)
    narrow = 0.5 * (_NARROWEST * vol) ** 2 * tau
    # Jumps only lower the modulus of psi / psi(0).
    u = frequencies(lambda end: math.exp(-narrow * end * end), float(np.abs(k).max()))
    z = np.asarray(1j * u + 0.5, np.complex128)
    rule = np.full(u.size, u[1] / math.pi)
    rule[0] *= 0.5
    waves = np.exp(-1j * np.outer(k, u)) * (rule / (u * u + 0.25))
    height = (forward * np.exp(0.5 * k))[:, None]

    def needed(x: FloatArray) -> int:
        """Nodes until the diffusion alone brings psi below rounding."""
        sd = math.exp(x[0]) * math.sqrt(tau)
        return min(math.ceil(_SIGMAS / (sd * float(u[1]))), int(u.size))

    def residuals(x: FloatArray) -> FloatArray:
        n = needed(x)
        capped = height[:, 0] * (waves[:, :n] @ np.exp(tau * _exponent(x, z[:n]))).real
        return np.asarray((forward - capped[at] - quotes.calls) / quotes.errors)

    def jacobian(x: FloatArray) -> FloatArray:
        n = needed(x)
        psi = np.exp(tau * _exponent(x, z[:n]))
        slopes = -tau * height * (waves[:, :n] @ (psi[:, None] * _slopes(x, z[:n]))).real
        return np.asarray(slopes[at] / quotes.errors[:, None])

    sd = vol * math.sqrt(tau)
    largest = math.log(_LARGEST_JUMP)
    rare, many = math.log(1e-3 / tau), math.log(20.0 / tau)
    smallest = math.log(0.05 * sd)
    low = np.array([math.log(_NARROWEST * vol), rare, rare, smallest, smallest])
    high = np.array([math.log(1.5 * vol), many, many, largest, largest])
    starts = np.array(
        [
            [
                math.log(share * vol),
                math.log(up / tau),
                math.log(down / tau),
                math.log(a),
                math.log(b),
            ]
            for share in (0.6, 0.85)
            for up, down in ((0.1, 0.1), (0.5, 0.5), (0.05, 0.5), (0.5, 0.05))
            for a, b in ((sd, sd), (0.5 * sd, 1.5 * sd), (1.5 * sd, 0.5 * sd))
        ]
    )
    starts = np.clip(starts, low, high)
    cost = np.array([np.sum(residuals(x) ** 2) for x in starts])
    return minimise(residuals, jacobian, starts[np.argsort(cost)[:_POLISHED]], low, high)


def _exponent(x: FloatArray, z: ComplexArray) -> ComplexArray:
    """The log of psi over tau at z = iu + 1/2."""
    s, up, down, a, b = np.exp(x)
    ups = 1.0 / (1.0 - z * a) - 1.0 - z * a / (1.0 - a)
    downs = 1.0 / (1.0 + z * b) - 1.0 + z * b / (1.0 + b)
    return np.asarray(0.5 * s * s * (z * z - z) + up * ups + down * downs)


def _slopes(x: FloatArray, z: ComplexArray) -> ComplexArray:
    """Derivatives of log psi / tau by the logs in x, ``(n_u, 5)``."""
    s, up, down, a, b = np.exp(x)
    ups = 1.0 / (1.0 - z * a) - 1.0 - z * a / (1.0 - a)
    downs = 1.0 / (1.0 + z * b) - 1.0 + z * b / (1.0 + b)
    by_up = z * a * ((1.0 - z * a) ** -2 - (1.0 - a) ** -2)
    by_down = z * b * ((1.0 + b) ** -2 - (1.0 + z * b) ** -2)
    return np.stack([s * s * (z * z - z), up * ups, down * downs, up * by_up, down * by_down], 1)


def _named(fit: Minimum, cov: FloatArray) -> tuple[KouParams, KouParams]:
    """Parameters and their errors by the delta method."""
    s, up, down, a, b = np.exp(fit.x).tolist()
    p = up / (up + down)
    by_x = np.zeros((5, 5))
    by_x[0, 0], by_x[1, 1], by_x[1, 2] = s, up, down
    by_x[2, 1], by_x[2, 2] = p * (1.0 - p), -p * (1.0 - p)
    by_x[3, 3], by_x[4, 4] = a, b
    sd = np.sqrt(np.einsum("ij,jk,ik->i", by_x, cov, by_x))
    return KouParams(s, up + down, p, a, b), KouParams(*sd.tolist())
