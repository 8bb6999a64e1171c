r"""The SVI smile nearest to one expiry's implied volatilities, with errors.

With y = k - m and the slopes of the two wings as parameters the smile is linear in three of five::

    w = a + right (h + y) / 2 + left (h - y) / 2,   h = sqrt(y^2 + sigma^2),
    b = (right + left) / 2,    b rho = (right - left) / 2,

and both slopes are kept within Lee's bounds, 0 to 2. Each of a grid of (m, sigma) is solved for the
three (the quasi-explicit start of De Marco and Martini, Zeliade 2009), and the best few polished
in all five by least squares with the exact Jacobian. sigma is not sought below half the
spacing of the strikes: a vertex sharper than that lies between two of them.

Volatilities v_i with errors e_i enter as v_i^2 tau with errors 2 v_i tau e_i. The density of the
fit is the smile's own: :func:`.svi.svi_butterfly` says where it is none.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.density.price_fit import Minimum, covariance, minimise
from eventtape.estimators.density.svi import Butterfly, Svi, SviLaw, svi_butterfly
from eventtape.estimators.pricing.terminal_law import check_positive, check_strikes

__all__ = ["SviFit", "fit_svi"]

_LEAST = 6  # different strikes
_POLISHED = 5


class SviFit(NamedTuple):
    """The smile, its standard errors, its law and its arbitrage.

    - ``law``: density and prices as the smile has them; ``None`` without a fit.
    - ``rmse``: of volatilities.
    - ``chi2``: of total variances; about n where the errors are right.
    - ``butterfly``: ``free`` is False where the density is none; ``None`` without a fit.
    - ``status``: ``NOT_RESOLVED`` where a parameter stands at the end of its range or has no finite
      error, rho's error passes 1 (half its range), or the nearest smile has a negative variance
      somewhere and one with a > 0 stands in for it (the law stands, the parameters are NaN);
      ``TOO_FEW`` under six strikes.
    """

    params: Svi
    errors: Svi
    law: SviLaw | None
    rmse: float
    chi2: float
    butterfly: Butterfly | None
    status: Status


_NONE = Svi(*(math.nan,) * 5)


def fit_svi(
    strikes: ArrayLike, vols: ArrayLike, errors: ArrayLike, *, forward: float, tau: float
) -> SviFit:
    """The SVI smile of one expiry, its law and a report of its butterfly arbitrage.

    Parameters
    ----------
    strikes
        ``(n,)``, above 0, in any order; a strike may come twice (call and put).
    vols, errors
        Implied volatilities per square root of a year and their standard errors, ``(n,)``.
    forward, tau
        Forward, years to expiry.

    Raises
    ------
    InputError
        Arrays not of one shape ``(n,)``; a strike, volatility, error, forward or tau not above 0.
    """
    check_positive(forward=forward, tau=tau)
    K, v, e = check_strikes(strikes), np.asarray(vols, np.float64), np.asarray(errors, np.float64)
    if K.ndim != 1 or not K.shape == v.shape == e.shape:
        raise InputError(
            "strikes, vols and errors of one shape (n,)", met=(K.shape, v.shape, e.shape)
        )
    for name, x in (("vols", v), ("errors", e)):
        bad = np.flatnonzero(~((x > 0.0) & np.isfinite(x)))
        if bad.size:
            raise InputError(
                "a finite value above 0", met=float(x[bad[0]]), row=int(bad[0]) + 1, column=name
            )
    if np.unique(K).size < _LEAST:
        return SviFit(_NONE, _NONE, None, math.nan, math.nan, None, Status.TOO_FEW)
    k = np.log(K / forward)
    w, w_errors = v * v * tau, 2.0 * v * tau * e
    fit = _fit(k, w, w_errors, least=-20.0 * float(w.max()))
    pressed = svi_butterfly(_raw(fit.x)).min_variance <= 0.0
    if pressed:
        fit = _fit(k, w, w_errors, least=1e-3 * float(w.min()))
    if not fit.converged:
        return SviFit(_NONE, _NONE, None, math.nan, math.nan, None, Status.NO_CONVERGENCE)
    found = _raw(fit.x)
    report = svi_butterfly(found)
    law = SviLaw(found, float(forward), float(tau))
    rmse = math.sqrt(float(np.mean((law.vol(K) - v) ** 2)))
    by_x = _raw_slopes(fit.x)
    sd = np.sqrt(np.einsum("ij,jk,ik->i", by_x, covariance(fit, K.size), by_x))
    if pressed or fit.at_bound.any() or not np.isfinite(sd).all() or sd[3] > 1.0:
        return SviFit(_NONE, _NONE, law, rmse, fit.chi2, report, Status.NOT_RESOLVED)
    return SviFit(found, Svi(*sd.tolist()), law, rmse, fit.chi2, report, Status.OK)


def _fit(k: FloatArray, w: FloatArray, e: FloatArray, *, least: float) -> Minimum:
    def columns(m: float, sigma: float) -> FloatArray:
        y = k - m
        h = np.hypot(y, sigma)
        return np.column_stack([np.ones(k.size), 0.5 * (h + y), 0.5 * (h - y)])

    def residuals(x: FloatArray) -> FloatArray:
        return np.asarray((columns(x[3], math.exp(x[4])) @ x[:3] - w) / e)

    def jacobian(x: FloatArray) -> FloatArray:
        _, right, left, m, log_sigma = x
        sigma = math.exp(log_sigma)
        y = k - m
        h = np.hypot(y, sigma)
        by_m = -0.5 * (right * (y / h + 1.0) + left * (y / h - 1.0))
        by_sigma = 0.5 * (right + left) * sigma * sigma / h
        return np.column_stack([columns(m, sigma), by_m, by_sigma]) / e[:, None]

    span, top = float(np.ptp(k)), float(w.max())
    sharpest, bluntest = 0.5 * span / np.unique(k).size, 4.0 * span
    low = np.array([least, 0.0, 0.0, k.min() - span, math.log(sharpest)])
    high = np.array([2.0 * top, 2.0, 2.0, k.max() + span, math.log(bluntest)])
    starts = []
    for m in np.linspace(k.min() - 0.25 * span, k.max() + 0.25 * span, 13):
        for sigma in np.geomspace(2.0 * sharpest, 0.5 * bluntest, 8):
            linear = np.linalg.lstsq(columns(m, sigma) / e[:, None], w / e, rcond=None)[0]
            starts.append(np.clip([*linear, m, math.log(sigma)], low, high))
    cost = np.array([np.sum(residuals(x) ** 2) for x in starts])
    return minimise(residuals, jacobian, np.array(starts)[np.argsort(cost)[:_POLISHED]], low, high)


def _raw(x: FloatArray) -> Svi:
    a, right, left, m, log_sigma = x.tolist()
    both = right + left
    rho = (right - left) / both if both > 0.0 else 0.0
    return Svi(a, 0.5 * both, m, rho, math.exp(log_sigma))


def _raw_slopes(x: FloatArray) -> FloatArray:
    """Derivatives of the raw parameters by x, ``(5, 5)``."""
    _, right, left, _, log_sigma = x.tolist()
    both = max(right + left, 1e-300)
    out = np.zeros((5, 5))
    out[0, 0] = out[2, 3] = 1.0
    out[1, 1:3] = 0.5
    out[3, 1:3] = 2.0 * left / both**2, -2.0 * right / both**2
    out[4, 4] = math.exp(log_sigma)
    return out
