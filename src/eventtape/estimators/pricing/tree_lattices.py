r"""The lattices of the trees: moves and odds of a step, their derivatives, and the steps' calendar.

- Cox, Ross and Rubinstein (1979): log u = -log d = sigma sqrt(dt),
  p = (e^{(r - q) dt} - d) / (u - d).
- Leisen and Reimer (1996), for one strike and an odd number of steps: p = h(d2), p' = h(d1),
  u = e^{(r - q) dt} p' / p, d = e^{(r - q) dt} (1 - p') / (1 - p), with d1, d2 of Black and Scholes
  and h Peizer and Pratt's second inversion of the binomial law. European error O(n^-2).

Each comes as ``(..., 9)``: log u, log d, p, then the three derivatives in the volatility and the
three in the rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray

__all__ = ["Calendar", "calendar", "crr", "leisen_reimer", "widths"]

_LEAST = 400.0  # no stretch is shorter than an average step over this
_REACH = 7.5  # standard deviations a row of nodes reaches to either side


class Calendar(NamedTuple):
    """Stretches between ex-dates, shape ``(n_options, n_dividends + 1)``; unused ones at the end.

    - ``steps``: of each stretch, 0 where it is not there;
    - ``years``: its length; ``start``: when it starts;
    - ``amount``: the dividend at its end.
    """

    steps: IntArray
    years: FloatArray
    start: FloatArray
    amount: FloatArray


def crr(
    dt: FloatArray, rate: FloatArray, dividend_yield: FloatArray, vol: FloatArray
) -> FloatArray:
    """Cox, Ross and Rubinstein's step, shape ``(..., 9)``."""
    root = np.sqrt(dt)
    u, d = np.exp(vol * root), np.exp(-vol * root)
    growth = np.exp((rate - dividend_yield) * dt)
    p = (growth - d) / (u - d)
    p_vol = root * (d * (u - d) - (growth - d) * (u + d)) / (u - d) ** 2
    zero = np.zeros_like(p)
    parts = (vol * root, -vol * root, p, root, -root, p_vol, zero, zero, dt * growth / (u - d))
    return np.stack(np.broadcast_arrays(*parts), axis=-1)


def leisen_reimer(
    spot: FloatArray,
    strike: FloatArray,
    tau: FloatArray,
    rate: FloatArray,
    dividend_yield: FloatArray,
    vol: FloatArray,
    steps: int,
    spot_rate: FloatArray,
) -> FloatArray:
    """Leisen and Reimer's step, shape ``(n, 9)``; ``spot_rate`` is d log spot / d rate."""
    n, root, dt = steps, vol * np.sqrt(tau), tau / steps
    d1 = (np.log(spot / strike) + (rate - dividend_yield) * tau) / root + 0.5 * root
    d2 = d1 - root
    p, p_by = _peizer_pratt(d2, n)
    share, share_by = _peizer_pratt(d1, n)
    by_rate = (tau + spot_rate) / root
    growth = (rate - dividend_yield) * dt
    with np.errstate(divide="ignore", invalid="ignore"):
        lu, ld = growth + np.log(share / p), growth + np.log((1.0 - share) / (1.0 - p))
        moves = [lu, ld, p]
        for d1_x, d2_x, grown in ((-d2 / vol, -d1 / vol, 0.0), (by_rate, by_rate, dt)):
            share_x, p_x = share_by * d1_x, p_by * d2_x
            moves += [
                grown + share_x / share - p_x / p,
                grown - share_x / (1.0 - share) + p_x / (1.0 - p),
                p_x,
            ]
    return np.stack(np.broadcast_arrays(*moves), axis=-1)


def _peizer_pratt(z: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """h(z) and h'(z): the chance that n tosses must have for the normal law's Phi(z)."""
    c = (n + 1.0 / 6.0) / (n + 1.0 / 3.0 + 0.1 / (n + 1.0)) ** 2
    tail = np.exp(-c * z * z)
    root = np.sqrt(-np.expm1(-c * z * z))
    slope = np.where(root > 0.0, 0.5 * c * np.abs(z) * tail / np.where(root > 0.0, root, 1.0), 0.0)
    return 0.5 + 0.5 * np.sign(z) * root, np.where(z == 0.0, 0.5 * np.sqrt(c), slope)


def calendar(tau: FloatArray, times: FloatArray, amounts: FloatArray, steps: int) -> Calendar:
    """``steps`` shared out over the stretches by length, at least two to the first and one to each.

    Dividends count with 0 < time < tau. A stretch is at least 1/400 of an average step long.
    """
    used = (times > 0.0) & (times < tau[:, None]) & (amounts > 0.0)
    order = np.argsort(np.where(used, times, np.inf), axis=1, kind="stable")
    used = np.take_along_axis(used, order, axis=1)
    ends = np.where(used, np.take_along_axis(times, order, axis=1), tau[:, None])
    least, number = tau / (_LEAST * steps), used.sum(axis=1)
    for k in range(ends.shape[1]):
        before = ends[:, k - 1] if k else 0.0
        latest = tau - (number - k) * least
        ends[:, k] = np.where(used[:, k], np.clip(ends[:, k], before + least, latest), tau)
    ends = np.column_stack((ends, tau))
    start = np.column_stack((np.zeros_like(tau), ends[:, :-1]))
    years = ends - start
    there = np.arange(ends.shape[1]) <= number[:, None]
    shared = np.maximum(np.rint(steps * years / tau[:, None]), 1.0)
    shared[:, 0] = np.maximum(shared[:, 0], 2.0)
    amount = np.where(used, np.take_along_axis(amounts, order, axis=1), 0.0)
    return Calendar(
        np.where(there, shared, 0.0).astype(np.int64),
        np.where(there, years, 0.0),
        np.where(there, start, 0.0),
        np.column_stack((amount, np.zeros_like(tau))),
    )


def widths(
    days: Calendar, steps: IntArray, spot: FloatArray, carry: FloatArray, vol: FloatArray
) -> IntArray:
    """Steps, nodes at the start and nodes below the spot of each stretch, shape ``(n, k, 3)``."""
    there = steps > 0
    dt = days.years / np.where(there, steps, 1)
    gap = np.where(there, 2.0 * vol[:, None] * np.sqrt(dt), 1.0)
    paid = np.cumsum(days.amount, axis=1) - days.amount
    left = np.maximum(1.0 - paid / spot[:, None], 0.02)
    t, v = days.start, vol[:, None]
    reach = _REACH * v * np.sqrt(t) + (np.abs(carry)[:, None] + v * v) * t
    below = np.ceil((reach - np.log(left)) / gap) + 3
    above = np.ceil(reach / gap) + 3
    first = np.arange(steps.shape[1]) == 0
    below = np.where(there & ~first, below, 0.0)
    above = np.where(there & ~first, above, 0.0)
    return np.stack(
        (steps, (below + above + 1.0).astype(np.int64), below.astype(np.int64)), axis=-1
    )
