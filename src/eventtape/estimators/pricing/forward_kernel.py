r"""Forward and discount of one chain, jitted: what the public function and other kernels call.

Parity is a line in the strike, ``C - P = a - b K`` with ``b = D`` and ``a = D F``. Each pair has an
expected error e, what a price uniform over its bid and ask leaves in the difference,
``e^2 = ((C_a - C_b)^2 + (P_a - P_b)^2) / 12``. Its four prices are rounded to the tick, which
leaves tick^2 / 12 in the difference of the mids, as each price's error is uniform within a tick.
The tick is the least step between prices of the dearer options of the pairs: cheap ones often have
a finer one, and the dear one's is what C - P is rounded to. The line, its errors and its breakdown
are those of ``forward_line``; this file names the pairs that cannot be used and turns the line into
a forward.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, IntArray, watches
from eventtape.estimators.pricing import forward_line
from eventtape.estimators.pricing.forward_line import (
    FEW,
    TUKEY,
    UNKNOWN,
    Priors,
    kth_smallest,
    robust_line,
)

__all__ = ["parity_kernel"]

Answer = tuple[float, float, float, float, float, int, int]

_USED, _MISSING, _NEGATIVE, _CROSSED, _ZERO_BID, _FAR, _OUTLIER, _EXCLUDES = range(8)
_CARRY = 2
_SAME = 1e-7  # of a price: two that differ by less are one, in other digits


@njit(cache=True, error_model="numpy")
def _usable(
    strikes: FloatArray,
    cb: FloatArray,
    ca: FloatArray,
    pb: FloatArray,
    pa: FloatArray,
    fates: IntArray,
    x: FloatArray,
    y: FloatArray,
    e: FloatArray,
    dear: FloatArray,
) -> int:
    """Name the pairs that cannot be used; strike, C - P and e of the others, and their count.

    ``dear`` is filled with the bid and ask of the dearer option of each.
    """
    n = 0
    for i in range(strikes.size):
        fate = _USED
        if not math.isfinite(cb[i] + ca[i] + pb[i] + pa[i]):
            fate = _MISSING
        elif min(cb[i], ca[i], pb[i], pa[i]) < 0.0:
            fate = _NEGATIVE
        elif cb[i] > ca[i] or pb[i] > pa[i]:
            fate = _CROSSED
        elif cb[i] == 0.0 or pb[i] == 0.0:
            fate = _ZERO_BID
        else:
            x[n] = strikes[i]
            y[n] = 0.5 * (cb[i] + ca[i]) - 0.5 * (pb[i] + pa[i])
            e[n] = math.sqrt(((ca[i] - cb[i]) ** 2 + (pa[i] - pb[i]) ** 2) / 12.0)
            dear[2 * n], dear[2 * n + 1] = (cb[i], ca[i]) if y[n] > 0.0 else (pb[i], pa[i])
            n += 1
        fates[i] = fate
    return n


@njit(cache=True, error_model="numpy")
def _rounding(prices: FloatArray, spreads: bool) -> float:
    """Standard error of C - P from the tick; 0 without spreads, or where no two prices differ."""
    if not spreads:
        return 0.0
    prices.sort()
    tick = np.inf
    for i in range(1, prices.size):
        step = prices[i] - prices[i - 1]
        if _SAME * prices[i] < step < tick:
            tick = step
    return tick / math.sqrt(12.0) if math.isfinite(tick) else 0.0


@njit(cache=True, error_model="numpy")
def _keep_near(
    K0: float,
    width: float,
    fates: IntArray,
    strikes: FloatArray,
    x: FloatArray,
    y: FloatArray,
    e: FloatArray,
) -> int:
    """Drop the pairs beyond two widths from K0 by name; the count of those left, moved forward."""
    n, j = 0, 0
    for i in range(strikes.size):
        if fates[i] != _USED:
            continue
        if abs(x[j] - K0) > 2.0 * width * K0:
            fates[i] = _FAR
        else:
            x[n], y[n], e[n] = x[j], y[j], e[j]
            n += 1
        j += 1
    return n


@njit(cache=True, error_model="numpy")
def _carry(priors: Priors) -> Answer:
    """What spot, dividends and rate say by themselves."""
    nan = np.nan
    a0, sa, b0, sb = priors
    if math.isfinite(sa) and math.isfinite(sb):
        F = a0 / b0
        return F, F * math.sqrt((sa / a0) ** 2 + (sb / b0) ** 2), b0, sb, nan, _CARRY, 0
    return nan, nan, nan, nan, nan, UNKNOWN, 0


@njit(cache=True, error_model="numpy")
def _judge(r: float, half: float, g: float) -> tuple[int, float]:
    """Fate and weight of a fitted pair; ``half`` of both spreads, ``r g`` 1 where weight ends."""
    t = max(1.0 - (r * g) ** 2, 0.0)
    if t > 0.0:
        return _USED, t * t
    return (_EXCLUDES if abs(r) > half else _OUTLIER), 0.0


@njit(cache=True, error_model="numpy")
def _inverse_errors(K0: float, near_money: float, x: FloatArray, e: FloatArray) -> bool:
    """Centre the strikes, turn errors to their inverses with the weight; whether any has one."""
    floor = np.inf  # both books locked: no certainty, but as good as the narrowest of the others
    for i in range(x.size):
        if 0.0 < e[i] < floor:
            floor = e[i]
    spreads = math.isfinite(floor)
    for i in range(x.size):
        x[i] -= K0
        e[i] = 1.0 / max(e[i], floor) if spreads else 1.0
        e[i] *= math.exp(-0.25 * (x[i] / K0 / near_money) ** 2)
    return spreads


@watches(forward_line)
@njit(cache=True, error_model="numpy")
def parity_kernel(
    strikes: FloatArray,
    call_bids: FloatArray,
    call_asks: FloatArray,
    put_bids: FloatArray,
    put_asks: FloatArray,
    priors: Priors,
    near_money: float,
    fates: IntArray,
    weights: FloatArray,
) -> Answer:
    """Forward and discount of one chain, for callers that have checked their arrays.

    - ``strikes`` rise; the four price arrays share their shape ``(n,)``, NaN where nobody quotes.
    - ``priors``: S e^{-q tau} less dividends, its error, the discount, its error. An infinite error
      is no prior; ``(0.0, inf, 1.0, inf)`` is none at all.
    - ``near_money``: width, in parts of the forward, of a Gaussian weight; infinite for none.
    - ``fates`` (int64) and ``weights`` (0 to 1), both ``(n,)``, are filled.

    Returns (forward, error, discount, error, scale, code, pairs used), NaN where there is no
    number: code 0 fitted, 1 fitted from few pairs, 2 from the priors alone, 3 not identified, 4 not
    settled.
    """
    nan = np.nan
    for i in range(weights.size):
        weights[i] = 0.0
    x = np.empty(strikes.size)
    y = np.empty(strikes.size)
    e = np.empty(strikes.size)
    dear = np.empty(2 * strikes.size)
    n = _usable(strikes, call_bids, call_asks, put_bids, put_asks, fates, x, y, e, dear)
    if n == 0:
        return _carry(priors)
    dear = dear[: 2 * n]
    roots = np.empty(n)
    for i in range(n):
        roots[i] = x[i] + y[i]
    K0 = kth_smallest(roots, n // 2)  # close to the forward, since D is close to 1
    if math.isfinite(near_money):
        n = _keep_near(K0, near_money, fates, strikes, x, y, e)
        if n == 0:
            return _carry(priors)
    x, y, e = x[:n], y[:n], e[:n]
    spreads = _inverse_errors(K0, near_money, x, e)  # e is its inverse from here on
    rounding = _rounding(dear, spreads)
    alpha, b, s, va, vab, vb, code = robust_line(x, y, e, K0, priors, spreads, rounding)
    f = alpha / b
    if code <= FEW and (b < 2.0 * math.sqrt(vb) or not K0 + f > 0.0):
        code = UNKNOWN
    if code > FEW:
        return nan, nan, nan, nan, nan, code, 0
    g = 1.0 / (s * TUKEY)
    used, j = 0, 0
    for i in range(strikes.size):
        if fates[i] == _USED:
            r = y[j] - alpha + b * x[j]
            half = 0.5 * (call_asks[i] - call_bids[i] + put_asks[i] - put_bids[i])
            fates[i], weights[i] = _judge(r, half, e[j] * g)
            used += fates[i] == _USED
            j += 1
    error = math.sqrt(va - 2.0 * f * vab + f * f * vb) / b
    return K0 + f, error, b, math.sqrt(vb), s if spreads else nan, code, used
