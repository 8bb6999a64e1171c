r"""Which market makes the price? Each one's share in the permanent innovation, by every definition.

The prices of one trend move in the long run by eta = psi'e, with e the residuals, W = cov(e) and
psi the common-trend row of Psi(1). V = psi'W psi, c = W psi. For market i, all without unit::

    first, last in order   c_i^2 / (W_ii V),  psi_i^2 / ((W^-1)_ii V)       Hasbrouck (1995)
    least, largest, mean   over all orders, see share_orders                Shapley (1953)
    component share        psi_i / sum psi, with its sign            Gonzalo and Granger (1995)
    PDS                    psi_i c_i / V: needs no order      Shen, Sultan and Zivot (2024)
    speed                  L_i = d_i / B_i, d = c / V: part of the long-run response made at once
    PILS                   L_i^2 / sum L^2                    Shen, Zhang and Zivot (2025)

d_i is the response at once, and B_i the long-run response, of price i to a unit permanent shock.
Prices of one security have B = 1. Otherwise B is the direction that the cointegrating vectors leave
free, everything is done on prices divided by B, and no number depends on the unit of a series.

A speed is of what the prices' past does not tell: noise that hides the trend raises all speeds by
one factor, and PILS, a ratio, is free of it. Only PILS speaks of leadership: shares reward a market
for being quiet as well as for being early (a slow market with little noise may have the larger IS
and CS). Three more are given for comparison. ILS = (IS/CS)^2 / sum, IS the mean over orders
(Putnins 2013), holds only where residuals are uncorrelated and may point the wrong way otherwise;
MIS factors W by the square root of the correlation matrix (Lien and Shrestha 2009), the spectral
share by W^(1/2) (Fernandes and Scherrer 2018): both pick one of many orthogonalisations and do not
identify anything by it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.given_arrays import float_array
from eventtape.estimators.discovery.refusals import Reason, status_of
from eventtape.estimators.discovery.share_orders import NOTHING, InOrder, in_order, residuals

__all__ = ["FactorShares", "Shares", "factor_shares", "shares"]


class Shares(NamedTuple):
    """Shares of each of n markets in one permanent innovation, ``(n,)`` each, and their fate.

    - ``is_first``, ``is_last``: Hasbrouck's share when first and when last in order.
    - ``is_min``, ``is_max``, ``shapley``: least, largest and mean over all orders, exact; NaN above
      15 markets, as is ``ils``.
    - ``component``: Gonzalo and Granger's weight, with its sign, adding to 1.
    - ``pds``: price discovery share: needs no order, adds to 1, may be negative.
    - ``speed``: part of the long-run response made at once; 1 is all of it.
    - ``pils``: speeds squared, as parts of their sum: who leads.
    - ``ils``, ``mis``, ``spectral``: for comparison only, see the module.
    - ``width``: is_max - is_min; above 15 markets the distance of ``is_first`` from ``is_last``,
      at most that.
    - ``reason``, ``status``: why numbers are NaN, and the fate.
    """

    is_first: FloatArray
    is_last: FloatArray
    is_min: FloatArray
    is_max: FloatArray
    shapley: FloatArray
    component: FloatArray
    pds: FloatArray
    speed: FloatArray
    pils: FloatArray
    ils: FloatArray
    mis: FloatArray
    spectral: FloatArray
    width: FloatArray
    reason: Reason
    status: Status


class FactorShares(NamedTuple):
    """Shares of each of n series in the variance of each of K trends, ``(n, K)`` each.

    - ``is_first``, ``is_last``, ``is_min``, ``is_max``, ``shapley``, ``pds``, ``width``: as in
      :class:`Shares`, by trend.
    - ``reasons``, ``statuses``: ``(K,)`` why a trend's column is NaN, and its fate.
    """

    is_first: FloatArray
    is_last: FloatArray
    is_min: FloatArray
    is_max: FloatArray
    shapley: FloatArray
    pds: FloatArray
    width: FloatArray
    reasons: tuple[Reason, ...]
    statuses: tuple[Status, ...]


def shares(
    psi: FloatArray, omega: FloatArray, beta: FloatArray | None = None, *, named: int = 0
) -> Shares:
    """Every share of each market in the common trend's innovation, from given parameters.

    Parameters
    ----------
    psi : ``(n,)`` row of Psi(1), the permanent response of series ``named`` to each residual.
    omega : ``(n, n)`` residual covariance.
    beta : ``(n, n - 1)`` cointegrating vectors of prices in different units; None is one security,
        where all rows of Psi(1) are equal. A constant's row is left out.
    named : the series in whose unit the trend is counted: its long-run response B is 1.

    NaN with a reason: ``SINGULAR`` where omega is not positive definite, ``NO_RESPONSE`` where psi
    is zero or some B is. Where the component shares do not add up (a move of all prices together
    has no long-run effect) they and the ILS are NaN with ``NO_RESPONSE`` and the others stand. ILS
    is NaN where a component share is zero. Above 15 markets the orders are not walked: what needs
    them is NaN, the rest stands. Shares are not withheld for being wide: see ``width``.

    >>> shares(np.array([0.6, 0.4]), np.array([[1.0, 0.5], [0.5, 1.0]])).is_max
    array([0.84210526, 0.64473684])
    """
    p, W = _checked(np.atleast_1d(psi), omega)
    n = W.shape[0]
    if p.ndim != 1:
        raise InputError("one row of Psi(1), shape (n,)", met=p.shape)
    if not 0 <= named < n:
        raise InputError(f"a series from 0 to {n - 1}", met=named)
    direction = None if beta is None else _checked_vectors(beta, n)
    e = residuals(W)
    if e is None:
        return _no_shares(n, Reason.SINGULAR)
    w = p * e.sd
    V = float(w @ e.corr @ w)
    B = np.ones(n) if direction is None else _long_run(direction, e.sd, named)
    if not V > 0.0 or B is None:
        return _no_shares(n, Reason.NO_RESPONSE)
    part = in_order(w, V, e)
    speed = (e.corr @ w) * e.sd / (V * B)
    weight = p * B
    total = float(weight.sum())
    sums = abs(total) > NOTHING * float(np.abs(weight).sum())
    component = weight / total if sums else np.full(n, np.nan)
    ratio = np.full(n, np.nan)
    np.divide(part.mean, component, out=ratio, where=component != 0.0)
    scaled = (ratio / np.abs(ratio).max()) ** 2
    in_trend = e.corr * np.outer(e.sd / B, e.sd / B)
    spectral = (weight @ _square_root(in_trend)) ** 2 / V
    reason = Reason.NONE if sums else Reason.NO_RESPONSE
    return Shares(
        part.first,
        part.last,
        part.least,
        part.largest,
        part.mean,
        component,
        part.pds,
        speed,
        speed**2 / float(speed @ speed),
        scaled / scaled.sum(),
        (w @ e.root) ** 2 / V,
        spectral,
        part.width,
        reason,
        status_of(reason),
    )


def factor_shares(psi: FloatArray, omega: FloatArray) -> FactorShares:
    """Information share of each series in the variance of each trend, from given parameters.

    ``psi`` ``(K, n)`` holds the rows of Psi(1) of the series that name the trends, ``omega``
    ``(n, n)`` the residual covariance. The columns speak of trends as they are: where these are
    correlated, one series' news is counted in several.
    """
    p, W = _checked(np.atleast_2d(psi), omega)
    n, K = W.shape[0], p.shape[0]
    e = residuals(W)
    fields = np.full((len(InOrder._fields), n, K), np.nan)
    reasons = []
    for k in range(K):
        w = np.zeros(n) if e is None else p[k] * e.sd
        V = 0.0 if e is None else float(w @ e.corr @ w)
        if e is None or not V > 0.0:
            reasons.append(Reason.SINGULAR if e is None else Reason.NO_RESPONSE)
            continue
        fields[:, :, k] = in_order(w, V, e)
        reasons.append(Reason.NONE)
    statuses = tuple(status_of(reason) for reason in reasons)
    part = InOrder(*fields)
    return FactorShares(
        part.first,
        part.last,
        part.least,
        part.largest,
        part.mean,
        part.pds,
        part.width,
        tuple(reasons),
        statuses,
    )


def _square_root(W: FloatArray) -> FloatArray:
    values, G = np.linalg.eigh(W)
    root: FloatArray = (G * np.sqrt(np.maximum(values, 0.0))) @ G.T
    return root


def _long_run(beta: FloatArray, sd: FloatArray, named: int) -> FloatArray | None:
    """B: orthogonal to beta, 1 at ``named``; None where a series does not hold the trend."""
    in_sd = beta * sd[:, None]
    in_sd /= np.linalg.norm(in_sd, axis=0)
    left, size, _ = np.linalg.svd(in_sd)
    if not size[-1] > NOTHING * size[0]:
        raise InputError("independent cointegrating vectors", met=beta.tolist())
    free = left[:, -1]
    if np.abs(free).min() <= NOTHING * np.abs(free).max():
        return None
    B: FloatArray = free * sd / (free[named] * sd[named])
    return B


def _checked(psi: FloatArray, omega: FloatArray) -> tuple[FloatArray, FloatArray]:
    p, W = float_array(psi, column="psi"), float_array(omega, column="omega")
    n = W.shape[0]
    if n < 2 or W.shape != (n, n) or p.shape[-1:] != (n,) or p.ndim > 2:
        raise InputError("psi (n,) or (K, n) and omega (n, n), n >= 2", met=(p.shape, W.shape))
    for values, name in ((p, "psi"), (W, "omega")):
        bad = np.argwhere(~np.isfinite(values))
        if bad.size:
            met = float(values[tuple(bad[0])])
            raise InputError("a finite value", met=met, row=int(bad[0][0]) + 1, column=name)
    if np.any(np.diagonal(W) < 0.0):
        raise InputError("variances >= 0 in omega", met=np.diagonal(W).tolist())
    size = np.sqrt(np.outer(np.diagonal(W), np.diagonal(W)))
    uneven = np.argwhere(np.abs(W - W.T) > 1e-8 * size)
    if uneven.size:
        i, j = (int(k) for k in uneven[0])
        apart = f"a symmetric omega, {W[j, i]:g} as below the diagonal"
        raise InputError(apart, met=float(W[i, j]), row=i + 1, column="omega")
    return p, 0.5 * (W + W.T)


def _checked_vectors(beta: FloatArray, n: int) -> FloatArray:
    b = float_array(beta, column="beta")
    if b.shape != (n, n - 1):
        raise InputError(f"cointegrating vectors ({n}, {n - 1})", met=b.shape)
    if not (np.isfinite(b).all() and np.abs(b).max(axis=0).all()):
        raise InputError("finite cointegrating vectors that are not zero", met=b.tolist())
    return b


def _no_shares(n: int, reason: Reason) -> Shares:
    b = np.full(n, np.nan)
    return Shares(b, b, b, b, b, b, b, b, b, b, b, b, b, reason, status_of(reason))
